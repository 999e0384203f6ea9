//! The SBOM files name the image and what is in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{Format, Request, Sbom};
use crate::oci::Image;
use crate::oci::sample::{debian, image, pyyaml};
use crate::process::Launcher;
use crate::process::testing::{launcher, launcher_in};
use crate::scan::Error;
use crate::scan::packages::{Package, Packages};
use crate::scanner::Tool;

async fn list(launcher: &Launcher, image: &Image, formats: &[Format], folder: &Path) -> Result<Sbom, Error> {
    let (platform, name) = (&image.platforms[0], "registry.example.com/team/app");
    let request = Request { image, platform, name, formats, folder, deadline: Duration::from_mins(5) };
    super::list(launcher, &request).await
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn both_files_name_the_image_and_its_packages() {
    let world = tempfile::tempdir().unwrap();
    let image = image(&world.path().join("image"), &["amd64", "arm64"], &[debian("12"), pyyaml()]);
    let folder = world.path().join("sbom");
    fs::create_dir(&folder).unwrap();
    let sbom = list(&launcher(), &image, &Format::ALL, &folder).await.unwrap();
    assert_eq!((sbom.packages, sbom.files), (2, vec!["linux-amd64.spdx.json".to_owned(), "linux-amd64.cdx.json".to_owned()]));
    let mut listed = Packages::default();
    let package = |url, name, version, file: &str| Package::listed(url, name, version, Some(file.to_owned())).unwrap();
    listed.add(package("pkg:deb/debian/tar@1.34", "tar", "1.34+dfsg-1.2", "var/lib/dpkg/status"));
    listed.add(package("pkg:pypi/pyyaml@5.3", "pyyaml", "5.3", "app/PyYAML-5.3.dist-info/METADATA"));
    assert_eq!(sbom.list, listed);
    let digest = image.platforms[0].manifest.digest().to_string();
    let spdx = read(&folder.join("linux-amd64.spdx.json"));
    assert_eq!(spdx["name"], "registry.example.com/team/app");
    assert!(spdx["packages"].as_array().unwrap().iter().any(|package| package["versionInfo"] == digest.as_str()));
    let cyclonedx = read(&folder.join("linux-amd64.cdx.json"));
    assert_eq!(cyclonedx["metadata"]["component"]["name"], "registry.example.com/team/app");
    assert_eq!(cyclonedx["metadata"]["component"]["version"], digest.as_str());
    for package in ["pyyaml", "tar"] {
        assert!(
            cyclonedx["components"]
                .as_array()
                .unwrap()
                .iter()
                .any(|component| component["name"].as_str().unwrap().eq_ignore_ascii_case(package))
        );
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
}

#[tokio::test]
async fn only_the_wanted_forms_are_written() {
    let world = tempfile::tempdir().unwrap();
    let image = image(&world.path().join("image"), &["amd64"], &[pyyaml()]);
    let folder = world.path().join("sbom");
    fs::create_dir(&folder).unwrap();
    let sbom = list(&launcher(), &image, &[Format::CycloneDxJson], &folder).await.unwrap();
    assert_eq!((sbom.packages, sbom.files.as_slice()), (1, &["linux-amd64.cdx.json".to_owned()][..]));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[tokio::test]
async fn a_syft_that_is_broken_leaves_no_file() {
    let world = tempfile::tempdir().unwrap();
    let image = image(&world.path().join("image"), &["amd64"], &[pyyaml()]);
    let (folder, tools) = (world.path().join("sbom"), tempfile::tempdir().unwrap());
    fs::create_dir(&folder).unwrap();
    let write = |spdx: &str| {
        format!(
            r#"for a in "$@"; do case $a in --output=spdx*) echo '{spdx}' > ${{a##*=}};; --output=*) echo '{{"bomFormat":"CycloneDX"}}' > ${{a##*=}};; esac; done"#
        )
    };
    for text in ["exit 0", "exit 1", &write("rubbish"), &write(r#"{"spdxVersion":"SPDX-2.2"}"#)] {
        let path = tools.path().join("syft");
        fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let launcher = launcher_in(tools.path());
        let error = list(&launcher, &image, &Format::ALL, &folder).await.unwrap_err();
        let expected = matches!(&error, Error::InvalidOutput { tool, .. } | Error::Failed { tool, .. } if *tool == Tool::SYFT);
        assert!(expected, "{text}: {error:?}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
    let launcher = launcher_in(tools.path());
    fs::write(tools.path().join("syft"), format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{}\n", write(r#"{"spdxVersion":"SPDX-2.3"}"#)))
        .unwrap();
    assert_eq!(list(&launcher, &image, &Format::ALL, &folder).await.unwrap().packages, 0);
}

#[tokio::test]
async fn what_is_part_of_a_distribution_s_package_is_left_out_and_nothing_else_is() {
    let metadata = |name: &str| format!("Metadata-Version: 2.1\nName: {name}\nVersion: 5.3\nLicense: MIT\n").into_bytes();
    let names = |sbom: &Sbom| sbom.list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let owned = [
        "usr/lib/python3/dist-packages/part-5.3.egg-info/PKG-INFO",
        "app/claimed-5.3.dist-info/METADATA",
        "usr/local/lib/local-5.3.dist-info/METADATA",
    ];
    let owned = owned.map(|file| format!("d41d8cd98f00b204e9800998ecf8427e  {file}\n")).concat();
    let layer = vec![
        ("var/lib/dpkg/info/tar.md5sums", owned.into_bytes()),
        ("usr/lib/python3/dist-packages/part-5.3.egg-info/PKG-INFO", metadata("part")),
        ("app/claimed-5.3.dist-info/METADATA", metadata("claimed")),
        ("usr/local/lib/local-5.3.dist-info/METADATA", metadata("local")),
        // A package may say that it has put another's files there.
        ("usr/lib/python3/owner-5.3.dist-info/METADATA", metadata("owner")),
        ("usr/lib/python3/owner-5.3.dist-info/RECORD", b"other-5.3.dist-info/METADATA,sha256=x,1\n".to_vec()),
        ("usr/lib/python3/other-5.3.dist-info/METADATA", metadata("other")),
    ];
    let world = tempfile::tempdir().unwrap();
    let image = image(&world.path().join("image"), &["amd64"], &[debian("12"), layer]);
    let folder = world.path().join("sbom");
    fs::create_dir(&folder).unwrap();
    let sbom = list(&launcher(), &image, &Format::ALL, &folder).await.unwrap();
    assert_eq!(names(&sbom), ["tar 1.34+dfsg-1.2", "claimed 5.3", "local 5.3", "other 5.3", "owner 5.3"]);
}
