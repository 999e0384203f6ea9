//! The image of one platform by itself: what trivy and syft take.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::Error;
use crate::oci::image::PlatformImage;
use crate::oci::layout::{digest_of, index_of};
use crate::oci::{Image, Layout};
use crate::process::Reach;

/// A layout folder that holds one manifest and what it names, as links into the image's own layout. Dropping it removes
/// the folder.
#[derive(Debug)]
pub(crate) struct PlatformFolder {
    folder: tempfile::TempDir,
    /// Where the content is that it links to.
    linked: PathBuf,
}

impl PlatformFolder {
    /// Makes the folder of one of the image's platforms, beside the image's layout.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(crate) fn create(image: &Image, platform: &PlatformImage) -> Result<Self, Error> {
        let root = fs::canonicalize(image.layout.root()).map_err(Error::io(image.layout.root()))?;
        let beside = root.parent().unwrap_or(Path::new("/"));
        let folder = tempfile::Builder::new().prefix(".platform-").tempdir_in(beside).map_err(Error::io(beside))?;
        // Scanners may come to run as another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).map_err(Error::io(folder.path()))?;
        let layout = Layout::create(folder.path())?;
        let layers = platform.layers.iter().map(|layer| &layer.descriptor);
        for descriptor in layers.chain([&platform.config_descriptor, &platform.manifest]) {
            let digest = digest_of(descriptor)?;
            let (from, to) = (root.join("blobs").join("sha256").join(digest.hex()), layout.blob(&digest));
            // An image may have the same layer twice. Some file systems have no hard links.
            if !to.exists() && fs::hard_link(&from, &to).is_err() {
                symlink(&from, &to).map_err(Error::io(&to))?;
            }
        }
        layout.set_index(&index_of(vec![platform.manifest.clone()])?)?;
        Ok(Self { folder, linked: root.join("blobs") })
    }

    /// Lets a program read it.
    #[must_use]
    pub(crate) fn readable(&self, reach: Reach) -> Reach {
        // Where the file system has no hard links, what is in the folder leads to the image's own.
        reach.reads(self.path()).reads(&self.linked)
    }

    /// The folder.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}
