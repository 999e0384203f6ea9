//! A layer that an earlier delivery on this machine has made or read is not made or read again, and whatever becomes of where it
//! is kept, the image is the same.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use doubles::registry::{Options, Registry};
use serde_json::Value;

use crate::support::{Delivery, Engine, Layout, Source, engines, job};

/// More than is held in memory of an engine's archive.
const SIZE: usize = 9 << 19;
/// What is left of it at least when it is compressed.
const PACKED: u64 = 1 << 20;

/// Content that nobody else has, and that is quickly looked through.
fn noise(seed: u64) -> String {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::from(state.to_le_bytes()[3] % 4)
    };
    // Of a size of its own: an engine's archive may not say more of a layer.
    (0..SIZE + usize::try_from(seed).unwrap() * 1024)
        .map(|at| if at % 64 == 63 { '\n' } else { ['a', 'b', 'c', 'd'][next()] })
        .collect()
}

/// Two layers that are worth keeping, and a small one.
fn source() -> Source {
    let dockerfile = "FROM scratch\nCOPY one /one\nCOPY two /two\nCOPY small /small\n";
    let source = Source::in_git(&[("Dockerfile", dockerfile), (".dockerignore", ".git\n"), ("small", "1\n")]);
    source.write("one", &noise(7));
    source.write("two", &noise(11));
    source.commit("layers");
    source
}

/// A delivery to a folder of its own.
fn delivery(source: &Source, engine: &Engine, name: &str) -> (Delivery, Layout) {
    let folder = source.beside(name);
    let delivery = source.deliver().on(engine).flag("--destination", &format!("oci:{}", folder.display()));
    (delivery.flag("--sbom-formats", ""), Layout(folder))
}

/// The layers of an image, and what it has of files.
fn content(image: &Layout) -> (Vec<Value>, Value) {
    (image.manifest()["layers"].as_array().unwrap().clone(), image.config()["rootfs"]["diff_ids"].clone())
}

/// Delivers what is the same image but for its small file.
fn deliver_anew(source: &Source, engine: &Engine, number: u32) -> (Layout, String) {
    source.write("small", &format!("{number}\n"));
    source.commit("small");
    let (delivery, image) = delivery(source, engine, &format!("image{number}"));
    let ended = delivery.ends_with(0);
    (image, ended.stderr)
}

fn store(source: &Source) -> PathBuf {
    source.beside("home/.cache/gp-deliver/layers")
}

/// The files in one of the folders of the store's one namespace.
fn kept(source: &Source, folder: &str) -> Vec<PathBuf> {
    let namespace = fs::read_dir(store(source)).unwrap().next().unwrap().unwrap().path();
    fs::read_dir(namespace.join(folder)).unwrap().map(|file| file.unwrap().path()).collect()
}

#[test]
fn a_layer_that_is_known_is_taken_and_the_image_is_what_it_is_without() {
    for engine in engines() {
        let source = source();
        let (first, before) = delivery(&source, &engine, "image1");
        first.ends_with(0);
        assert!(source.record()["image"]["known"].is_null(), "{}", source.record()["image"]);
        let (after, said) = deliver_anew(&source, &engine, 2);
        let known = source.record()["image"]["known"].clone();
        assert_eq!(known["layers"], 2, "{said}");
        assert!(known["bytes"].as_u64().unwrap() > PACKED && said.contains("2 of them known"), "{known} {said}");
        assert!(source.summary().contains("2 of them known"), "{}", source.summary());
        assert_eq!(content(&before).0[..2], content(&after).0[..2]);
        assert_ne!(content(&before).0[2], content(&after).0[2]);
        assert_eq!(after.files()["two"], noise(11).into_bytes());
        // The same without what is kept, and for an environment that is trusted otherwise.
        let (without, image) = delivery(&source, &engine, "without");
        without.variable("XDG_CACHE_HOME", source.beside("cache").to_str().unwrap()).ends_with(0);
        assert_eq!(content(&image), content(&after));
        let (other, image) = delivery(&source, &engine, "dev");
        other.flag("--environment", "dev").ends_with(0);
        assert!(source.record()["image"]["known"].is_null(), "{}", source.record()["image"]);
        assert_eq!(content(&image), content(&after));
    }
}

#[test]
fn a_store_that_lies_or_was_changed_changes_no_image() {
    for engine in engines() {
        let source = source();
        let (first, before) = delivery(&source, &engine, "image1");
        first.ends_with(0);
        let is_as_before = |number, made_anew: bool| {
            let (after, said) = deliver_anew(&source, &engine, number);
            assert_eq!(content(&before).0[..2], content(&after).0[..2], "{number}");
            assert_eq!((after.files()["one"].clone(), after.files()["two"].clone()), (noise(7).into(), noise(11).into()));
            assert_eq!(said.contains("made anew"), made_anew, "{number}: {said}");
            source.record()["image"]["known"]["layers"].as_u64().unwrap_or_default()
        };
        // One layer is said to be the other's blob, and the other way round.
        let known = kept(&source, "known");
        let [one, two] = &known[..] else { panic!("{known:?}") };
        let [said_of_one, said_of_two] = [one, two].map(|file| fs::read_to_string(file).unwrap());
        let with_diff_id = |said: &str, of: &str| {
            let (mut said, of): (Value, Value) = (serde_json::from_str(said).unwrap(), serde_json::from_str(of).unwrap());
            said["content"]["diff_id"] = of["content"]["diff_id"].clone();
            said.to_string()
        };
        fs::write(one, with_diff_id(&said_of_two, &said_of_one)).unwrap();
        fs::write(two, with_diff_id(&said_of_one, &said_of_two)).unwrap();
        assert_eq!(is_as_before(2, true), 0);
        // A blob is another.
        let changed = kept(&source, "blobs").into_iter().next().unwrap();
        let mut bytes = fs::read(&changed).unwrap();
        bytes[100_000] ^= 1;
        fs::remove_file(&changed).unwrap();
        fs::write(&changed, bytes).unwrap();
        assert_eq!(is_as_before(3, true), 1);
        // And another's file by a link.
        let linked = kept(&source, "blobs").into_iter().next().unwrap();
        fs::rename(&linked, source.beside("aside")).unwrap();
        symlink(source.beside("aside"), &linked).unwrap();
        assert_eq!(is_as_before(4, false), 1);
        // Made anew, they are known again.
        assert_eq!(is_as_before(5, false), 2);
    }
}

#[test]
fn a_store_that_is_somebody_elses_is_left_alone_and_ends_nothing() {
    let engine = engines().into_iter().next().unwrap();
    let source = source();
    fs::create_dir_all(store(&source)).unwrap();
    fs::write(store(&source).join("a"), "theirs").unwrap();
    let (first, before) = delivery(&source, &engine, "image1");
    first.ends_with(0).says("layers are not kept for the next delivery").says("is not gp-deliver's own");
    let (after, _) = deliver_anew(&source, &engine, 2);
    assert_eq!(content(&before).0[..2], content(&after).0[..2]);
    assert!(source.record()["image"]["known"].is_null());
    assert_eq!(fs::read_dir(store(&source)).unwrap().count(), 1);
    // On a machine that is thrown away nothing is kept.
    fs::remove_dir_all(store(&source)).unwrap();
    let thrown_away = job::in_job(&source, Vec::new()).on(&engine).variable("RUNNER_ENVIRONMENT", "github-hosted");
    thrown_away.flag("--environment", "dev").flag("--secrets-history", "none").ends_with(0).does_not_say("layers are not kept");
    assert!(!store(&source).exists());
}

#[test]
fn what_another_machine_has_compressed_is_the_same_blob_and_is_not_sent_again() {
    let registry = Registry::start(Options::default());
    for (number, engine) in engines().into_iter().enumerate() {
        let source = source();
        let name = format!("{}/app{number}", registry.address);
        let deliver = |machine: &str| {
            let delivery = source.deliver().on(&engine).flag("--destination", &name).flag("--sbom-formats", "");
            delivery.variable("XDG_CACHE_HOME", source.beside(machine).to_str().unwrap()).ends_with(0);
            source.record()
        };
        deliver("one");
        source.write("small", "2\n");
        source.commit("small");
        let record = deliver("two");
        assert!(record["image"]["known"].is_null(), "{}", record["image"]);
        // A configuration and a small layer.
        let sent = &record["publication"];
        assert_eq!((&sent["blobs_sent"], &sent["blobs_present"]), (&2.into(), &2.into()), "{sent}");
        assert!(sent["bytes_sent"].as_u64().unwrap() < PACKED, "{sent}");
    }
}
