//! What a scanner has made of an image before, for the next image whose layers are the same.
//!
//! A diff id is the word of an image's configuration, and nobody has held each layer to it: a base image may claim that of another
//! layer. So what is kept is for the images whose layers have the same digests of their own, too, and for no others.
//!
//! It is written by a program that has read strangers' files, and it is the word of whoever may write to the user's cache. So it
//! counts where nothing is held back by what that program finds.

use std::io::{self, Read, Seek as _, Write};
use std::path::Path;

use crate::oci::Digest;
use crate::oci::hashed::Hashed;
use crate::oci::image::PlatformImage;
use crate::process::Launcher;
use crate::scanner::Tool;
use crate::user_cache::{self, PrivateFolder};

/// More than this is not kept, in bytes: it is copied in each scan.
const MAX_BYTES: u64 = 64 << 20;

/// How many files are kept of a scanner.
const KEPT: usize = 32;

/// The place of what was made of images of the same layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SameLayers {
    folder: PrivateFolder,
    file: String,
}

impl SameLayers {
    /// What this scanner has made of the layers of an image, in a folder of a cache, where `said` was the same besides; `None`
    /// where nothing can be kept.
    pub(super) fn within(
        (cache, folder): (&Path, &str),
        (launcher, tool): (&Launcher, Tool),
        said: &[&str],
        image: &PlatformImage,
    ) -> Option<Self> {
        let program = launcher.find(tool.name()).ok()?;
        let programs = user_cache::identity_with(program.path())?;
        let layers = image.layers.iter().map(|layer| format!("{} {}", layer.descriptor.digest(), layer.diff_id));
        let layers: Vec<_> = layers.collect();
        let said = said.join("\n");
        let file = Digest::of(format!("{programs}\n{said}\n{}\n{}", image.platform, layers.join("\n")).as_bytes()).hex();
        Some(Self { folder: PrivateFolder::of(cache, folder), file })
    }

    /// Writes what is kept, and says whether that was all of it: what is written else is of no use.
    ///
    /// # Errors
    /// It can't be read or written.
    pub(super) fn copy_to(&self, to: &mut impl Write) -> io::Result<bool> {
        let Some(mut kept) = self.folder.open(&self.file) else { return Ok(false) };
        let mut digest = [0; 32];
        let has_digest = kept.read_exact(&mut digest).is_ok();
        let is_whole = has_digest && copy(&mut kept, to)?.bytes() == digest;
        if !is_whole {
            self.forget();
        }
        Ok(is_whole)
    }

    /// Removes what is of no use.
    pub(super) fn forget(&self) {
        self.folder.remove(&self.file);
    }

    /// Keeps this, as far as it can be kept.
    pub(super) fn keep(&self, mut made: impl Read) {
        self.folder.keep_newest(KEPT - 1);
        let kept = self.folder.put(&self.file, |file| {
            file.write_all(&[0; 32])?;
            let digest = copy(&mut made, file)?;
            file.rewind()?;
            file.write_all(&digest.bytes())
        });
        if let Err(error) = kept {
            tracing::debug!(%error, "what a scanner has made of layers is not kept");
        }
    }
}

/// Copies at most what a file may have, and gives its digest.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<Digest> {
    let mut from = Hashed::new(from.take(MAX_BYTES));
    io::copy(&mut from, to)?;
    Ok(from.so_far().0)
}
