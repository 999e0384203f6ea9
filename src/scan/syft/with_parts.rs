//! The SBOM files name the image and what is in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Format, Listings, Request, Sbom};
use crate::oci::sample::{self, File, debian, image, pyyaml};
use crate::oci::{Digest, Image, Layout};
use crate::process::Launcher;
use crate::process::testing::{launcher, launcher_in};
use crate::scan::Error;
use crate::scan::packages::{Package, Packages};
use crate::scanner::Tool;

const NAME: &str = "registry.example.com/team/app";

async fn list(launcher: &Launcher, image: &Image, formats: &[Format], folder: &Path) -> Result<Sbom, Error> {
    let (platform, deadline) = (&image.platforms[0], Duration::from_mins(5));
    let request = Request { image, platform, name: NAME, formats, folder, deadline, listings: None };
    super::list(launcher, &request).await
}

/// Where what syft has listed is kept.
struct Cache(tempfile::TempDir);

impl Cache {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn listings(&self, launcher: &Launcher, said: [&str; 2], image: &Image) -> Listings {
        Listings::within(self.0.path(), launcher, said, &image.platforms[0]).unwrap()
    }

    /// Lists an image, and gives both files.
    async fn list(&self, launcher: &Launcher, image: &Image) -> Result<(Sbom, [Value; 2]), Error> {
        let (folder, deadline) = (tempfile::tempdir().unwrap(), Duration::from_mins(5));
        let listings = self.listings(launcher, ["namespace", NAME], image);
        let (platform, listings) = (&image.platforms[0], Some(&listings));
        let request = Request { image, platform, name: NAME, formats: &Format::ALL, folder: folder.path(), deadline, listings };
        let sbom = super::list(launcher, &request).await?;
        let files = ["linux-amd64.spdx.json", "linux-amd64.cdx.json"].map(|name| read(&folder.path().join(name)));
        Ok((sbom, files))
    }

    fn file(&self) -> PathBuf {
        let files: Vec<_> = fs::read_dir(self.0.path().join("listings")).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap()
    }

    /// Puts something else in the place of what is kept, with the digest that goes with it.
    fn forge(&self, change: impl Fn(&str) -> String) {
        let kept = fs::read(self.file()).unwrap();
        let forged = change(std::str::from_utf8(&kept[32..]).unwrap()).into_bytes();
        fs::write(self.file(), [&Digest::of(&forged).bytes()[..], &forged].concat()).unwrap();
    }
}

/// The same image with labels, each a name and a value.
fn labelled(at: &Path, layers: &[Vec<File>], labels: &[(&str, &str)]) -> Image {
    let labels: BTreeMap<_, _> = labels.iter().copied().collect();
    sample::with_config(at, layers, &json!({ "Labels": labels, "Env": ["A=1"] }))
}

/// Files without what no two of them share.
fn without_names([mut spdx, mut cyclonedx]: [Value; 2]) -> [Value; 2] {
    // The last is syft's own digest of all that it says of the image (`source.Description`).
    let of_cyclonedx = ["/serialNumber", "/metadata/timestamp", "/metadata/component/bom-ref"];
    let of_spdx = ["/documentNamespace", "/creationInfo/created"];
    let take = |document: &mut Value, place: &&str| assert!(document.pointer_mut(place).unwrap().take().is_string(), "{place}");
    of_spdx.iter().for_each(|place| take(&mut spdx, place));
    of_cyclonedx.iter().for_each(|place| take(&mut cyclonedx, place));
    [spdx, cyclonedx]
}

#[tokio::test]
async fn what_was_listed_of_the_same_layers_says_of_another_image_what_syft_says_of_it() {
    let (world, cache, layers) = (tempfile::tempdir().unwrap(), Cache::new(), [debian("12"), pyyaml()]);
    let first = labelled(&world.path().join("first"), &layers, &[("revision", "1"), ("gone", "x")]);
    let (listed, files) = cache.list(&launcher(), &first).await.unwrap();
    for labels in [&[("revision", "2"), ("<new>", "\u{e9}\"")][..], &[]] {
        let second = labelled(&world.path().join(labels.len().to_string()), &layers, labels);
        let mut lost = second.clone();
        lost.layout = Layout::create(world.path().join(format!("lost{}", labels.len()))).unwrap();
        let (again, told) = cache.list(&launcher(), &lost).await.unwrap();
        let (anew, by_syft) = Cache::new().list(&launcher(), &second).await.unwrap();
        assert_eq!((&again.list, again.packages, &again.files), (&anew.list, listed.packages, &listed.files));
        for (place, document) in [("/documentNamespace", 0), ("/serialNumber", 1)] {
            let name = |files: &[Value; 2]| files[document].pointer(place).unwrap().as_str().unwrap().len();
            assert_ne!(told[document].pointer(place), files[document].pointer(place));
            assert_eq!(name(&told), name(&by_syft));
        }
        assert_eq!(without_names(told), without_names(by_syft));
    }
}

#[tokio::test]
async fn an_image_of_other_layers_settings_or_names_is_listed_for_itself() {
    let (world, cache, layers) = (tempfile::tempdir().unwrap(), Cache::new(), [debian("12"), pyyaml()]);
    let at = |name: &str| world.path().join(name);
    let image = labelled(&at("image"), &layers, &[]);
    let of = |image: &Image| cache.listings(&launcher(), ["namespace", NAME], image);
    assert_eq!(of(&image), of(&labelled(&at("labelled"), &layers, &[("a", "b")])));
    assert_ne!(of(&image), of(&labelled(&at("fewer"), &layers[..1], &[])));
    assert_ne!(of(&image), of(&sample::with_config(&at("set"), &layers, &json!({ "Env": ["A=2"] }))));
    for said in [["namespace", "another"], ["another", NAME]] {
        assert_ne!(of(&image), cache.listings(&launcher(), said, &image));
    }
    // The same blobs, under the diff ids of one another.
    let mut swapped = image.clone();
    let layers = &mut swapped.platforms[0].layers;
    (layers[0].diff_id, layers[1].diff_id) = (layers[1].diff_id, layers[0].diff_id);
    assert_ne!(of(&image), of(&swapped));
}

#[tokio::test]
async fn what_is_kept_of_a_listing_counts_for_nothing_where_it_is_not_what_syft_writes() {
    let (world, cache) = (tempfile::tempdir().unwrap(), Cache::new());
    let image = labelled(&world.path().join("image"), &[debian("12"), pyyaml()], &[]);
    let (first, files) = cache.list(&launcher(), &image).await.unwrap();
    let whole = fs::read(cache.file()).unwrap();
    for broken in [&whole[..whole.len() / 2], &[&whole[..40], b"x", &whole[41..]].concat(), b""] {
        fs::write(cache.file(), broken).unwrap();
        assert_eq!(cache.list(&launcher(), &image).await.unwrap().0, first);
    }
    let forgeries: [fn(&str) -> String; 6] = [
        |_| String::new(),
        |kept| kept.lines().take(2).collect::<Vec<_>>().join("\n"),
        |kept| kept.replacen("SPDX-2.3", "SPDX-2.2", 1),
        |kept| kept.replacen("documentNamespace", "documentName", 1),
        |kept| kept.replacen("urn:uuid", "\",\"serialNumber\":\"urn:uuid", 1),
        |kept| format!("{kept}}}"),
    ];
    for forge in forgeries {
        cache.forge(forge);
        let (again, told) = cache.list(&launcher(), &image).await.unwrap();
        assert_eq!((again, without_names(told)), (first.clone(), without_names(files.clone())));
    }
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
