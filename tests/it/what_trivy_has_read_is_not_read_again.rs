//! On a laptop trivy does not open the layers of an image again that it has read before, and nothing that is kept of them hides a
//! vulnerability from whoever is held back by one.

use std::fs;
use std::path::PathBuf;

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

/// The file that is kept.
fn kept(source: &Source) -> PathBuf {
    let folder = source.beside("home/.cache/gp-deliver/analyses");
    let files: Vec<_> = fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path()).collect();
    assert!(files.len() <= 1, "{files:?}");
    files.into_iter().next().unwrap_or_default()
}

/// Makes what was read say nothing of the package, as one who has come to write there would.
fn lie(source: &Source) {
    let mut bytes = fs::read(kept(source)).unwrap().split_off(32);
    let places: Vec<_> = bytes.windows(6).enumerate().filter(|(_, bytes)| bytes == b"PyYAML").map(|(place, _)| place).collect();
    places.iter().for_each(|place| bytes[*place..place + 6].copy_from_slice(b"AyYAML"));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    fs::write(kept(source), [digest.as_ref(), &bytes].concat()).unwrap();
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
