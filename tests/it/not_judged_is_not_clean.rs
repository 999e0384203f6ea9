//! What of an image was not judged holds it back where vulnerabilities do, unless it is accepted by name; and an ordinary
//! image is judged as a whole.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Delivery, Ended, Source, released, run, script, tool};

const BASE: &str = "debian:bookworm-slim";
const METADATA: &str = "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.4\nLicense: MIT\n\n";
const STATUS: &str = "Package: tar\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.34+dfsg-1.2\nMaintainer: x\n\n";

/// A source whose image has these files and nothing else, or these on top of a base.
fn image(base: &str, files: &[(&str, &str)]) -> Source {
    let source = Source::in_git(&[("Dockerfile", &format!("FROM {base}\nCOPY root /\n")), (".dockerignore", "root/.keep\n")]);
    source.write("root/srv/.keep", "");
    for (path, text) in files {
        source.write(&format!("root/{path}"), text);
    }
    source.commit("files");
    source
}

fn at(source: &Source, environment: &str) -> Delivery {
    source.deliver().path(&released()).flag("--environment", environment)
}

/// What the record says was not judged.
fn unjudged(source: &Source) -> Vec<String> {
    let record = source.record();
    let name = |gap: &Value| format!("{} {}", gap["name"].as_str().unwrap(), gap["platform"].as_str().unwrap());
    record["unscanned"].as_array().unwrap().iter().map(name).collect()
}

/// Asserts that prod is undecided for something, and that a reader of the log or of the summary alone knows what to do.
fn undecided(source: &Source, delivery: &Delivery, name: &str) -> Ended {
    let ended = delivery.ends_with(1);
    ended.says("UNDECIDED for prod").says(name).says("accept-unscanned").says("Nothing was published");
    let summary = source.summary();
    for part in ["## ❔ Undecided for prod: ", "### Not judged", name, "accept-unscanned"] {
        assert!(summary.contains(part), "no {part:?}:\n{summary}");
    }
    let to_copy = |line: &str| line.starts_with(name) && line.contains(": WHY ");
    assert!(summary.lines().any(to_copy), "no line to copy:\n{summary}");
    assert!(!source.beside("image").exists(), "nothing is published");
    ended
}

#[test]
fn a_list_that_can_not_be_read_leaves_prod_undecided_and_is_a_warning_at_dev() {
    let list = "usr/lib/python3/site-packages/PyYAML-5.3.dist-info/METADATA";
    let source = image("scratch", &[(list, &format!("this is no header\n{METADATA}"))]);
    undecided(&source, &at(&source, "prod"), list);
    at(&source, "dev").ends_with(0).says("Not judged: ").says(list);
    assert_eq!(unjudged(&source), [format!("{list} linux/amd64")]);
    let summary = source.summary();
    assert!(summary.starts_with("## ⚠️ Delivered with advice to dev: 1 thing in the image was not judged"), "{summary}");
}

#[test]
fn what_is_accepted_by_name_goes_out_and_the_report_says_why() {
    let list = "opt/data/PyYAML-5.3.dist-info/METADATA";
    let source = image("scratch", &[(list, &format!("this is no header\n{METADATA}"))]);
    let lines = "opt/data/**: test data that nobody runs\nopt/other.jar: gone";
    let ended = at(&source, "prod").flag("--accept-unscanned", lines).ends_with(0);
    ended.says("DELIVERED WITH ADVICE to prod").says("accepted: test data that nobody runs").says("opt/other.jar");
    assert_eq!(source.record()["unscanned"][0]["accepted"], "test data that nobody runs");
    let summary = source.summary();
    assert!(summary.contains("test data that nobody runs") && summary.contains("names opt/other.jar"), "{summary}");
    for line in ["**: all of it", "opt/data/**", "opt/data/**:"] {
        at(&source, "prod").flag("--accept-unscanned", line).ends_with(2).says("accept-unscanned");
    }
    let source = image("scratch", &[(list, &format!("this is no header\n{METADATA}"))]);
    let other = at(&source, "prod").flag("--accept-unscanned", "opt/data/*: one folder deep");
    undecided(&source, &other, list);
}

#[test]
fn a_database_of_rpm_that_can_not_be_read_leaves_prod_undecided() {
    let release = "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"\n";
    let database = format!("SQLite format 3\0{}", "x".repeat(40_000));
    let redhat = "Rocky Linux release 9.3 (Blue Onyx)\n";
    let files = [
        ("etc/os-release", release),
        ("etc/rocky-release", redhat),
        ("etc/redhat-release", redhat),
        ("var/lib/rpm/rpmdb.sqlite", &database),
    ];
    let source = image("scratch", &files);
    undecided(&source, &at(&source, "prod"), "rpm");
}

#[test]
fn a_distribution_that_the_database_does_not_cover_leaves_prod_undecided() {
    for (release, name) in [
        ("ID=fedora\nVERSION_ID=\"42\"\n", "fedora 42"),
        ("ID=alpine\nVERSION_ID=\"3.22.1\"\n", "alpine 3.22.1"),
        ("ID=wolfi\nVERSION_ID=\"20230201\"\n", "wolfi 20230201"),
    ] {
        let source = image(BASE, &[("etc/os-release", release)]);
        undecided(&source, &at(&source, "prod"), name);
    }
    for (version, name) in [("99.1\n", "debian 99.1"), ("8.11\n", "debian 8.11"), ("13.1\n", "debian 13.1")] {
        let source = image(BASE, &[("etc/debian_version", version)]);
        undecided(&source, &at(&source, "prod"), name);
    }
    let source = image("scratch", &[("var/lib/dpkg/status", STATUS)]);
    undecided(&source, &at(&source, "prod"), "unknown distribution");
    let source = Source::in_git(&[("Dockerfile", &format!("FROM {BASE}\nRUN rm /var/lib/dpkg/status\n"))]);
    undecided(&source, &at(&source, "prod"), "debian 12");
}

#[test]
fn packages_that_syft_lists_and_trivy_does_not_see_leave_prod_undecided() {
    // trivy reads the root's list alone.
    let source = image("scratch", &[("opt/guest/var/lib/dpkg/status", STATUS), ("opt/guest/etc/debian_version", "12.1\n")]);
    undecided(&source, &at(&source, "prod"), "deb").says("tar");
    undecided(&source, &at(&source, "prod").flag("--sbom-formats", ","), "deb");
    at(&source, "dev").ends_with(0).says("Not judged: deb");
    // A distribution of which trivy knows nothing at all.
    let description = "%NAME%\nbash\n\n%VERSION%\n5.2-1\n\n%BASE%\nbash\n\n%ARCH%\nx86_64\n\n%PACKAGER%\nx\n";
    let files = [("etc/os-release", "ID=arch\n"), ("var/lib/pacman/local/bash-5.2-1/desc", description)];
    let source = image("scratch", &files);
    undecided(&source, &at(&source, "prod"), "alpm");
}

/// A source whose image has eleven Python packages of which nobody knows anything bad, and these files.
fn among_many(files: &[(&str, &str)]) -> Source {
    let source = image("scratch", files);
    for number in 0..11 {
        let list = format!("root/usr/lib/python3/site-packages/other{number}-1.0.dist-info/METADATA");
        source.write(&list, &format!("Metadata-Version: 2.1\nName: other{number}\nVersion: 1.0\n"));
    }
    source.commit("packages");
    source
}

fn link(source: &Source, target: &str, path: &str) {
    let path = source.context().join("root").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(target, path).unwrap();
    source.commit("a link");
}

/// Asserts that prod is blocked by the advisory about `PyYAML`, and that dev, which is not, tells of it.
fn pyyaml_is_found(source: &Source) {
    let ended = at(source, "prod").ends_with(3);
    ended.says("BLOCKED for prod: 1 vulnerability").says("CVE-2020-14343");
    assert!(source.summary().contains("CVE-2020-14343"), "{}", source.summary());
    at(source, "dev").ends_with(0).says("trivy does not see").says("CVE-2020-14343");
    assert_eq!((unjudged(source).len(), source.record()["findings"][0]["id"].as_str()), (0, Some("CVE-2020-14343")));
}

#[test]
fn one_package_of_many_that_trivy_does_not_see_is_judged_by_what_the_sbom_lists() {
    let list = "usr/lib/python3/site-packages/PyYAML-5.3.dist-info/METADATA";
    // trivy follows no link.
    let source = among_many(&[("srv/hidden", &METADATA.replace("5.4", "5.3"))]);
    link(&source, "/srv/hidden", list);
    pyyaml_is_found(&source);
    let source = among_many(&[("srv/hidden/METADATA", &METADATA.replace("5.4", "5.3"))]);
    link(&source, "/srv/hidden", list.strip_suffix("/METADATA").unwrap());
    pyyaml_is_found(&source);
    // One about which nothing is known is no reason to stop.
    let source = among_many(&[("srv/hidden", METADATA)]);
    link(&source, "/srv/hidden", list);
    decided(&source);
}

#[test]
fn an_archive_that_trivy_does_not_take_for_one_is_judged_by_what_the_sbom_lists() {
    let source = image("scratch", &[]);
    let folder = source.beside("jar");
    let properties = folder.join("META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties");
    fs::create_dir_all(properties.parent().unwrap()).unwrap();
    fs::write(&properties, "groupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n").unwrap();
    fs::write(folder.join("META-INF/MANIFEST.MF"), "Manifest-Version: 1.0\n").unwrap();
    // An archive of Java's of which trivy knows no such ending.
    let archive = source.context().join("root/srv/log4j-core-2.14.1.nar");
    run(Command::new("python3").args(["-m", "zipfile", "-c"]).arg(archive).arg("META-INF").current_dir(folder));
    source.commit("an archive");
    at(&source, "prod").ends_with(3).says("BLOCKED for prod: 1 vulnerability").says("CVE-2021-44228");
}

#[test]
fn what_an_sbom_in_the_image_calls_a_package_does_not_stand_for_it() {
    // trivy looks up the name, and lists the URL.
    let component = r#"{"type": "library", "bom-ref": "1", "name": "harmless", "version": "5.3", "purl": "pkg:pypi/pyyaml@5.3"}"#;
    let sbom = format!(r#"{{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [{component}]}}"#);
    let source = among_many(&[("srv/hidden", &METADATA.replace("5.4", "5.3")), ("opt/app.cdx.json", &sbom)]);
    link(&source, "/srv/hidden", "usr/lib/python3/site-packages/PyYAML-5.3.dist-info/METADATA");
    pyyaml_is_found(&source);
}

#[test]
fn a_package_that_claims_another_s_files_does_not_hide_it() {
    let owner = "usr/lib/python3/site-packages/owner-1.dist-info";
    let source = among_many(&[
        ("srv/hidden", &METADATA.replace("5.4", "5.3")),
        (&format!("{owner}/METADATA"), "Metadata-Version: 2.1\nName: owner\nVersion: 1\n"),
        (&format!("{owner}/RECORD"), "/srv/hidden,,\n../../../../srv/hidden,,\nPyYAML-5.3.dist-info/METADATA,,\n"),
    ]);
    link(&source, "/srv/hidden", "usr/lib/python3/site-packages/PyYAML-5.3.dist-info/METADATA");
    pyyaml_is_found(&source);
}

#[test]
fn a_version_that_can_not_be_compared_leaves_prod_undecided() {
    let list = "usr/lib/python3/site-packages/PyYAML-5.3.dist-info/METADATA";
    let source = among_many(&[(list, &METADATA.replace("5.4", "5.3-by!us"))]);
    undecided(&source, &at(&source, "prod"), "pypi PyYAML 5.3-by!us");
    let source = among_many(&[("srv/hidden", &METADATA.replace("5.4", "5.3-by!us"))]);
    link(&source, "/srv/hidden", list);
    undecided(&source, &at(&source, "prod"), "pypi pyyaml 5.3-by!us");
    let accepted = at(&source, "prod").flag("--accept-unscanned", "pypi pyyaml 5.3-by!us: our own patches are in it");
    accepted.ends_with(0).says("accepted: our own patches are in it");
    at(&source, "prod").flag("--accept-unscanned", "pypi pyyaml 5.4: another").ends_with(1);
}

#[test]
fn a_package_that_a_distribution_s_list_has_twice_leaves_prod_undecided() {
    // trivy takes the first of them alone.
    let package = |version: &str| format!("P:openssl\nV:{version}\nA:x86_64\nL:MIT\no:openssl\n\n");
    let other = |number| format!("P:other{number}\nV:1.0-r0\nA:x86_64\nL:MIT\no:other{number}\n\n");
    let others = (0..20).map(other).collect::<Vec<_>>().concat();
    let files = [
        ("etc/os-release", "ID=alpine\nVERSION_ID=3.22.1\n"),
        ("etc/alpine-release", "3.22.1\n"),
        ("lib/apk/db/installed", &format!("{}{}{others}", package("99.0-r0"), package("3.0.0-r0"))),
    ];
    let source = image("scratch", &files);
    undecided(&source, &at(&source, "prod"), "apk openssl 3.0.0-r0");
}

#[test]
fn a_list_that_trivy_reads_half_of_leaves_prod_undecided() {
    // trivy stops at a line that is longer than it expects, and says nothing.
    let package = |name: &str| format!("P:{name}\nV:1.0-r0\nA:x86_64\nL:MIT\no:{name}\n");
    let long = format!("{}r:{}\n\n{}\n", package("first"), "x".repeat(70_000), package("second"));
    let files = [
        ("etc/os-release", "ID=alpine\nVERSION_ID=3.22.1\n"),
        ("etc/alpine-release", "3.22.1\n"),
        ("lib/apk/db/installed", &long),
    ];
    let source = image("scratch", &files);
    undecided(&source, &at(&source, "prod"), "apk");
}

#[test]
fn one_platform_that_is_not_judged_is_enough_and_is_named() {
    let source = Source::in_git(&[
        ("Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /usr/lib/python3/site-packages/\n"),
        ("amd64/PyYAML-5.4.dist-info/METADATA", METADATA),
        ("arm64/PyYAML-5.4.dist-info/METADATA", &format!("this is no header\n{METADATA}")),
    ]);
    let delivery = at(&source, "prod").flag("--platforms", "linux/amd64,linux/arm64");
    undecided(&source, &delivery, "usr/lib/python3/site-packages/PyYAML-5.4.dist-info/METADATA").says("linux/arm64");
    assert_eq!(unjudged(&source).len(), 1);
}

#[test]
fn what_is_found_blocks_even_where_not_all_was_judged() {
    let vulnerable = METADATA.replace("5.4", "5.3");
    let source =
        image("scratch", &[("a/PyYAML-5.3.dist-info/METADATA", &vulnerable), ("b/x-1.dist-info/METADATA", "no header\n")]);
    at(&source, "prod").ends_with(3).says("BLOCKED for prod");
    assert!(source.summary().contains("### Not judged"), "{}", source.summary());
}

#[test]
fn a_distribution_whose_name_a_layer_takes_away_is_judged_as_what_the_base_says() {
    let gone = "RUN rm /etc/os-release /usr/lib/os-release /etc/debian_version\n";
    let source = Source::in_git(&[("Dockerfile", &format!("FROM {BASE}\n{gone}"))]);
    decided(&source);
    assert!(source.record()["findings"].as_array().unwrap().iter().any(|finding| finding["id"] == "CVE-2005-2541"));
}

/// Asserts that an image is judged as a whole at prod.
fn decided(source: &Source) -> Ended {
    let ended = at(source, "prod").ends_with(0);
    assert_eq!(unjudged(source), [""; 0], "{ended}");
    ended
}

#[test]
fn an_ordinary_image_is_judged_as_a_whole() {
    let metadata = ("usr/lib/python3/site-packages/PyYAML-5.4.dist-info/METADATA", METADATA);
    let package = r#"{"name": "left-pad", "version": "1.3.0"}"#;
    let node = [
        ("app/package.json", r#"{"private": true}"#),
        ("srv/package.json", r#"{"name": "our-own", "version": "1.0.0"}"#),
        ("app/web/package.json", r#"{"name": "our-own-too"}"#),
        // Packages have parts with a name and no version.
        ("app/node_modules/left-pad/esm/package.json", r#"{"name": "left-pad/esm", "main": "index.js"}"#),
        ("app/node_modules/left-pad/package.json", package),
        ("app/node_modules/resolve/package.json", r#"{"name": "resolve", "version": "1.22.0"}"#),
        // As the package `resolve` brings it along.
        ("app/node_modules/resolve/test/resolver/malformed_package_json/package.json", "{"),
    ];
    let apk = "P:musl\nV:1.2.5-r10\nA:x86_64\nL:MIT\no:musl\n\nP:busybox\nV:1.37.0-r18\nA:x86_64\nL:GPL-2.0-only\no:busybox\n\n";
    let alpine =
        [("etc/os-release", "ID=alpine\nVERSION_ID=3.22.1\n"), ("etc/alpine-release", "3.22.1\n"), ("lib/apk/db/installed", apk)];
    // As Google's distroless images have it: a list a package.
    let distroless = [
        ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
        ("etc/debian_version", "12.11\n"),
        (
            "var/lib/dpkg/status.d/base-files",
            "Package: base-files\nArchitecture: amd64\nVersion: 12.4+deb12u11\nMaintainer: x\n\n",
        ),
        ("var/lib/dpkg/status.d/tzdata", "Package: tzdata\nArchitecture: all\nVersion: 2025b-0+deb12u1\nMaintainer: x\n\n"),
        ("var/lib/dpkg/status.d/tzdata.md5sums", "d41d8cd98f00b204e9800998ecf8427e  usr/share/zoneinfo/UTC\n"),
    ];
    for source in [image(BASE, &[metadata]), image("scratch", &node), image("scratch", &alpine), image("scratch", &distroless)] {
        decided(&source).does_not_say("Not judged");
    }
}

#[test]
fn an_image_without_packages_is_judged_and_said_to_have_none() {
    decided(&image("scratch", &[("app", "static")])).says("holds no packages");
}

#[test]
fn a_trivy_that_leaves_packages_out_is_noticed() {
    let source = image("scratch", &[("a/PyYAML-5.4.dist-info/METADATA", METADATA)]);
    let tools = source.beside("tools");
    for name in ["gitleaks", "syft"] {
        fs::create_dir_all(&tools).unwrap();
        std::os::unix::fs::symlink(tool(name), tools.join(name)).unwrap();
    }
    let forget = "import json, sys; at = sys.argv[sys.argv.index('--output') + 1]; report = json.load(open(at)); \
                  report['Results'] = []; json.dump(report, open(at, 'w'))";
    let real = tool("trivy");
    let text = format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{} \"$@\" || exit\npython3 -c \"{forget}\" \"$@\"\n", real.display());
    script(&tools.join("trivy"), &text);
    assert!(Path::new("/usr/bin/python3").exists() && run(Command::new(&real).arg("--version")).contains("Version"));
    let path = format!("{}:/usr/bin:/bin", tools.display());
    undecided(&source, &at(&source, "prod").path(&path).without_sandbox(), "pypi").says("pyyaml 5.4");
}
