//! What trivy has read in the layers of an image before, and does not read again.
//!
//! trivy keeps what it has read in a layer under the layer's diff id, the versions of its parts and its options, with nothing in
//! it of the vulnerability database (its `pkg/cache`). It is one file, which is kept for the next scan where nothing is to be said
//! of it: trivy says what it can't read while it reads, and of a layer that it knows it would say nothing.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::oci::image::PlatformImage;
use crate::process::{self, Launcher};
use crate::scan::same_layers::SameLayers;
use crate::scanner::Tool;
use crate::user_cache;

/// The folder in the user's cache.
const FOLDER: &str = "analyses";

/// Where trivy has it, in its own cache folder (`pkg/cache/fs.go`).
const FILE: [&str; 2] = ["fanal", "fanal.db"];

/// A larger file is not kept, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// The place of what was read in images of the same layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Analyses(SameLayers);

impl Analyses {
    /// What this trivy has read of the layers of an image, for builds of a namespace; `None` where nothing can be kept.
    #[must_use]
    pub(crate) fn of(launcher: &Launcher, namespace: &str, image: &PlatformImage) -> Option<Self> {
        Self::within(&user_cache::folder()?, launcher, namespace, image)
    }

    /// The same in a cache folder.
    pub(super) fn within(cache: &Path, launcher: &Launcher, namespace: &str, image: &PlatformImage) -> Option<Self> {
        SameLayers::within((cache, FOLDER), (launcher, Tool::TRIVY), &[namespace], image).map(Self)
    }

    /// Lays it into trivy's cache folder, where there is anything.
    ///
    /// # Errors
    /// It can't be written there.
    pub(super) fn lay_into(&self, cache: &Path) -> io::Result<()> {
        let path = path_in(cache);
        path.parent().map_or(Ok(()), |folder| {
            fs::create_dir(folder)?;
            // trivy may come to run as another user.
            fs::set_permissions(folder, Permissions::from_mode(0o777))
        })?;
        let mut file = File::create(&path)?;
        file.set_permissions(Permissions::from_mode(0o666))?;
        if self.0.copy_to(&mut file)? { Ok(()) } else { fs::remove_file(&path) }
    }

    /// Removes what is of no use.
    pub(super) fn forget(&self) {
        self.0.forget();
    }

    /// Keeps what is in trivy's cache folder, as far as it can be kept.
    pub(super) fn keep(&self, cache: &Path) {
        match process::open_report(&path_in(cache), MAX_BYTES) {
            Ok(made) => self.0.keep(made),
            Err(error) => tracing::debug!(%error, "what trivy has read is not kept"),
        }
    }
}

fn path_in(cache: &Path) -> PathBuf {
    FILE.iter().fold(cache.to_owned(), |path, name| path.join(name))
}
