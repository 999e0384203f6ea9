//! What the files of a database hash to. It stands beside them, so that a database that was changed in the cache, or only
//! half written, is not taken for the one that was fetched.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::document;
use crate::oci::Digest;
use crate::oci::hashed::Hashed;

/// The file that has them.
const FILE: &str = "digests.json";

/// The digests of files of one folder, by their names.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digests(pub(super) BTreeMap<String, Digest>);

impl Digests {
    /// Those that were written down in a folder.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        document::read(&fs::read(folder.join(FILE)).ok()?).ok()
    }

    /// Writes them down in a folder that has none.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        Ok(serde_json::to_writer(File::create_new(folder.join(FILE))?, self)?)
    }

    /// Whether files in a folder are those that were hashed, and no links to others.
    pub(super) fn fit(&self, folder: &Path, names: &[&str]) -> bool {
        let fits = |name: &&str| {
            let path = folder.join(name);
            let is_file = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
            is_file && digest_of(&path).is_ok_and(|digest| self.0.get(*name) == Some(&digest))
        };
        names.iter().all(fits)
    }
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    Hashed::new(File::open(path)?).finish().map(|(digest, _)| digest)
}
