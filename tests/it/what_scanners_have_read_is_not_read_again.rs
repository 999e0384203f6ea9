//! On a laptop trivy does not open the layers of an image again that it has read before, nor does syft list what is in them again;
//! and nothing that is kept of them hides a vulnerability from whoever is held back by one.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::job::in_job;
use crate::support::{Delivery, Source};

const CRITICAL: &str = "CVE-2020-14343";
/// What is said where trivy goes by a lie: the SBOM is made by syft, which reads all layers, and what it lists is looked up.
const UNSEEN: &str = "trivy does not see 1 package that the SBOM lists";

fn source() -> Source {
    Source::in_git(&[
        ("Dockerfile", "FROM scratch\nCOPY PyYAML-5.3.dist-info /app/PyYAML-5.3.dist-info\nCOPY readme /\n"),
        ("PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n"),
        ("readme", "1\n"),
        (".dockerignore", ".git\n"),
    ])
}

fn to(source: &Source, environment: &str) -> Delivery {
    source.deliver().flag("--environment", environment).flag("--reuse", "never")
}

/// The file that is kept in a folder.
fn kept_in(source: &Source, folder: &str) -> PathBuf {
    let folder = source.beside(&format!("home/.cache/gp-deliver/{folder}"));
    let files: Vec<_> = fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path()).collect();
    assert!(files.len() <= 1, "{files:?}");
    files.into_iter().next().unwrap_or_default()
}

fn kept(source: &Source) -> PathBuf {
    kept_in(source, "analyses")
}

/// Makes what was read say nothing of the package, as one who has come to write there would.
fn lie(source: &Source) {
    put_for(&kept(source), b"PyYAML", b"AyYAML");
}

/// Puts other words in the place of some in a file, and the digest that goes with them.
fn put_for(file: &Path, words: &[u8], others: &[u8]) {
    let mut bytes = fs::read(file).unwrap().split_off(32);
    let places = bytes.windows(words.len()).enumerate().filter(|(_, there)| *there == words).map(|(place, _)| place);
    let places: Vec<_> = places.collect();
    places.iter().for_each(|place| bytes[*place..place + others.len()].copy_from_slice(others));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    fs::write(file, [digest.as_ref(), &bytes].concat()).unwrap();
}

/// The names of the packages of the SBOM, and the image's digest and revision that it has.
fn listed(source: &Source) -> (String, [String; 2]) {
    let read = |name: &str| fs::read_to_string(source.beside("report/sbom").join(name)).unwrap();
    let (spdx, cyclonedx) = (read("linux-amd64.spdx.json"), read("linux-amd64.cdx.json"));
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (spdx, cyclonedx) = (read(&spdx), read(&cyclonedx));
    let names = |list: &Value| list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    let names: Vec<String> = names(&cyclonedx["components"]);
    let image = spdx["packages"].as_array().unwrap().iter().find(|one| one["primaryPackagePurpose"] == "CONTAINER").unwrap();
    let labels = cyclonedx["metadata"]["properties"].as_array().unwrap();
    let revision = labels.iter().find(|one| one["name"] == "syft:image:labels:org.opencontainers.image.revision").unwrap();
    (names.join(" "), [&image["versionInfo"], &revision["value"]].map(|value| value.as_str().unwrap().to_owned()))
}

fn built(source: &Source) -> [String; 2] {
    let digest = source.record()["image"]["platforms"][0]["digest"].as_str().unwrap().to_owned();
    [digest, source.git(&["rev-parse", "HEAD"])]
}

#[test]
fn the_layers_of_an_image_are_read_once_and_judged_each_time_on_a_laptop_and_a_lie_about_them_hides_no_package() {
    let source = source();
    to(&source, "local").ends_with(0).says(CRITICAL).does_not_say(UNSEEN);
    to(&source, "local").flag("--labels", "a=b").ends_with(0).says(CRITICAL).does_not_say(UNSEEN);
    lie(&source);
    to(&source, "local").ends_with(0).says(UNSEEN).says(CRITICAL);
    // Another layer, and all are read.
    source.write("readme", "2\n");
    to(&source, "local").ends_with(0).says(CRITICAL).does_not_say(UNSEEN);
}

#[test]
fn all_layers_are_read_where_findings_hold_back_and_in_a_workflow() {
    let source = source();
    to(&source, "local").ends_with(0);
    lie(&source);
    to(&source, "prod").ends_with(3).says(CRITICAL).does_not_say(UNSEEN);
    in_job(&source, vec![]).flag("--environment", "dev").ends_with(0).says(CRITICAL).does_not_say(UNSEEN);
    to(&source, "local").ends_with(0).says(UNSEEN);
}

#[test]
fn what_is_in_the_layers_of_an_image_is_listed_once_on_a_laptop_and_each_time_where_findings_hold_back_and_in_a_workflow() {
    let source = source();
    to(&source, "local").ends_with(0).does_not_say(UNSEEN);
    let (names, of) = listed(&source);
    assert_eq!((names.contains("pyyaml"), of), (true, built(&source)));
    // Another commit, and the same layers.
    put_for(&kept_in(&source, "listings"), br#""name":"pyyaml""#, br#""name":"qyyaml""#);
    source.git(&["commit", "--quiet", "--allow-empty", "--message", "another"]);
    to(&source, "local").ends_with(0).says(CRITICAL);
    let (names, of) = listed(&source);
    assert_eq!((names.contains("qyyaml"), of), (true, built(&source)));
    to(&source, "prod").ends_with(3).says(CRITICAL).does_not_say(UNSEEN);
    assert!(listed(&source).0.contains("pyyaml"));
    in_job(&source, vec![]).flag("--environment", "dev").ends_with(0).says(CRITICAL).does_not_say(UNSEEN);
    assert!(listed(&source).0.contains("pyyaml"));
    // Another layer, and all is listed.
    source.write("readme", "2\n");
    to(&source, "local").ends_with(0);
    assert!(listed(&source).0.contains("pyyaml"));
}
