//! trivy's findings in the image, and no clean image where trivy did not look.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ignore::Lists;
use super::{Analyses, Request, Vulnerabilities};
use crate::coverage::GapKind;
use crate::diagnosis::Diagnosis;
use crate::finding::{Severity, Standing, Suppression};
use crate::oci::registry::Store;
use crate::oci::sample::{self, debian, image, jar, pyyaml};
use crate::oci::{Digest, Image};
use crate::process::testing::{launcher, launcher_in};
use crate::scan::Error;
use crate::scan::database::with_parts::databases;
use crate::scan::database::{self, GRACE, Kind};
use crate::scan::packages::{Package, Packages};
use crate::scanner::Tool;

/// A folder with everything that a scan takes.
struct World {
    folder: tempfile::TempDir,
    /// Whether layers that were read before count.
    analyses: bool,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), analyses: false };
        fs::create_dir(world.path("project")).unwrap();
        databases(world.folder.path());
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn analyses(&self) -> Analyses {
        Analyses::in_folder(&self.folder.path().join("home"))
    }

    /// The file in which they are kept.
    fn kept(&self) -> PathBuf {
        self.path("home/analyses/test")
    }

    async fn database(&self, kind: Kind, folder: &str) -> Result<PathBuf, Error> {
        let mirrors = [format!("oci:{}", self.path(folder).display()).parse().unwrap()];
        let (cache, credentials) = (self.path("cache"), Store::at(self.path("config.json")));
        let keys = database::Keys::of(&credentials);
        let request = database::Request { kind, mirrors: &mirrors, cache: &cache, keys, max_age: None, grace: GRACE };
        Ok(database::fetch(&request, &|_| {}).await?.folder)
    }

    async fn scan_with(&self, path: Option<OsString>, image: &Image, platform: usize) -> Result<Vulnerabilities, Error> {
        let launcher = path.map_or_else(launcher, |path| launcher_in(&path));
        let database = self.database(Kind::Vulnerabilities, "trivy-db").await.unwrap();
        let (ignored, deadline) = (Lists::read(&self.path("project"), &[])?, Duration::from_mins(5));
        let platform = &image.platforms[platform];
        let analyses = self.analyses.then(|| self.analyses());
        let analyses = analyses.as_ref();
        let request = Request { image, platform, database: &database, ignored: &ignored, deadline, keep: true, analyses };
        let result = super::scan(&launcher, &request, async || self.database(Kind::Java, "trivy-java-db").await).await;
        if let Err(error) = &result {
            let Diagnosis { what, why, remedy, .. } = error.into();
            assert!([&what, &why, &remedy].iter().all(|text| !text.is_empty()), "{what} {why} {remedy}");
        }
        result
    }

    async fn scan(&self, layers: &[Vec<sample::File>]) -> Result<Vulnerabilities, Error> {
        let image = image(&self.path("image"), &["amd64"], layers);
        let result = self.scan_with(None, &image, 0).await;
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().flatten().filter(|entry| is_hidden(&entry.path())).count(), 0);
        result
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with('.')
}

#[tokio::test]
async fn a_vulnerable_package_is_found_in_the_layer_that_brought_it() {
    let world = World::new();
    let image = image(&world.path("image"), &["amd64", "arm64"], &[debian("12"), pyyaml()]);
    let found = world.scan_with(None, &image, 1).await.unwrap();
    let [worst, mildest] = found.findings.as_slice() else { panic!("{found:?}") };
    assert_eq!((worst.id.as_str(), worst.severity, worst.package.as_str()), ("CVE-2020-14343", Severity::Critical, "PyYAML"));
    assert_eq!((worst.installed.as_str(), worst.fixed.as_deref()), ("5.3", Some("5.4")));
    assert_eq!(worst.target, "app/PyYAML-5.3.dist-info/METADATA");
    assert_eq!(worst.layer, Some(image.platforms[1].layers[1].diff_id));
    assert_eq!(worst.platform.to_string(), "linux/arm64");
    assert!(worst.title.contains("yaml.load") && worst.url.is_some());
    assert_eq!((mildest.id.as_str(), mildest.fixed.as_deref(), mildest.target.as_str()), ("CVE-2005-2541", None, "debian 12.1"));
    assert_eq!(mildest.layer, Some(image.platforms[1].layers[0].diff_id));
    assert_eq!((found.packages, found.suppressions.len(), found.warnings.len()), (2, 0, 0));
}

#[tokio::test]
async fn a_jar_is_named_by_the_java_database() {
    let world = World::new();
    let found = world.scan(&[debian("12"), pyyaml(), jar()]).await.unwrap();
    assert_eq!(found.findings.iter().filter(|found| found.id == "CVE-2021-44228").count(), 1, "{found:?}");
    let without = World::new();
    fs::remove_dir_all(without.path("trivy-java-db")).unwrap();
    let error = without.scan(&[debian("12"), jar()]).await.unwrap_err();
    assert!(matches!(error, Error::Database { kind: Kind::Java, .. }), "{error:?}");
    without.scan(&[debian("12")]).await.unwrap();
}

#[tokio::test]
async fn what_the_project_ignores_is_counted_with_its_reason() {
    let world = World::new();
    let suppression = |by: &str, reason: Option<&str>| Suppression {
        tool: Tool::TRIVY,
        by: by.to_owned(),
        id: "CVE-2020-14343".to_owned(),
        reason: reason.map(str::to_owned),
        count: 1,
        standing: Standing::Known,
        set_in: None,
        expires: None,
    };
    fs::write(world.path("project/.trivyignore"), "# known\nCVE-2020-14343\nCVE-1999-0001\n").unwrap();
    let found = world.scan(&[pyyaml()]).await.unwrap();
    assert_eq!((found.findings.len(), found.suppressions), (0, vec![suppression(".trivyignore", None)]));

    let yaml = "vulnerabilities:\n  - id: CVE-2020-14343\n    statement: yaml.load is not called\n";
    fs::write(world.path("project/.trivyignore.yaml"), yaml).unwrap();
    let found = world.scan(&[pyyaml()]).await.unwrap();
    assert_eq!(found.suppressions, [suppression(".trivyignore.yaml", Some("yaml.load is not called"))]);

    fs::write(world.path("project/.trivyignore.yaml"), format!("{yaml}    expired_at: 2020-01-01\n")).unwrap();
    let found = world.scan(&[pyyaml()]).await.unwrap();
    assert_eq!((found.findings.len(), found.suppressions.len()), (1, 0), "an entry that has expired hides nothing");

    fs::write(world.path("project/.trivyignore.yaml"), "vulnerabilities: [").unwrap();
    let error = world.scan(&[pyyaml()]).await.unwrap_err();
    assert!(matches!(error, Error::IgnoreFile { .. }), "{error:?}");
}

fn names(found: &Vulnerabilities) -> Vec<(&str, GapKind)> {
    found.gaps.iter().map(|gap| (gap.name.as_str(), gap.kind)).collect()
}

/// An image of a distribution with another file at a path, or without it.
fn debian_with(path: &'static str, content: Option<&str>) -> Vec<sample::File> {
    let mut files = debian("12");
    files.retain(|(name, _)| *name != path);
    files.extend(content.map(|content| (path, content.as_bytes().to_vec())));
    files
}

#[tokio::test]
async fn a_distribution_without_current_advisories_is_not_judged() {
    let world = World::new();
    let found = world.scan(&[debian("8")]).await.unwrap();
    assert_eq!(names(&found), [("debian 8.1", GapKind::Distribution)]);
    assert!(found.gaps[0].why.contains("no longer gets security updates"), "{found:?}");
    let found = world.scan(&[debian("99")]).await.unwrap();
    assert_eq!(names(&found), [("debian 99.1", GapKind::Distribution)], "{found:?}");
    let world = World::new();
    assert_eq!(names(&world.scan(&[debian("12"), pyyaml()]).await.unwrap()), []);
    let found = world.scan(&[vec![("app", b"static".to_vec())]]).await.unwrap();
    assert_eq!((names(&found), found.packages), (vec![], 0), "there is no distribution");
}

#[tokio::test]
async fn a_distribution_that_another_file_names_is_not_judged() {
    let world = World::new();
    let release = |id: &str, version: &str| format!("ID={id}\nVERSION_ID=\"{version}\"\n");
    // Later layers: whoever adds one has trivy look the packages up elsewhere, or nowhere.
    for (id, version) in [("alpine", "3.22"), ("fedora", "42"), ("wolfi", "20230201")] {
        let changed = vec![("etc/os-release", release(id, version).into_bytes())];
        let found = world.scan(&[debian("12"), changed]).await.unwrap();
        assert_eq!(names(&found), [(&*format!("{id} {version}"), GapKind::Distribution)], "{found:?}");
    }
    // No file names it any more.
    let mut nameless = debian_with("etc/os-release", None);
    nameless.retain(|(name, _)| *name != "etc/debian_version");
    let found = world.scan(&[nameless]).await.unwrap();
    assert_eq!(names(&found), [("unknown distribution", GapKind::Distribution)], "{found:?}");
    assert!(found.warnings.is_empty(), "{found:?}");
    // Its list is gone.
    let found = world.scan(&[debian_with("var/lib/dpkg/status", None)]).await.unwrap();
    assert_eq!(names(&found), [("debian 12.1", GapKind::Distribution)], "{found:?}");
}

#[tokio::test]
async fn a_list_of_packages_that_trivy_can_not_read_is_a_gap() {
    let world = World::new();
    let status = String::from_utf8(debian("12").swap_remove(2).1).unwrap();
    let broken = debian_with("var/lib/dpkg/status", Some(&format!("Package: broken\nno colon\n\n{status}")));
    let metadata = b"no header\nMetadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n".to_vec();
    let others = vec![
        ("opt/a.jar", b"no archive".to_vec()),
        ("app/PyYAML-5.3.dist-info/METADATA", metadata),
        ("app/node_modules/broken/package.json", b"{".to_vec()),
        // What packages bring along to test with is no list of what is installed.
        ("app/node_modules/resolve/test/broken/package.json", b"{".to_vec()),
    ];
    let found = world.scan(&[broken, others]).await.unwrap();
    let expected =
        ["app/PyYAML-5.3.dist-info/METADATA", "app/node_modules/broken/package.json", "opt/a.jar", "var/lib/dpkg/status"];
    assert_eq!(names(&found), expected.map(|name| (name, GapKind::List)), "{found:?}");
    assert!(found.warnings.iter().any(|warning| warning.contains("resolve/test")), "{found:?}");
    assert!(world.scan(&[debian("12"), pyyaml()]).await.unwrap().warnings.is_empty());
}

#[tokio::test]
async fn a_database_of_rpm_that_can_not_be_read_is_a_gap() {
    let world = World::new();
    let release = "NAME=\"Rocky Linux\"\nID=\"rocky\"\nVERSION_ID=\"9.3\"\n";
    let database = [b"SQLite format 3\0".to_vec(), vec![7; 40_000]].concat();
    let found = world
        .scan(&[vec![
            ("etc/os-release", release.as_bytes().to_vec()),
            ("etc/rocky-release", b"Rocky Linux release 9.3 (Blue Onyx)\n".to_vec()),
            ("var/lib/rpm/rpmdb.sqlite", database),
        ]])
        .await
        .unwrap();
    assert_eq!(names(&found), [("rpm", GapKind::List)], "{found:?}");
}

#[tokio::test]
async fn a_trivy_that_is_broken_is_never_a_clean_image() {
    let world = World::new();
    let image = image(&world.path("image"), &["amd64"], &[pyyaml()]);
    let (other, tools) = (World::new(), tempfile::tempdir().unwrap());
    let other_image = sample::image(&other.path("image"), &["amd64"], &[debian("12")]);
    let config = |image: &Image| image.platforms[0].config_descriptor.digest().to_string();
    let report = r#"while [ $# -gt 0 ]; do if [ "$1" = --output ]; then report=$2; fi; shift; done"#;
    for text in [
        "exit 0".to_owned(),
        "exit 1".to_owned(),
        "echo rubbish > $report".to_owned(),
        "echo '{}' > $report".to_owned(),
        r#"echo '{"SchemaVersion":2,"Metadata":{},"Results":[]}' > $report"#.to_owned(),
        format!(r#"echo '{{"SchemaVersion":2,"Metadata":{{"ImageID":"{}"}}}}' > $report"#, config(&image)),
        format!(r#"echo '{{"SchemaVersion":2,"Metadata":{{"ImageID":"{}"}}}}' > $report"#, config(&other_image)),
        "ln -s /etc/passwd $report".to_owned(),
    ] {
        let path = tools.path().join("trivy");
        fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{report}\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let error = world.scan_with(Some(tools.path().into()), &image, 0).await.unwrap_err();
        let expected = matches!(&error, Error::InvalidOutput { tool, .. } | Error::Failed { tool, .. } if *tool == Tool::TRIVY);
        assert!(expected, "{text}: {error:?}");
    }
}

#[tokio::test]
async fn an_image_whose_layer_is_damaged_is_not_clean() {
    let world = World::new();
    let image = image(&world.path("image"), &["amd64"], &[pyyaml()]);
    let layer = image.layout.blob(&image.platforms[0].layers[0].descriptor.digest().to_string().parse().unwrap());
    fs::write(layer, b"damaged").unwrap();
    let error = world.scan_with(None, &image, 0).await.unwrap_err();
    assert!(matches!(error, Error::Failed { tool, .. } if tool == Tool::TRIVY), "{error:?}");
}

/// The same image once more, with a layer that can't be read any more.
fn spoil(image: &Image, layer: usize) {
    let digest = image.platforms[0].layers[layer].descriptor.digest().to_string().parse().unwrap();
    fs::write(image.layout.blob(&digest), b"damaged").unwrap();
}

#[tokio::test]
async fn a_layer_that_was_read_before_is_not_opened_and_what_is_in_it_is_found_by_what_is_known_now() {
    let world = World { analyses: true, ..World::new() };
    let first = world.scan(&[debian("12"), pyyaml()]).await.unwrap();
    assert_eq!(first.findings.len(), 2);
    let image = image(&world.path("again"), &["amd64"], &[debian("12"), pyyaml(), vec![("new", b"1".to_vec())]]);
    spoil(&image, 0);
    spoil(&image, 1);
    let again = world.scan_with(None, &image, 0).await.unwrap();
    assert_eq!((&again.findings, &again.list), (&first.findings, &first.list));
    // What the project lets through is not part of what was read, nor are the advisories.
    fs::write(world.path("project/.trivyignore"), "CVE-2020-14343\n").unwrap();
    assert_eq!(world.scan_with(None, &image, 0).await.unwrap().findings.len(), 1);
    spoil(&image, 2);
    world.scan_with(None, &image, 0).await.unwrap();
    fs::remove_file(world.kept()).unwrap();
    world.scan_with(None, &image, 0).await.unwrap_err();
}

#[tokio::test]
async fn what_trivy_could_not_read_it_is_shown_each_time() {
    let world = World { analyses: true, ..World::new() };
    let broken = vec![("app/PyYAML-5.3.dist-info/METADATA", b"no header\nName: PyYAML\nVersion: 5.3\n".to_vec())];
    for _ in 0..2 {
        let found = world.scan(&[debian("12"), broken.clone()]).await.unwrap();
        assert_eq!(names(&found), [("app/PyYAML-5.3.dist-info/METADATA", GapKind::List)]);
        assert!(!world.kept().exists());
    }
    // By which index jars are named is not part of its key.
    for _ in 0..2 {
        let found = world.scan(&[debian("12"), jar()]).await.unwrap();
        assert!(found.findings.iter().any(|found| found.id == "CVE-2021-44228"), "{found:?}");
        assert!(!world.kept().exists());
    }
}

#[tokio::test]
async fn what_is_kept_of_layers_counts_for_nothing_where_it_was_changed() {
    let world = World { analyses: true, ..World::new() };
    let layers = [debian("12"), pyyaml()];
    let first = world.scan(&layers).await.unwrap();
    let kept = fs::read(world.kept()).unwrap();
    let whole = |bytes: &[u8]| [&Digest::of(bytes).bytes()[..], bytes].concat();
    // Another version of a package, of the same length.
    let position = kept.windows(6).position(|bytes| bytes == b"PyYAML").unwrap();
    let lie = [&kept[..position], b"AyYAML", &kept[position + 6..]].concat();
    let (half, rubbish) = (whole(&kept[32..kept.len() / 2]), whole(&vec![7; 70_000]));
    for changed in [lie, kept[..kept.len() / 2].to_vec(), vec![], half, rubbish] {
        fs::write(world.kept(), &changed).unwrap();
        let found = world.scan(&layers).await.unwrap();
        assert_eq!((&found.findings, &found.list), (&first.findings, &first.list), "{} bytes", changed.len());
    }
    fs::remove_file(world.kept()).unwrap();
    let aside = world.path("aside");
    fs::write(&aside, &kept).unwrap();
    std::os::unix::fs::symlink(&aside, world.kept()).unwrap();
    world.scan(&layers).await.unwrap();
    assert!(!world.kept().is_symlink());
}

/// What trivy comes to that is handed packages by name, each as its URL, name and version.
async fn judged(world: &World, packages: &[(&str, &str, &str)]) -> (Vulnerabilities, Packages) {
    judged_in(world, &[debian("12")], packages).await
}

async fn judged_in(world: &World, layers: &[Vec<sample::File>], packages: &[(&str, &str, &str)]) -> (Vulnerabilities, Packages) {
    let image = image(&world.path("image"), &["amd64"], layers);
    let mut handed = Packages::default();
    for (url, name, version) in packages {
        handed.add(Package::listed(url, name, version, Some("srv/list".to_owned())).unwrap());
    }
    let database = world.database(Kind::Vulnerabilities, "trivy-db").await.unwrap();
    let (ignored, deadline) = (Lists::read(&world.path("project"), &[]).unwrap(), Duration::from_mins(5));
    let (image, platform, database, ignored) = (&image, &image.platforms[0], database.as_path(), &ignored);
    let request = Request { image, platform, database, ignored, deadline, keep: true, analyses: None };
    (super::judge(&launcher(), &request, &handed).await.unwrap(), handed)
}

#[tokio::test]
async fn packages_are_judged_by_name() {
    let world = World::new();
    let log4j = ("pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", "log4j-core", "2.14.1");
    let (found, handed) = judged(&world, &[("pkg:pypi/pyyaml@5.3", "pyyaml", "5.3"), log4j]).await;
    let told: Vec<_> =
        found.findings.iter().map(|found| (found.id.as_str(), found.package.as_str(), found.target.as_str())).collect();
    let log4j = ("CVE-2021-44228", "org.apache.logging.log4j:log4j-core", "srv/list");
    assert_eq!(told, [("CVE-2020-14343", "pyyaml", "srv/list"), log4j]);
    assert_eq!((found.list.refused(&handed), found.gaps, found.warnings), (vec![], vec![], vec![]));
    fs::write(world.path("project/.trivyignore.yaml"), "vulnerabilities:\n  - id: CVE-2020-14343\n").unwrap();
    let (found, _) = judged(&world, &[("pkg:pypi/pyyaml@5.3", "pyyaml", "5.3")]).await;
    assert_eq!((found.findings.len(), found.suppressions.len()), (0, 1), "what the project lets through counts here too");
}

#[tokio::test]
async fn packages_are_judged_by_name_whatever_the_order_of_the_layers() {
    let [one, other] = [debian("12"), vec![("app", b"static".to_vec())]];
    for layers in [[one.clone(), other.clone()], [other, one]] {
        let (found, _) = judged_in(&World::new(), &layers, &[("pkg:pypi/pyyaml@5.3", "pyyaml", "5.3")]).await;
        assert_eq!(found.findings.len(), 1, "{found:?}");
    }
}

#[tokio::test]
async fn a_name_with_anything_in_it_is_judged_or_missed() {
    let world = World::new();
    let packages = [
        ("pkg:pypi/x", "a@1?b=c#d\"\\ \u{202e}", "2@3?e#f"),
        ("pkg:npm/x", "@scope/name", "1.0.0"),
        ("pkg:npm/x", "//", "1.0.0"),
        ("pkg:golang/x", "github.com/Foo/Bar/v2", "v2.0.0+incompatible"),
        ("pkg:gem/x", "x", "1.0.0"),
        ("pkg:swift/x", "github.com/a/b", "1.0.0"),
        ("pkg:conan/x", "zlib", "1.0.0"),
        ("pkg:hex/x", "x", "1.0.0"),
        ("pkg:pub/x", "x", "1.0.0"),
        ("pkg:nuget/x", "A.B", "1.0.0"),
        ("pkg:composer/x", "a/b", "1.0.0"),
        ("pkg:bitnami/x@1", "x", "1.0.0"),
        ("pkg:cargo/x", "x", "1.0.0"),
    ];
    let (found, handed) = judged(&world, &packages).await;
    let missed: Vec<_> = found.list.refused(&handed).into_iter().map(|shortfall| shortfall.name).collect();
    assert_eq!(missed, ["npm // 1.0.0"]);
    assert_eq!(found.list.iter().count(), packages.len() - 1);
}

#[tokio::test]
async fn a_version_that_can_not_be_compared_is_a_gap() {
    let world = World::new();
    let metadata =
        |version: &str| format!("Metadata-Version: 2.1\nName: PyYAML\nVersion: {version}\nLicense: MIT\n").into_bytes();
    let found = world.scan(&[vec![("app/PyYAML-5.3.dist-info/METADATA", metadata("5.3!x"))]]).await.unwrap();
    assert_eq!((names(&found), found.warnings.len()), (vec![("pypi PyYAML 5.3!x", GapKind::Packages)], 0), "{found:?}");
    let (found, _) = judged(&world, &[("pkg:pypi/pyyaml@5.3", "pyyaml", "5.3 \"x\"): y")]).await;
    assert_eq!((found.gaps.len(), found.findings.len()), (1, 0), "{found:?}");
}
