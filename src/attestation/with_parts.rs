//! What the real scanners write goes into statements, and comes out of them for them to read.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::{Predicate, PredicateType, Statement, Subject};
use crate::oci::sample::{debian, image, pyyaml};
use crate::process::testing::launcher;
use crate::scan::syft::{self, Format};

#[tokio::test]
async fn the_sboms_of_a_delivery_are_what_the_types_are_for_and_trivy_reads_what_comes_out() {
    let world = tempfile::tempdir().unwrap();
    let image = image(&world.path().join("image"), &["amd64"], &[debian("12"), pyyaml()]);
    let (platform, name, deadline) = (&image.platforms[0], "registry.example.com/team/app", Duration::from_mins(5));
    let request =
        syft::Request { image: &image, platform, name, formats: &Format::ALL, folder: world.path(), deadline, listings: None };
    let files = syft::list(&launcher(), &request).await.unwrap().files;
    for (format, file) in [PredicateType::Spdx, PredicateType::CycloneDx].into_iter().zip(files) {
        let file = bytes::Bytes::from(fs::read(world.path().join(file)).unwrap());
        let subject = Subject { name: Some(name.to_owned()), digest: platform.digest };
        let predicate = Predicate::sbom(format, file.clone()).unwrap();
        assert_eq!(predicate.of_type(), Some(format));
        let written = Statement { subjects: vec![subject], predicate }.to_bytes().unwrap();
        let (Predicate::Spdx(read) | Predicate::CycloneDx(read)) = Statement::read(&written.into()).unwrap().predicate else {
            panic!("no SBOM")
        };
        assert_eq!(read.bytes(), file.trim_ascii_end());
        let extracted = world.path().join("extracted.json");
        fs::write(&extracted, read.bytes()).unwrap();
        let trivy = doubles::program::program(doubles::program::Installer::Tools, "trivy");
        let trivy = Command::new(trivy)
            .args(["sbom", "--offline-scan", "--skip-db-update", "--skip-java-db-update", "--scanners=license", "--format=json"])
            .args(["--list-all-pkgs", "--cache-backend=memory", "--quiet", "--skip-version-check", "--disable-telemetry"])
            .arg(&extracted)
            .env("TRIVY_CACHE_DIR", world.path())
            .output()
            .unwrap();
        let (said, report) = (String::from_utf8_lossy(&trivy.stderr), String::from_utf8_lossy(&trivy.stdout));
        assert!(trivy.status.success() && report.to_lowercase().contains("\"pyyaml\""), "{format}: {said} {report}");
    }
}
