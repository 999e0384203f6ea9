//! An image in a folder is there as a whole or not at all, and nothing else in the folder changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::{Destination, Error, Listener, PublishEvent, cleared, look, preflight, publish, silent};
use crate::diagnosis::Diagnosis;
use crate::oci::{Image, Layout, layout, sample};
use crate::record::Publication;

async fn deliver_with(
    path: &Path,
    image: &Image,
    names: &[&str],
    cancel: &CancellationToken,
    listener: &Listener,
) -> Result<Publication, Error> {
    let target = look(&format!("oci:{}", path.display())).await?;
    publish(&cleared(image), image, &target, names, cancel, listener).await
}

async fn deliver(path: &Path, image: &Image, names: &[&str]) -> Result<Publication, Error> {
    deliver_with(path, image, names, &CancellationToken::new(), &silent()).await
}

/// Every file below a folder with its content.
fn content(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = walkdir::WalkDir::new(path).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    files.map(|file| (file.path().display().to_string(), std::fs::read(file.path()).unwrap())).collect()
}

fn tags(path: &Path) -> BTreeMap<String, String> {
    let tags = Layout::open(path).unwrap().tags().unwrap();
    tags.into_iter().map(|(tag, descriptor)| (tag.to_string(), descriptor.digest().to_string())).collect()
}

#[tokio::test]
async fn other_tags_of_the_folder_stay_and_the_same_tag_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let [old, new] = [1, 2].map(|seed| sample::random(&folder.path().join(seed.to_string()), seed, &["amd64"], 1 << 10));
    deliver(&path, &old, &["v1", "latest"]).await.unwrap();
    let published = deliver(&path, &new, &["latest", "v2"]).await.unwrap();
    assert_eq!((published.blobs_present, published.blobs_sent), (1, 4));
    let (old, new) = (old.digest.to_string(), new.digest.to_string());
    let expected = [("latest", &new), ("v1", &old), ("v2", &new)].map(|(tag, digest)| (tag.to_owned(), digest.clone()));
    assert_eq!(tags(&path), BTreeMap::from(expected));
    assert_eq!(Layout::open(&path).unwrap().index().unwrap().manifests().len(), 3);
}

#[tokio::test]
async fn an_empty_folder_is_filled_and_a_folder_of_other_things_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let image = sample::random(&folder.path().join("image"), 1, &["amd64"], 1 << 10);
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    deliver(&empty, &image, &["v1"]).await.unwrap();
    assert_eq!(tags(&empty).len(), 1);
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("notes.txt"), "mine").unwrap();
    let before = content(&other);
    for path in [other.clone(), other.join("notes.txt")] {
        assert!(matches!(deliver(&path, &image, &["v1"]).await, Err(Error::NotALayout { .. })), "{}", path.display());
    }
    let below = deliver(&other.join("notes.txt/below"), &image, &["v1"]).await;
    assert!(below.is_err());
    assert_eq!(content(&other), before);
}

#[tokio::test]
async fn a_corrupt_folder_is_told_at_the_preflight_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let image = sample::random(&folder.path().join("image"), 1, &["amd64"], 1 << 10);
    deliver(&path, &image, &["v1"]).await.unwrap();
    for (file, text) in [("index.json", "{"), ("oci-layout", "{\"imageLayoutVersion\":\"9\"}")] {
        std::fs::write(path.join(file), text).unwrap();
        let before = content(&path);
        let error = deliver(&path, &image, &["v2"]).await.unwrap_err();
        assert!(matches!(error, Error::Layout(layout::Error::Invalid { .. })), "{error}");
        assert!(Diagnosis::from(&error).what.contains(file), "{:?}", Diagnosis::from(&error));
        assert_eq!(content(&path), before);
    }
}

/// A layout that another program wrote: gp-deliver's, copied file by file.
fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from).into_iter().map(Result::unwrap) {
        let place = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(place).unwrap();
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

#[tokio::test]
async fn a_layout_that_came_from_elsewhere_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let [planted, image] = [1, 2].map(|seed| sample::random(&folder.path().join(seed.to_string()), seed, &["amd64"], 1 << 10));
    let (ours, path) = (folder.path().join("ours"), folder.path().join("committed"));
    deliver(&ours, &planted, &["latest"]).await.unwrap();
    copy(&ours, &path);
    let before = content(&path);
    assert!(look(&format!("oci:{}", path.display())).await.is_err(), "it is known before the build");
    let error = deliver(&path, &image, &["v1"]).await.unwrap_err();
    assert!(matches!(error, Error::ForeignLayout { .. }), "{error}");
    assert_eq!(content(&path), before);
}

#[tokio::test]
async fn a_layout_of_ours_with_anothers_index_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let [planted, image] = [1, 2].map(|seed| sample::random(&folder.path().join(seed.to_string()), seed, &["amd64"], 1 << 10));
    let (other, path) = (folder.path().join("other"), folder.path().join("out"));
    deliver(&other, &planted, &["latest"]).await.unwrap();
    deliver(&path, &image, &["v1"]).await.unwrap();
    // As a pull over a folder that git ignores does.
    copy(&other, &path);
    let before = content(&path);
    let error = deliver(&path, &image, &["v2"]).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    assert_eq!(content(&path), before);
}

#[tokio::test]
async fn a_layout_of_ours_with_a_link_in_it_is_refused() {
    for part in ["index.json", "oci-layout", "blobs", "blobs/sha256"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let image = sample::random(&folder.path().join("image"), 1, &["amd64"], 1 << 10);
        deliver(&path, &image, &["v1"]).await.unwrap();
        std::fs::rename(path.join(part), folder.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("moved"), path.join(part)).unwrap();
        let error = deliver(&path, &image, &["v2"]).await.unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{part}: {error}");
    }
}

#[tokio::test]
async fn a_link_of_the_project_does_not_say_where_the_image_goes() {
    let folder = tempfile::tempdir().unwrap();
    let [project, elsewhere] = ["project", "elsewhere"].map(|name| folder.path().join(name));
    [&project, &elsewhere].iter().for_each(|path| std::fs::create_dir(path).unwrap());
    std::os::unix::fs::symlink(&elsewhere, project.join("image")).unwrap();
    let store = crate::oci::registry::Store::at("/nowhere");
    for path in ["image", "image/below"] {
        let destination = Destination::Layout(project.join(path));
        let looked = preflight(&destination, &store, std::slice::from_ref(&project)).await;
        assert!(matches!(looked, Err(Error::Linked { .. })), "{path}");
    }
}

#[tokio::test]
async fn a_damaged_blob_in_the_folder_is_replaced_by_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let image = sample::random(&folder.path().join("image"), 1, &["amd64"], 1 << 10);
    deliver(&path, &image, &["v1"]).await.unwrap();
    let layer = &image.platforms[0].layers[1].descriptor;
    let blob = Layout::open(&path).unwrap().blob(&layer.digest().to_string().parse().unwrap());
    // Not in place: it may be the same file as the image's.
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, "damaged").unwrap();
    deliver(&path, &image, &["v2"]).await.unwrap();
    Layout::open(&path).unwrap().verify(layer).unwrap();
    image.layout.verify(layer).unwrap();
}

#[tokio::test]
async fn an_image_that_is_damaged_or_cancelled_leaves_the_folder_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = [1, 2].map(|seed| sample::random(&folder.path().join(seed.to_string()), seed, &["amd64"], 1 << 16));
    let (existing, missing) = (folder.path().join("out"), folder.path().join("missing"));
    deliver(&existing, &old, &["v1"]).await.unwrap();
    let before = content(&existing);
    for path in [&existing, &missing] {
        // The third blob is on its way when the cancel comes.
        let (cancel, seen) = (CancellationToken::new(), Arc::new(std::sync::atomic::AtomicUsize::new(0)));
        let trigger = cancel.clone();
        let listener: Listener = Arc::new(move |event: PublishEvent| {
            if matches!(event, PublishEvent::Blob { .. }) && seen.fetch_add(1, Ordering::Relaxed) == 2 {
                trigger.cancel();
            }
        });
        let result = deliver_with(path, &new, &["v1"], &cancel, &listener).await;
        assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    }
    let last = new.platforms[0].layers[2].descriptor.digest().to_string().parse().unwrap();
    std::fs::write(new.layout.blob(&last), "damaged").unwrap();
    for path in [&existing, &missing] {
        let error = deliver(path, &new, &["v1"]).await.unwrap_err();
        assert!(matches!(error, Error::Layout(layout::Error::DigestMismatch { expected, .. }) if expected == last), "{error}");
    }
    assert_eq!(content(&existing), before);
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_to_one_folder_at_once_keep_each_others_tags() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let images: Vec<Image> =
        (0..8).map(|seed| sample::random(&folder.path().join(seed.to_string()), seed, &["amd64"], 1 << 10)).collect();
    let names: Vec<String> = (0..8).map(|seed| format!("v{seed}")).collect();
    let deliveries = images.iter().zip(&names).map(|(image, name)| {
        let path = path.clone();
        async move { deliver(&path, image, &[name]).await.unwrap() }
    });
    futures_util::future::join_all(deliveries).await;
    let expected = names.into_iter().zip(images.iter().map(|image| image.digest.to_string())).collect();
    assert_eq!(tags(&path), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_never_sees_a_tag_whose_content_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let (done, reading) = (Arc::new(AtomicBool::new(false)), path.clone());
    let ended = done.clone();
    let reader = tokio::task::spawn_blocking(move || {
        let mut looks = 0;
        while !ended.load(Ordering::Relaxed) {
            // There is no folder, or a whole one.
            if !reading.exists() {
                continue;
            }
            let layout = Layout::open(&reading).unwrap();
            for (_, root) in layout.tags().unwrap() {
                let image = Image::open(layout.clone(), root).unwrap();
                image.descriptors().iter().for_each(|descriptor| layout.verify(descriptor).unwrap());
                looks += 1;
            }
        }
        looks
    });
    for seed in 0..20 {
        let image = sample::random(&folder.path().join(seed.to_string()), seed, &["amd64"], 1 << 16);
        deliver(&path, &image, &["v1", "latest"]).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.await.unwrap() > 0);
}
