//! What is in a folder counts as ours where it is, what is spoilt is not taken, and what is there stays within its bounds.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use serde_json::json;

use super::*;
use crate::buildkit::blob_folder::BLOBS;
use crate::ownership::{self, Purpose};

struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("caches/prod")
    }

    fn try_open(&self, purpose: Use) -> Result<CacheFolder, String> {
        let inside = |name: &str| vec![self.0.path().join(name)];
        let around = Surroundings { project: inside("source"), outputs: inside("output") };
        CacheFolder::open(&self.path(), &around, purpose)
    }

    fn open(&self, purpose: Use) -> CacheFolder {
        self.try_open(purpose).unwrap()
    }

    /// Writes an entry of one layer, as a builder does, and returns its manifest.
    fn write(&self, name: &str, layer: &[u8]) -> Digest {
        enter(&self.open(Use::Write), name, layer)
    }

    fn index(&self) -> PathBuf {
        self.path().join("index.json")
    }

    fn blobs(&self) -> usize {
        fs::read_dir(self.path().join(BLOBS)).unwrap().count()
    }

    /// As it is once more elsewhere: what an archive or a runner's cache brings back.
    fn restore(&self) -> Self {
        let other = Self::new();
        fs::create_dir_all(other.path().parent().unwrap()).unwrap();
        let copied = Command::new("cp").arg("-a").args([self.path(), other.path()]).status().unwrap();
        assert!(copied.success());
        other
    }
}

fn put(folder: &CacheFolder, content: &[u8]) -> Digest {
    let mut incoming = folder.store(Use::Write).unwrap().intake.unwrap().begin(content.len() as u64).unwrap();
    incoming.write(content).unwrap();
    let digest = Digest::of(content);
    incoming.keep(&digest).unwrap();
    digest
}

fn manifest(layer: &[u8]) -> Vec<u8> {
    let descriptor =
        |kind: &str, content: &[u8]| json!({"mediaType": kind, "digest": Digest::of(content), "size": content.len()});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.buildkit.cacheconfig.v0", b"{}"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    });
    serde_json::to_vec(&manifest).unwrap()
}

fn enter(folder: &CacheFolder, name: &str, layer: &[u8]) -> Digest {
    put(folder, b"{}");
    put(folder, layer);
    let manifest = put(folder, &manifest(layer));
    block_on(folder.enter(name, manifest)).unwrap();
    manifest
}

impl CacheFolder {
    /// What the index says of an entry.
    fn said(&self, name: &str) -> Option<Digest> {
        self.0.there.as_ref()?.entries.get(name).copied()
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

#[test]
fn what_was_entered_is_found_by_its_name_and_is_ours() {
    let scene = Scene::new();
    let (amd, arm) = (scene.write("prod-amd64", b"one"), scene.write("prod-arm64", b"two"));
    let folder = scene.open(Use::Read);
    assert_eq!((folder.said("prod-amd64"), folder.said("prod-arm64")), (Some(amd), Some(arm)));
    assert_eq!((folder.said("prod"), folder.is_own()), (None, true));
    assert_eq!(scene.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let again = scene.write("prod-amd64", b"three");
    assert_eq!(scene.open(Use::Read).said("prod-amd64"), Some(again));
}

#[test]
fn what_was_brought_or_changed_is_read_and_is_not_ours() {
    let scene = Scene::new();
    let one = scene.write("one", b"one");
    let restored = scene.restore();
    assert_eq!((restored.open(Use::Read).said("one"), restored.open(Use::Read).is_own()), (Some(one), false));
    // Nor does writing to it make it ours, and what was there stays.
    restored.write("two", b"two");
    let folder = restored.open(Use::Read);
    assert!(folder.said("one").is_some() && folder.said("two").is_some() && !folder.is_own());

    // Something is restored into a folder that is ours.
    let (other, more) = (Scene::new(), scene.restore());
    other.write("evil", b"evil");
    more.write("evil", b"evil");
    fs::copy(more.index(), other.index()).unwrap();
    fs::copy(other.path().join("oci-layout"), scene.path().join("oci-layout")).unwrap();
    let folder = other.open(Use::Read);
    assert!(folder.said("one").is_some() && !folder.is_own());
    drop(folder);
    // What others have put there is not taken over by the next that is written.
    other.write("two", b"two");
    let folder = other.open(Use::Read);
    assert_eq!((folder.said("one"), folder.said("evil"), folder.is_own()), (None, None, true));
    assert!(folder.said("two").is_some());
}

#[test]
fn an_index_of_ours_that_is_spoilt_says_nothing_and_is_written_anew() {
    let scene = Scene::new();
    for spoilt in [&b""[..], b"{", br#"{"schemaVersion":2,"manifests":[]}"#, &vec![b' '; 5 << 20]] {
        scene.write("one", b"one");
        fs::write(scene.index(), spoilt).unwrap();
        assert_eq!(scene.open(Use::Read).said("one"), None);
        scene.write("two", b"two");
        assert!(scene.open(Use::Read).said("two").is_some());
    }
}

#[test]
fn a_folder_that_is_a_strangers_is_not_used_and_nothing_is_written_there() {
    let refused = |scene: &Scene, word: &str| {
        let found = |purpose| scene.try_open(purpose).unwrap_err();
        for reason in [found(Use::Read), found(Use::Write)] {
            assert!(reason.contains(word), "{reason}");
        }
    };
    let made = || {
        let scene = Scene::new();
        fs::create_dir_all(scene.path()).unwrap();
        fs::set_permissions(scene.path(), fs::Permissions::from_mode(0o700)).unwrap();
        scene
    };
    let full = made();
    fs::write(full.path().join("precious"), "").unwrap();
    refused(&full, "precious");
    let image = made();
    crate::oci::sample::image(&image.path(), &["amd64"], &[vec![("a", b"1".to_vec())]]);
    let before = image.blobs();
    refused(&image, "not that of a build cache");
    fs::remove_file(image.index()).unwrap();
    refused(&image, "no index of a build cache");
    assert_eq!((image.blobs(), fs::read_dir(image.path()).unwrap().count()), (before, 2));
    // gp-deliver's own, and for something else.
    let published = made();
    ownership::mark(&published.path(), Purpose::Output, &[]).unwrap();
    crate::oci::sample::image(&published.path(), &["amd64"], &[vec![("a", b"1".to_vec())]]);
    let before = published.blobs();
    refused(&published, "not that of a build cache");
    assert_eq!((published.blobs(), fs::read_dir(published.path()).unwrap().count()), (before, 3));
    let shared = made();
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o777)).unwrap();
    refused(&shared, "others may write to it");
    let open = Scene::new();
    open.write("one", b"one");
    fs::set_permissions(open.path().join(BLOBS), fs::Permissions::from_mode(0o777)).unwrap();
    refused(&open, "others may write to it");
    let linked = Scene::new();
    fs::create_dir_all(linked.path().parent().unwrap()).unwrap();
    fs::create_dir(linked.0.path().join("elsewhere")).unwrap();
    symlink("../elsewhere", linked.path()).unwrap();
    refused(&linked, "link");
    assert_eq!(fs::read_dir(linked.0.path().join("elsewhere")).unwrap().count(), 0);
    let inside = Scene::new();
    fs::create_dir_all(inside.0.path().join("source")).unwrap();
    symlink("source", inside.path().parent().unwrap()).unwrap();
    refused(&inside, "in the source");
    assert_eq!(fs::read_dir(inside.0.path().join("source")).unwrap().count(), 0);
    let index = Scene::new().restore_linked();
    refused(&index, "link");
}

#[test]
fn a_cache_is_not_where_the_image_or_the_report_goes() {
    let place = tempfile::tempdir().unwrap();
    let at = |path: &str| place.path().join(path);
    for (cache, output) in [("out", "out"), ("out/cache", "out"), ("cache", "cache/out"), ("./new/../out", "new/../out/image")] {
        for purpose in [Use::Read, Use::Write] {
            let around = Surroundings { project: Vec::new(), outputs: vec![at(output)] };
            let refused = CacheFolder::open(&at(cache), &around, purpose).unwrap_err();
            assert!(refused.contains("where the image or the report goes"), "{cache}, {output}: {refused}");
        }
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

impl Scene {
    /// A restored one whose index is a link to what it was.
    fn restore_linked(&self) -> Self {
        self.write("one", b"one");
        let restored = self.restore();
        fs::rename(restored.index(), restored.0.path().join("aside")).unwrap();
        symlink(restored.0.path().join("aside"), restored.index()).unwrap();
        restored
    }
}

#[test]
fn who_reads_changes_nothing() {
    let scene = Scene::new();
    let folder = scene.open(Use::Read);
    assert!(folder.is_own() && folder.store(Use::Read).is_none() && !scene.path().parent().unwrap().exists());
    scene.write("one", b"one");
    let restored = scene.restore();
    fs::remove_file(restored.path().join("in-use.lock")).unwrap();
    let before = fs::read_dir(restored.path()).unwrap().count();
    let folder = restored.open(Use::Read);
    assert!(folder.store(Use::Read).unwrap().intake.is_none());
    assert_eq!(fs::read_dir(restored.path()).unwrap().count(), before);
}

#[test]
fn what_no_entry_names_is_removed_once_nobody_uses_the_folder() {
    let scene = Scene::new();
    let writer = scene.open(Use::Write);
    enter(&writer, "one", b"one");
    enter(&writer, "one", b"another");
    put(&writer, b"nobody's");
    fs::write(scene.path().join(BLOBS).join(".incoming-left"), "x").unwrap();
    fs::write(scene.path().join(".incoming-left"), "x").unwrap();
    let reader = scene.open(Use::Read);
    block_on(writer.leave());
    assert_eq!(scene.blobs(), 7, "a reader is there");
    block_on(reader.leave());
    assert_eq!(scene.blobs(), 3, "a manifest, a configuration and a layer");
    assert!(!scene.path().join(".incoming-left").exists());
    assert!(scene.open(Use::Read).said("one").is_some());
}

#[test]
fn what_was_written_first_goes_first_and_a_disk_without_room_takes_it_all() {
    let scene = Scene::new();
    for number in 0..4_u8 {
        scene.write(&number.to_string(), &vec![number; 10_000]);
    }
    let left = || {
        let folder = scene.open(Use::Read);
        (0..4).filter(|number| folder.said(&number.to_string()).is_some()).collect::<Vec<_>>()
    };
    let make = |most: u64, has_room: bool| {
        let folder = scene.open(Use::Write);
        let there = folder.0.there.as_ref().unwrap();
        there.in_use.leave();
        room::within(&there.place, &there.blobs, most, |_| has_room).unwrap();
    };
    make(50_000, true);
    assert_eq!(left(), [0, 1, 2, 3]);
    make(22_000, true);
    assert_eq!((left(), scene.blobs()), (vec![2, 3], 5));
    make(50_000, false);
    assert_eq!((left(), scene.blobs()), (vec![], 0));
}

#[test]
fn an_entry_of_which_something_is_missing_is_not_made() {
    let scene = Scene::new();
    let one = scene.write("one", b"one");
    let folder = scene.open(Use::Write);
    let lacking = put(&folder, &manifest(b"never written"));
    let spoilt = put(&folder, &manifest(b"spoilt"));
    fs::write(scene.path().join(BLOBS).join(Digest::of(b"spoilt").hex()), "shorter").unwrap();
    let absent = Digest::of(b"absent");
    let none = put(&folder, b"no manifest");
    for manifest in [lacking, spoilt, absent, none] {
        assert!(block_on(folder.enter("one", manifest)).is_err(), "{manifest}");
    }
    assert_eq!(scene.open(Use::Read).said("one"), Some(one));
}

#[test]
fn of_an_entry_that_is_not_whole_nothing_is_taken() {
    let scene = Scene::new();
    let one = scene.write("one", b"one");
    let found = || block_on(scene.open(Use::Read).entry("one"));
    assert_eq!((found(), block_on(scene.open(Use::Read).entry("two"))), (Ok(Some(one)), Ok(None)));
    let layer = scene.path().join(BLOBS).join(Digest::of(b"one").hex());
    let spoilt = |reason: &str| assert!(found().is_err_and(|why| why.contains(reason)), "{:?}", found());
    fs::write(&layer, "One").unwrap();
    spoilt("what is named");
    fs::write(&layer, "one").unwrap();
    fs::set_permissions(&layer, fs::Permissions::from_mode(0o666)).unwrap();
    spoilt("others may write to it");
    fs::rename(&layer, scene.path().join("../aside")).unwrap();
    spoilt("is not there");
    symlink(scene.path().join("../aside"), &layer).unwrap();
    spoilt("it is a link");
    fs::remove_file(&layer).unwrap();
    // Nothing of it is hashed, which would take a while.
    fs::File::create(&layer).unwrap().set_len(MAX_BYTES).unwrap();
    spoilt("10000000000 bytes, and 3 are expected");
    fs::File::create(&layer).unwrap().set_len(MAX_BYTES + 1).unwrap();
    spoilt("it has more than 10000000000 bytes");
    scene.write("one", b"one");
    assert_eq!(found(), Ok(Some(one)));
    fs::write(scene.path().join(BLOBS).join(one.hex()), "{}").unwrap();
    spoilt("what is named");
}

#[test]
fn an_entry_that_names_more_than_a_folder_holds_is_not_taken() {
    let scene = Scene::new();
    let folder = scene.open(Use::Write);
    let one = put(&folder, b"one");
    let part = |size: u64| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": one, "size": size});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": part(3), "layers": [part(MAX_BYTES / 2), part(MAX_BYTES / 2)],
    });
    let manifest = put(&folder, &serde_json::to_vec(&manifest).unwrap());
    let refused = block_on(folder.enter("one", manifest)).unwrap_err().to_string();
    assert!(refused.contains("a folder holds 10.0 GB at most"), "{refused}");
}

#[test]
fn an_entry_of_thousands_of_blobs_takes_up_no_descriptors() {
    let scene = Scene::new();
    let folder = scene.open(Use::Write);
    let part = |content: &[u8]| {
        let digest = put(&folder, content);
        json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": content.len()})
    };
    let layers: Vec<_> = (0..2000_u32).map(|number| part(&number.to_be_bytes())).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": part(b"{}"), "layers": layers,
    });
    let manifest = put(&folder, &serde_json::to_vec(&manifest).unwrap());
    block_on(folder.enter("many", manifest)).unwrap();
    let folder = scene.open(Use::Read);
    assert_eq!(block_on(folder.entry("many")), Ok(Some(manifest)));
    let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
    let blobs = scene.path().join(BLOBS);
    assert_eq!(open.filter(|path| path.starts_with(&blobs) && *path != blobs).count(), 0);
}

#[test]
fn a_blob_that_has_changed_since_it_was_hashed_is_not_read() {
    let scene = Scene::new();
    scene.write("one", b"one");
    let (folder, digest) = (scene.open(Use::Read), Digest::of(b"one"));
    block_on(folder.entry("one")).unwrap();
    let blobs = folder.store(Use::Read).unwrap().blobs;
    assert_eq!(block_on(blobs.blob(digest)).unwrap().unwrap().size, 3);
    let place = scene.path().join(BLOBS).join(digest.hex());
    fs::write(scene.path().join("aside"), "two").unwrap();
    fs::rename(scene.path().join("aside"), place).unwrap();
    let refused = block_on(blobs.blob(digest)).unwrap_err();
    assert!(refused.contains("has changed since"), "{refused}");
}

#[test]
fn what_an_index_says_of_blobs_that_are_not_there_takes_no_room_from_what_is() {
    let scene = Scene::new();
    scene.write("one", b"one");
    let restored = scene.restore();
    let folder = restored.open(Use::Write);
    let part =
        json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": Digest::of(b"never"), "size": MAX_BYTES - 1});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": part, "layers": [],
    });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let (digest, size) = (put(&folder, &manifest), manifest.len());
    let mut index: serde_json::Value = serde_json::from_slice(&fs::read(restored.index()).unwrap()).unwrap();
    let entry = |name: &str| {
        let mut entry = index["manifests"][0].clone();
        (entry["digest"], entry["size"]) = (digest.to_string().into(), size.into());
        entry["annotations"]["org.opencontainers.image.ref.name"] = name.into();
        entry
    };
    // One name that no tag has, and more of one manifest than there may be entries.
    let many: Vec<_> = (0..1500).map(|number| entry(&number.to_string())).chain([entry(&"n".repeat(200))]).collect();
    let own = index["manifests"][0].clone();
    index["manifests"] = many.into_iter().chain([own]).collect();
    fs::write(restored.index(), serde_json::to_vec(&index).unwrap()).unwrap();
    drop(folder);
    let folder = restored.open(Use::Write);
    assert!(folder.said("1499").is_some() && folder.said("2").is_none() && folder.said(&"n".repeat(200)).is_none());
    block_on(folder.leave());
    let folder = restored.open(Use::Read);
    assert_eq!((folder.said("1499"), folder.said("one").is_some(), restored.blobs()), (None, true, 3));
}

#[test]
fn files_go_from_a_disk_on_which_nothing_can_be_written() {
    let scene = Scene::new();
    scene.write("one", b"one");
    let folder = scene.open(Use::Write);
    let there = folder.0.there.as_ref().unwrap();
    there.in_use.leave();
    // What stands in the way of the new index, as a disk that is full would.
    fs::remove_file(scene.index()).unwrap();
    fs::create_dir_all(scene.index().join("in-the-way")).unwrap();
    let _ = room::within(&there.place, &there.blobs, MAX_BYTES, |_| false);
    assert_eq!(scene.blobs(), 0);
    assert!(!fs::read_dir(scene.path()).unwrap().any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(".inc")));
}

#[test]
fn a_folder_in_the_place_of_a_blob_goes_aside() {
    let scene = Scene::new();
    scene.write("one", b"one");
    let place = scene.path().join(BLOBS).join(Digest::of(b"one").hex());
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    scene.write("one", b"one");
    assert_eq!(fs::read(&place).unwrap(), b"one");
}

#[test]
fn a_folder_that_is_being_tidied_is_not_used() {
    let scene = Scene::new();
    scene.write("one", b"one");
    let root = crate::beneath::Root::open(scene.path()).unwrap();
    let held = lock::alone(&root).unwrap();
    assert!(scene.try_open(Use::Read).unwrap_err().contains("in-use.lock"));
    drop(held);
    assert!(scene.open(Use::Read).said("one").is_some());
}

#[test]
fn a_build_does_not_wait_for_an_index_that_another_holds() {
    let scene = Scene::new();
    let one = scene.write("one", b"one");
    let held = fs::File::open(scene.path().join("index.lock")).unwrap();
    held.lock().unwrap();
    let folder = scene.open(Use::Write);
    assert_eq!(block_on(folder.entry("one")), Ok(Some(one)));
}

#[test]
fn what_is_entered_at_once_is_all_there() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        for number in 0..8_u8 {
            let scene = &scene;
            scope.spawn(move || {
                let folder = scene.open(Use::Write);
                enter(&folder, &number.to_string(), &[number]);
                block_on(folder.leave());
            });
        }
    });
    let folder = scene.open(Use::Read);
    assert!((0..8).all(|number| folder.said(&number.to_string()).is_some()) && folder.is_own());
    assert_eq!(scene.blobs(), 17);
}

#[test]
fn no_more_arrives_than_there_is_room_for() {
    let scene = Scene::new();
    let folder = scene.open(Use::Write);
    let root = || &folder.0.there.as_ref().unwrap().place.root;
    let few = Arc::new(Intake::open(root(), 10, 0).unwrap());
    let mut incoming = few.begin(0).unwrap();
    incoming.write(b"12345678").unwrap();
    assert_eq!(incoming.write(b"901").unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    drop(incoming);
    let all = Arc::new(Intake::open(root(), u64::MAX, u64::MAX / 2).unwrap());
    assert_eq!(all.begin(1).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(scene.blobs(), 0, "nothing is left of what did not fit");
}

#[test]
fn a_path_is_that_of_a_folder_and_the_environment_may_be_in_it() {
    let folders: Folders = "/mnt/cache/{env}/images".parse().unwrap();
    assert!(folders.are_apart());
    assert_eq!(folders.of("prod"), Path::new("/mnt/cache/prod/images"));
    assert!(!"cache".parse::<Folders>().unwrap().are_apart());
    assert!("../caches/{env}".parse::<Folders>().is_ok());
    for text in ["", "/", "..", "a/..", "a\0b", "/mnt/{env}/../all", "/mnt/none/../cache"] {
        assert_eq!(text.parse::<Folders>(), Err(()), "{text:?}");
    }
}
