//! What trivy has read in the layers of an image before, and does not read again.
//!
//! trivy keeps what it has read in a layer under the layer's diff id, the versions of its parts and its options, with nothing in
//! it of the vulnerability database (its `pkg/cache`). It is one file, which is kept for the next scan where nothing is to be said
//! of it: trivy says what it can't read while it reads, and of a layer that it knows it would say nothing.
//!
//! A diff id is the word of an image's configuration, and nobody has held each layer to it: a base image may claim that of another
//! layer. So a file is for the images whose layers have the same digests of their own, too, and for no others.
//!
//! The file is written by a program that has read strangers' files, and it is the word of whoever may write to the user's cache.
//! So it counts where nothing is held back by what trivy finds.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::oci::Digest;
use crate::oci::hashed::Hashed;
use crate::oci::image::PlatformImage;
use crate::process::{self, Launcher};
use crate::scanner::Tool;
use crate::user_cache::{self, PrivateFolder};

/// The folder in the user's cache.
const FOLDER: &str = "analyses";

/// Where trivy has it, in its own cache folder (`pkg/cache/fs.go`).
const FILE: [&str; 2] = ["fanal", "fanal.db"];

/// A larger file is not kept, in bytes: it is copied twice in each scan.
const MAX_BYTES: u64 = 64 << 20;

/// How many are kept.
const KEPT: usize = 32;

/// The place of what was read in images of the same layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Analyses {
    folder: PrivateFolder,
    file: String,
}

impl Analyses {
    /// What this trivy has read of the layers of an image, for builds of a namespace; `None` where nothing can be kept.
    #[must_use]
    pub(crate) fn of(launcher: &Launcher, namespace: &str, image: &PlatformImage) -> Option<Self> {
        Self::within(&user_cache::folder()?, launcher, namespace, image)
    }

    /// The same in a cache folder.
    pub(super) fn within(cache: &Path, launcher: &Launcher, namespace: &str, image: &PlatformImage) -> Option<Self> {
        let trivy = launcher.find(Tool::TRIVY.name()).ok()?;
        let programs = user_cache::identity_with(trivy.path())?;
        let layers = image.layers.iter().map(|layer| format!("{} {}", layer.descriptor.digest(), layer.diff_id));
        let layers: Vec<_> = layers.collect();
        let file = Digest::of(format!("{programs}\n{namespace}\n{}\n{}", image.platform, layers.join("\n")).as_bytes()).hex();
        Some(Self { folder: PrivateFolder::of(cache, FOLDER), file })
    }

    /// Lays it into trivy's cache folder, where there is anything.
    ///
    /// # Errors
    /// It can't be written there.
    pub(super) fn lay_into(&self, cache: &Path) -> io::Result<()> {
        let path = path_in(cache);
        let Some(mut kept) = self.folder.open(&self.file) else { return Ok(()) };
        let mut digest = [0; 32];
        let has_digest = kept.read_exact(&mut digest).is_ok();
        path.parent().map_or(Ok(()), |folder| {
            fs::create_dir(folder)?;
            // trivy may come to run as another user.
            fs::set_permissions(folder, Permissions::from_mode(0o777))
        })?;
        let mut file = File::create(&path)?;
        file.set_permissions(Permissions::from_mode(0o666))?;
        let is_whole = has_digest && copy(&mut kept, &mut file)?.bytes() == digest;
        if !is_whole {
            fs::remove_file(&path)?;
            self.forget();
        }
        Ok(())
    }

    /// Removes what is of no use.
    pub(super) fn forget(&self) {
        self.folder.remove(&self.file);
    }

    /// Keeps what is in trivy's cache folder, as far as it can be kept.
    pub(super) fn keep(&self, cache: &Path) {
        let keep = || {
            let mut made = process::open_report(&path_in(cache), MAX_BYTES)?;
            self.folder.put(&self.file, |file| {
                file.write_all(&[0; 32])?;
                let digest = copy(&mut made, file)?;
                file.rewind()?;
                file.write_all(&digest.bytes())
            })
        };
        self.folder.keep_newest(KEPT - 1);
        if let Err::<(), io::Error>(error) = keep() {
            tracing::debug!(%error, "what trivy has read is not kept");
        }
    }
}

fn path_in(cache: &Path) -> PathBuf {
    FILE.iter().fold(cache.to_owned(), |path, name| path.join(name))
}

/// Copies what is left of a file, at most what one may have, and gives its digest.
fn copy(from: &mut File, to: &mut File) -> io::Result<Digest> {
    let mut from = Hashed::new(from.take(MAX_BYTES));
    io::copy(&mut from, to)?;
    Ok(from.so_far().0)
}
