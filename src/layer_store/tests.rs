use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::*;
use crate::oci::dated::Changes;

const NAMESPACE: &str = "namespace";
const COMPRESSIONS: [Compression; 2] = [Compression::Gzip, Compression::Zstd];

/// Content that does not get smaller.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..1 << 20).map(|_| next()).collect()
}

struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    fn store(&self) -> LayerStore {
        let (store, reason) = LayerStore::open(&self.cache(), NAMESPACE);
        assert_eq!(reason, None);
        store
    }

    fn layout(&self, name: &str) -> Layout {
        Layout::create(self.0.path().join(name)).unwrap()
    }

    fn place(&self) -> PathBuf {
        self.cache().join(folder::NAME).join(NAMESPACE)
    }

    /// A delivery of a layer, after which it is known.
    fn deliver(&self, content: &[u8], compression: Compression) -> (Descriptor, Digest) {
        let (packing, layout) = (Packing { compression, known: self.store() }, self.layout("first"));
        let written = packing.write_layer(content, &layout).unwrap();
        packing.known.keep(&layout);
        written
    }

    /// Changes what is said of a layer.
    fn say(&self, key: &Key, entry: &Entry) {
        fs::write(self.place().join(folder::KNOWN).join(key.name()), serde_json::to_string(entry).unwrap()).unwrap();
    }

    /// Whether a later delivery takes the layer, and what it has then.
    fn takes(&self, diff_id: Digest, compression: Compression) -> Option<KnownLayer> {
        let later = self.0.path().join("later");
        if later.exists() {
            fs::remove_dir_all(&later).unwrap();
        }
        let (store, layout) = (self.store(), self.layout("later"));
        let taken = store.layer(diff_id, compression, &layout);
        if let Some(layer) = &taken {
            layout.verify(&layer.descriptor).unwrap();
        } else {
            assert_eq!(fs::read_dir(layout.root().join("blobs/sha256")).unwrap().count(), 0, "nothing of it is in the layout");
        }
        taken
    }
}

#[test]
fn a_layer_that_was_compressed_once_is_taken_as_it_is_and_shares_its_file() {
    for compression in COMPRESSIONS {
        let (scene, content) = (Scene::new(), noise(7));
        let (descriptor, diff_id) = scene.deliver(&content, compression);
        let layer = scene.takes(diff_id, compression).unwrap();
        assert_eq!(layer, KnownLayer { descriptor: descriptor.clone(), diff_id, size: content.len() as u64 });
        let digest = digest_of(&descriptor).unwrap();
        let inode = |layout: &str| scene.layout(layout).blob(&digest).metadata().unwrap().ino();
        assert_eq!(inode("first"), inode("later"));
        let other = COMPRESSIONS.into_iter().find(|other| *other != compression).unwrap();
        assert_eq!(scene.takes(Digest::of(b"other"), compression), None);
        assert_eq!(scene.store().layer(diff_id, other, &scene.layout("other")), None);
        let elsewhere = LayerStore::open(&scene.cache(), "elsewhere").0;
        assert_eq!(elsewhere.layer(diff_id, compression, &scene.layout("other")), None, "another namespace's");
    }
}

#[test]
fn a_blob_that_came_as_it_is_is_known_by_its_digest() {
    let (scene, content) = (Scene::new(), noise(3));
    let (layout, store) = (scene.layout("first"), scene.store());
    let blob = layout.write(MediaType::ImageLayerGzip, &content).unwrap();
    store.note_blob(&blob).unwrap();
    store.keep(&layout);
    let digest = digest_of(&blob).unwrap();
    let later = scene.layout("later");
    let taken = scene.store().blob(MediaType::ImageLayerGzip, digest, blob.size(), &later).unwrap();
    later.verify(&taken).unwrap();
    assert_eq!(scene.store().blob(MediaType::ImageLayerGzip, digest, 1, &later), None);
}

#[test]
fn a_store_that_lies_of_what_a_blob_unpacks_to_gives_nothing() {
    for compression in COMPRESSIONS {
        let (scene, content) = (Scene::new(), noise(11));
        let (descriptor, diff_id) = scene.deliver(&content, compression);
        // A layer that somebody asks for, and another's blob in its place.
        let asked = Digest::of(b"what the builder has built");
        let digest = digest_of(&descriptor).unwrap();
        let entry =
            |diff_id, size| Entry { digest, size: descriptor.size(), content: Some(Content { diff_id, size }), changes: None };
        for lie in
            [entry(asked, content.len() as u64), entry(diff_id, content.len() as u64), Entry { content: None, ..entry(asked, 0) }]
        {
            scene.deliver(&content, compression);
            scene.say(&Key::Content(asked, compression), &lie);
            assert_eq!(scene.takes(asked, compression), None, "{lie:?}");
        }
        // Less or more than there is.
        for size in [0, content.len() as u64 - 1, content.len() as u64 + 1, u64::MAX] {
            scene.deliver(&content, compression);
            scene.say(&Key::Content(diff_id, compression), &entry(diff_id, size));
            assert_eq!(scene.takes(diff_id, compression), None, "{size}");
        }
    }
}

#[test]
fn a_blob_that_was_changed_is_not_taken_and_the_next_delivery_has_it_again() {
    let (scene, content) = (Scene::new(), noise(13));
    let (descriptor, diff_id) = scene.deliver(&content, Compression::Gzip);
    let blob = scene.place().join(folder::BLOBS).join(digest_of(&descriptor).unwrap().hex());
    let changes: [fn(&mut Vec<u8>); 3] = [|bytes| bytes[70_000] ^= 1, |bytes| bytes.truncate(70_000), |bytes| bytes.push(0)];
    for change in changes {
        let mut bytes = fs::read(&blob).unwrap();
        change(&mut bytes);
        fs::remove_file(&blob).unwrap();
        fs::write(&blob, bytes).unwrap();
        let (store, layout) = (scene.store(), scene.layout("refused"));
        assert_eq!(store.layer(diff_id, Compression::Gzip, &layout), None);
        assert_eq!(store.account(), Account { layers: 0, bytes: 0, refused: 1 });
        let made = scene.deliver(&content, Compression::Gzip);
        assert_eq!(made, (descriptor.clone(), diff_id));
        assert!(scene.takes(diff_id, Compression::Gzip).is_some());
    }
}

#[test]
fn a_blob_that_unpacks_to_more_than_any_layer_has_is_given_up_at_what_is_said() {
    let scene = Scene::new();
    let (layout, store) = (scene.layout("first"), scene.store());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        packed.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let mut blob = packed.finish().unwrap();
    blob.extend(noise(1));
    let blob = layout.write(MediaType::ImageLayerGzip, &blob).unwrap();
    store.note_blob(&blob).unwrap();
    store.keep(&layout);
    let asked = Digest::of(&[0; 10]);
    let (digest, size) = (digest_of(&blob).unwrap(), blob.size());
    scene.say(
        &Key::Content(asked, Compression::Gzip),
        &Entry { digest, size, content: Some(Content { diff_id: asked, size: 10 }), changes: None },
    );
    assert_eq!(scene.takes(asked, Compression::Gzip), None);
}

#[test]
fn links_pipes_and_folders_in_the_place_of_a_file_give_nothing_and_hold_nothing_up() {
    let (scene, content) = (Scene::new(), noise(17));
    let (descriptor, diff_id) = scene.deliver(&content, Compression::Gzip);
    let blob = scene.place().join(folder::BLOBS).join(digest_of(&descriptor).unwrap().hex());
    let known = scene.place().join(folder::KNOWN).join(Key::Content(diff_id, Compression::Gzip).name());
    for file in [blob, known] {
        let aside = scene.0.path().join("aside");
        fs::rename(&file, &aside).unwrap();
        symlink(&aside, &file).unwrap();
        assert_eq!(scene.takes(diff_id, Compression::Gzip), None, "a link");
        fs::remove_file(&file).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert_eq!(scene.takes(diff_id, Compression::Gzip), None, "a pipe");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(scene.takes(diff_id, Compression::Gzip), None, "a folder");
        fs::remove_dir(&file).unwrap();
        fs::rename(&aside, &file).unwrap();
        assert!(scene.takes(diff_id, Compression::Gzip).is_some());
    }
}

#[test]
fn a_store_that_is_a_strangers_or_that_others_may_write_to_is_none() {
    let is_refused = |scene: &Scene, word: &str| {
        let (store, reason) = LayerStore::open(&scene.cache(), NAMESPACE);
        assert!(store.is_off() && reason.as_ref().is_some_and(|reason| reason.contains(word)), "{reason:?}");
        // What is delivered meanwhile is delivered, and not kept there.
        let (packing, layout) = (Packing { compression: Compression::Gzip, known: store }, scene.layout("first"));
        let (_, diff_id) = packing.write_layer(&noise(19)[..], &layout).unwrap();
        packing.known.keep(&layout);
        assert_eq!(packing.known.layer(diff_id, Compression::Gzip, &layout), None);
    };
    let foreign = Scene::new();
    fs::create_dir_all(foreign.place()).unwrap();
    is_refused(&foreign, "not gp-deliver's own");

    let linked = Scene::new();
    fs::create_dir_all(linked.cache()).unwrap();
    fs::create_dir(linked.0.path().join("elsewhere")).unwrap();
    symlink("../elsewhere", linked.cache().join(folder::NAME)).unwrap();
    is_refused(&linked, "a link");
    assert_eq!(fs::read_dir(linked.0.path().join("elsewhere")).unwrap().count(), 0);

    let file = Scene::new();
    fs::create_dir_all(file.cache()).unwrap();
    fs::write(file.cache().join(folder::NAME), "").unwrap();
    is_refused(&file, "not a folder");

    for place in ["", "namespace", "namespace/blobs", "namespace/known"] {
        let (shared, linked) = (Scene::new(), Scene::new());
        for scene in [&shared, &linked] {
            scene.store();
        }
        let folder = shared.cache().join(folder::NAME).join(place);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        is_refused(&shared, "others may write to it");
        if !place.is_empty() {
            let folder = linked.cache().join(folder::NAME).join(place);
            let aside = linked.0.path().join("aside");
            fs::rename(&folder, &aside).unwrap();
            symlink(&aside, &folder).unwrap();
            is_refused(&linked, "is a link");
        }
    }
}

#[test]
fn what_can_not_be_kept_is_not_and_ends_nothing() {
    let scene = Scene::new();
    let (packing, layout) = (Packing { compression: Compression::Gzip, known: scene.store() }, scene.layout("first"));
    let (_, diff_id) = packing.write_layer(&noise(23)[..], &layout).unwrap();
    // As when somebody has cleared the cache meanwhile.
    fs::remove_dir_all(scene.cache()).unwrap();
    packing.known.keep(&layout);
    assert_eq!(packing.known.layer(diff_id, Compression::Gzip, &scene.layout("later")), None);
}

/// An archive of two files of these times, one of which does not get smaller.
fn archive(times: [u64; 2]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, time, content) in [("large", times[0], noise(23)), ("small", times[1], b"1".to_vec())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mtime(time);
        archive.append_data(&mut header, name, &*content).unwrap();
    }
    archive.into_inner().unwrap()
}

#[test]
fn a_dated_layer_is_known_by_what_it_was_before_and_by_its_date() {
    const DATE: u64 = 1_700_000_000;
    const DATES: Dates = Dates { date: DATE, kept: 0 };
    for compression in COMPRESSIONS {
        let (scene, content) = (Scene::new(), archive([DATE + 5, 1]));
        let deliver = |content: &[u8]| {
            let (packing, layout) = (Packing { compression, known: scene.store() }, scene.layout("first"));
            let written = packing.write_dated(content, DATES, &layout).unwrap();
            packing.known.keep(&layout);
            written
        };
        let (descriptor, diff_id, before) = deliver(&content);
        let mut dated = Vec::new();
        Dated::new(&*content, DATES).read_to_end(&mut dated).unwrap();
        assert_eq!((before, diff_id), (Digest::of(&content), Digest::of(&dated)));
        let takes = |before: Digest, dates: Dates| {
            let (store, later) = (scene.store(), tempfile::tempdir().unwrap());
            let known = store.dated(before, dates, compression, &Layout::create(later.path()).unwrap());
            known.map(|layer| (layer.descriptor, layer.diff_id, layer.size))
        };
        assert_eq!(takes(before, DATES), Some((descriptor.clone(), diff_id, content.len() as u64)));
        let other_dates = [Dates { date: DATE + 1, ..DATES }, Dates { kept: 1, ..DATES }];
        assert_eq!((other_dates.map(|dates| takes(before, dates)), takes(diff_id, DATES)), ([None, None], None));
        assert_eq!(scene.takes(before, compression), None, "it is another layer than the one that was not dated");

        // What it was before is not what is said: of another layer, of another time, of no change at all.
        let said = |descriptor: &Descriptor, diff_id: Digest, changes: Option<&[u8]>| {
            let changes = changes.map(|changes| entry::encoded(&Changes::of_bytes(changes).unwrap()));
            let content = Some(Content { diff_id, size: content.len() as u64 });
            Entry { digest: digest_of(descriptor).unwrap(), size: descriptor.size(), content, changes }
        };
        let change = |place: u64, before: &[u8]| [&place.to_le_bytes()[..], before].concat();
        let headers = |times: [u64; 2]| {
            let archive = archive(times);
            let small = archive.len() - 4 * 512;
            [136, small + 136].map(|place| change(place as u64, &archive[place..place + 20])).concat()
        };
        let other = Digest::of(&archive([DATE + 6, 1]));
        for (asked, lie) in [
            (other, said(&descriptor, diff_id, Some(&headers([DATE + 5, 1])))),
            (before, said(&descriptor, diff_id, Some(&headers([DATE + 6, 1])))),
            (before, said(&descriptor, diff_id, Some(&[]))),
            (before, said(&descriptor, diff_id, None)),
            (before, said(&descriptor, before, Some(&headers([DATE + 5, 1])))),
            (before, Entry { changes: Some("no base64".to_owned()), ..said(&descriptor, diff_id, None) }),
        ] {
            scene.say(&Key::Dated(asked, DATES, compression), &lie);
            assert_eq!(takes(asked, DATES), None, "{lie:?}");
            deliver(&content);
        }
        // Other content, with what undoes that beside the times.
        let mut evil = content.clone();
        evil[700..720].copy_from_slice(b"EVIL CONTENT HERE!!!");
        let (descriptor, of_evil, _) = deliver(&evil);
        let undoes = [headers([DATE + 5, 1]), change(700, &content[700..720])].concat();
        let mut in_order: Vec<_> = undoes.chunks_exact(28).collect();
        in_order.sort_by_key(|change| u64::from_le_bytes(change[..8].try_into().unwrap()));
        scene.say(&Key::Dated(before, DATES, compression), &said(&descriptor, of_evil, Some(&in_order.concat())));
        assert_eq!(takes(before, DATES), None, "nobody has built that");
        // What is said of another layer truly is taken for that one alone.
        let (descriptor, diff_id, _) = deliver(&content);
        scene.say(&Key::Dated(other, DATES, compression), &said(&descriptor, diff_id, Some(&headers([DATE + 6, 1]))));
        assert_eq!(takes(other, DATES).unwrap().1, diff_id);
    }
}
