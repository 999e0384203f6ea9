//! Most tests start a syft that makes its automaton of licenses when it needs it (`scripts/tools`, `quicken`). It is no other
//! syft to whoever reads its lists.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Source, quick_syft, read_json, run, tool};

/// The lists of an image in both formats, without what is another in each run.
fn lists(source: &Source, syft: &Path) -> [Value; 2] {
    let file =
        |format: &str| source.beside(&format!("{format}-of-{}.json", syft.parent().unwrap().file_name().unwrap().display()));
    let mut command = Command::new(syft);
    command.args(["scan", "--quiet", "--source-name", "image", "--source-version", "1"]);
    for format in ["spdx-json", "cyclonedx-json"] {
        command.arg(format!("--output={format}={}", file(format).display()));
    }
    run(command.arg(format!("oci-dir:{}", source.beside("image").display())).env("SYFT_CHECK_FOR_APP_UPDATE", "false"));
    let [mut spdx, mut cyclonedx] = ["spdx-json", "cyclonedx-json"].map(|format| read_json(&file(format)));
    spdx["documentNamespace"].take();
    spdx["creationInfo"]["created"].take();
    cyclonedx["serialNumber"].take();
    cyclonedx["metadata"]["timestamp"].take();
    [spdx, cyclonedx]
}

#[test]
fn it_lists_the_same_packages_with_the_same_licenses_and_says_the_same_version() {
    let (quick, released) = (quick_syft(), tool("syft"));
    assert!(fs::read(&quick).unwrap() != fs::read(&released).unwrap(), "there are two");
    let [said, released_said] = [&quick, &released].map(|syft| run(Command::new(syft).arg("--version")));
    assert_eq!(said, released_said);
    for base in ["debian:bookworm-slim", "scratch"] {
        let source = Source::in_git(&[
            ("Dockerfile", &format!("FROM {base}\nCOPY app /app\n")),
            ("app/PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\nLicense-File: LICENSE\n"),
            ("app/PyYAML-5.3.dist-info/LICENSE", include_str!("../../LICENSE")),
            ("app/node_modules/a/package.json", r#"{"name": "a", "version": "1.0.0", "license": "MIT"}"#),
        ]);
        source.deliver().ends_with(0);
        let found = lists(&source, &quick);
        assert_eq!(found, lists(&source, &released), "{base}");
        let packages = found[0]["packages"].as_array().unwrap();
        let license =
            |name: &str| packages.iter().find(|package| package["name"] == name).map(|found| &found["licenseConcluded"]);
        assert_eq!(license("pyyaml"), Some(&"Apache-2.0".into()), "by its text, which is looked at");
        assert_eq!(license("bash").is_some(), base != "scratch");
    }
}
