//! What trivy has read in layers before, and does not read again.
//!
//! trivy keeps what it has read in a layer under the layer's diff id, the versions of its parts and its options, with nothing in
//! it of the vulnerability database (its `pkg/cache`). It is one file, which is kept for the next scan where nothing is to be said
//! of it: trivy says what it can't read while it reads, and of a layer that it knows it would say nothing.
//!
//! The file is written by a program that has read strangers' files, so that it is as good as what it has read, and it is the word
//! of whoever may write to the user's cache. So it counts where nothing is held back by what trivy finds.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::oci::digest::Hasher;
use crate::oci::{Digest, Platform};
use crate::process::{self, Launcher};
use crate::scanner::Tool;
use crate::user_cache::{self, PrivateFolder};

/// The folder in the user's cache: a file for each namespace and platform.
const FOLDER: &str = "analyses";

/// Where trivy has it, in its own cache folder (`pkg/cache/fs.go`).
const FILE: [&str; 2] = ["fanal", "fanal.db"];

/// A larger file is not kept, in bytes: it is copied twice in each scan.
const MAX_BYTES: u64 = 64 << 20;

/// How long one is kept that nothing was added to: trivy's next version has its own.
const KEPT_UNUSED: Duration = Duration::from_hours(30 * 24);

/// The place of what was read in images of one platform.
#[derive(Clone, Debug)]
pub(crate) struct Analyses {
    folder: PrivateFolder,
    file: String,
}

impl Analyses {
    /// What this trivy has read for builds of a namespace; `None` where nothing can be kept.
    #[must_use]
    pub(crate) fn of(launcher: &Launcher, namespace: &str, platform: &Platform) -> Option<Self> {
        let trivy = launcher.find(Tool::TRIVY.name()).ok()?;
        let programs = user_cache::identity_with(trivy.path())?;
        let file = Digest::of(format!("{programs}\n{namespace}\n{platform}").as_bytes()).hex();
        Some(Self { folder: PrivateFolder::of(&user_cache::folder()?, FOLDER), file })
    }

    /// In a folder of the test's own.
    #[cfg(test)]
    pub(super) fn in_folder(cache: &Path) -> Self {
        Self { folder: PrivateFolder::of(cache, FOLDER), file: "test".to_owned() }
    }

    /// Lays it into trivy's cache folder, and says whether there was anything.
    ///
    /// # Errors
    /// It can't be written there.
    pub(super) fn lay_into(&self, cache: &Path) -> io::Result<bool> {
        let path = path_in(cache);
        let Some(mut kept) = self.folder.open(&self.file) else { return Ok(false) };
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
            self.folder.remove(&self.file);
        }
        Ok(is_whole)
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
        self.folder.remove_unused_for(KEPT_UNUSED);
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
    let mut hasher = Hasher::new();
    let mut piece = vec![0; 64 << 10];
    let mut from = from.take(MAX_BYTES);
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            read => {
                hasher.update(&piece[..read]);
                to.write_all(&piece[..read])?;
            }
        }
    }
}
