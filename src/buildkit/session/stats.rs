//! Statistics of a build's transfers, and the first error among them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::error::Error;
use crate::stamp::Stamp;

/// Counts of what was transferred, shared by all services of one build.
#[derive(Debug, Default)]
pub(crate) struct TransferStats {
    files: AtomicU64,
    bytes: AtomicU64,
    asked: AtomicU64,
    listed: Mutex<BTreeMap<Box<str>, Stamp>>,
    error: Mutex<Option<Error>>,
}

impl TransferStats {
    /// The number of files whose whole content was sent.
    #[must_use]
    pub(crate) fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// The bytes of file content that were sent.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The files of the build contexts that the engine was told of, by their paths from the folder that has all of these: it
    /// may use what each of them holds, asked for now or before. They are returned once.
    #[must_use]
    pub(crate) fn take_listed(&self) -> BTreeMap<Box<str>, Stamp> {
        std::mem::take(&mut *self.listed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first error of a service: the cause of a build's failure, in better words than the engine's. It is returned once.
    #[must_use]
    pub(crate) fn take_error(&self) -> Option<Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// How often the builder has asked whether this client is there.
    #[must_use]
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    pub(super) fn count_question(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn list(&self, path: &str, size: i64, modified: i64) {
        let stamp = Stamp::of(path.as_bytes(), size, modified);
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).insert(path.into(), stamp);
    }

    pub(super) fn note(&self, error: Error) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}
