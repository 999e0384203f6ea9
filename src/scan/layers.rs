//! Secrets in an image that was not built here: what its layers hold, as files, is looked at by gitleaks.
//!
//! What the source has byte for byte is left out: it is scanned there, and what the project lets through there is its own. All
//! else excuses nothing: a file's word for itself (`gitleaks:allow`) does not count here.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use walkdir::WalkDir;

use super::Error;
use super::gitleaks::{self, History, Leaks, Lists};
use crate::beneath::Root;
use crate::finding::Leak;
use crate::oci::hashed::Hashed;
use crate::oci::image::Layer;
use crate::oci::layer::{self, Extraction};
use crate::oci::layout::digest_of;
use crate::oci::{Digest, Image};
use crate::process::Launcher;
use crate::text::plain;

/// The mark by which a file lets its own secrets through (gitleaks, `detect/detect.go`).
const ALLOW: &str = "gitleaks:allow";

/// What to scan.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// The image.
    pub(crate) image: &'a Image,
    /// The root of the source, which is scanned by itself.
    pub(crate) source: &'a Path,
    /// What of the source is not scanned there: our own folders.
    pub(crate) exclude: &'a [PathBuf],
    /// A folder of our own for the files.
    pub(crate) folder: &'a Path,
    /// The time that each run of gitleaks may take.
    pub(crate) deadline: Duration,
}

/// Looks for secrets in the layers of an image, on all its platforms.
///
/// # Errors
/// A layer was not scanned, for whatever reason.
pub(crate) async fn scan(launcher: &Launcher, request: &Request<'_>) -> Result<Leaks, Error> {
    let folder = tempfile::Builder::new().prefix("layers-").tempdir_in(request.folder).map_err(Error::io(request.folder))?;
    let layers = layers(request.image)?;
    extract(request, folder.path(), &layers).await?;
    let scan = gitleaks::Request {
        root: folder.path(),
        history: &History::None,
        exclude: &[],
        unseen: &[],
        only: None,
        stamped: None,
        lists: &Lists::none(),
        deadline: request.deadline,
    };
    let found = gitleaks::scan(launcher, &scan).await?;
    let findings = found.findings.into_iter().map(|leak| in_layer(leak, &layers)).collect();
    Ok(Leaks { findings, ..found })
}

/// All layers of an image, each once.
fn layers(image: &Image) -> Result<Vec<(Digest, Layer)>, Error> {
    let mut seen = BTreeSet::new();
    let all = image.platforms.iter().flat_map(|platform| &platform.layers);
    let all = all.map(|layer| Ok((digest_of(&layer.descriptor)?, layer.clone()))).collect::<Result<Vec<_>, Error>>()?;
    // Two configurations may state different contents for the same blob: then one of them is wrong.
    Ok(all.into_iter().filter(|(digest, layer)| seen.insert((*digest, layer.diff_id))).collect())
}

async fn extract(request: &Request<'_>, folder: &Path, layers: &[(Digest, Layer)]) -> Result<(), Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let _dropped = Stop(Arc::clone(&stop));
    let (source, exclude) = (request.source.to_owned(), request.exclude.to_vec());
    let (layout, layers, folder) = (request.image.layout.clone(), layers.to_vec(), folder.to_owned());
    let work = tokio::task::spawn_blocking(move || {
        let known = contents(&source, &exclude, &stop);
        let mut extraction = Extraction::into(&folder, &known, ALLOW, &stop);
        layers.iter().enumerate().try_for_each(|(number, (_, layer))| extraction.layer(&layout, layer, &number.to_string()))
    });
    let ended = work.await.unwrap_or(Err(layer::Error::Cancelled));
    ended.map_err(Error::from)
}

/// Ends the work on another thread when nobody waits for it any more.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The digests of the source's files. One that can't be read is none.
fn contents(source: &Path, exclude: &[PathBuf], stop: &AtomicBool) -> HashSet<Digest> {
    // What is excluded is known by its real name.
    let Ok(source) = fs::canonicalize(source) else { return HashSet::new() };
    let Ok(root) = Root::open(&source) else { return HashSet::new() };
    let exclude: Vec<_> = exclude.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let files = WalkDir::new(&source).into_iter();
    let files = files.filter_entry(|entry| entry.file_name() != ".git" && !exclude.iter().any(|path| entry.path() == path));
    let files = files.take_while(|_| !stop.load(Ordering::Relaxed)).filter_map(Result::ok);
    let files = files.filter(|entry| entry.file_type().is_file());
    // What has taken a file's place by now is not what was there.
    let opened = files.filter_map(|entry| root.file(entry.path().strip_prefix(&source).ok()?).ok());
    opened.filter_map(|file| Hashed::new(file).finish().ok()).map(|(digest, _)| digest).collect()
}

/// A leak as it is known outside: by the layer, and the file in it.
fn in_layer(leak: Leak, layers: &[(Digest, Layer)]) -> Leak {
    let place = layer::original(&leak.file).and_then(|(name, path)| Some((layers.get(name.parse::<usize>().ok()?)?.0, path)));
    let Some((layer, path)) = place else { return leak };
    let file = plain(&path);
    let fingerprint = format!("{layer}/{file}:{}:{}", leak.rule, leak.line);
    Leak { layer: Some(layer), file, fingerprint, ..leak }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_scanned_in_the_source_is_left_out_of_the_layers() {
        let source = tempfile::tempdir().unwrap();
        for (name, text) in [("a/scanned", "1"), (".git/config", "2"), ("a/.git/config", "3"), ("report/image/x", "4")] {
            let path = source.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::write(outside.path(), "5").unwrap();
        std::os::unix::fs::symlink(outside.path(), source.path().join("link")).unwrap();
        let known = contents(source.path(), &[source.path().join("report")], &AtomicBool::new(false));
        assert_eq!(known, HashSet::from([Digest::of(b"1")]));
    }
}
