//! What the kubelet gives a pod to show at the API server (Kubernetes documentation, "Configure Service Accounts for Pods").

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::name::Namespace;
use crate::secret::Secret;

/// Where the kubelet puts it.
const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The most that is read of a file, in bytes: a bundle of certificates has some kilobytes.
const MOST: u64 = 1 << 20;

/// A service account, as its pod knows it: a folder with `token`, `ca.crt` and `namespace`.
#[derive(Clone, Debug)]
pub(crate) struct ServiceAccount {
    folder: PathBuf,
}

impl ServiceAccount {
    /// That of a folder; without one, that of the pod.
    #[must_use]
    pub(crate) fn at(folder: Option<&Path>) -> Self {
        Self { folder: folder.map_or_else(|| PathBuf::from(FOLDER), Path::to_owned) }
    }

    /// The namespace that the pod is in.
    ///
    /// # Errors
    /// The file is not there, or has no name of one.
    pub(crate) fn namespace(&self) -> Result<Namespace, Error> {
        let text = self.text("namespace")?;
        text.trim().parse().map_err(|_| self.unfit("namespace", "the name of a namespace"))
    }

    /// The token, as it is now: the kubelet writes a new one before it expires.
    ///
    /// # Errors
    /// The file is not there, or has nothing that could be sent.
    pub(super) fn token(&self) -> Result<Secret, Error> {
        let text = Secret::around(self.text("token")?);
        let token = text.expose().trim();
        let is_one = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if is_one { Ok(Secret::new(token)) } else { Err(self.unfit("token", "a token")) }
    }

    /// The certificates of those who vouch for the API server, as PEM.
    ///
    /// # Errors
    /// The file is not there.
    pub(super) fn authorities(&self) -> Result<String, Error> {
        self.text("ca.crt")
    }

    /// The error for a file without what it is there for.
    pub(super) fn unfit(&self, file: &str, missing: &'static str) -> Error {
        Error::Unfit { path: self.folder.join(file), missing }
    }

    fn text(&self, file: &str) -> Result<String, Error> {
        let path = self.folder.join(file);
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(MOST).read_to_string(&mut text));
        read.map(|_| text).map_err(|source| Error::File { path, source })
    }
}
