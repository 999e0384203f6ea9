//! Statistics of a build's transfers, and the first error among them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::error::Error;

/// Counts of what was transferred, shared by all services of one build.
#[derive(Debug, Default)]
pub(crate) struct TransferStats {
    files: AtomicU64,
    bytes: AtomicU64,
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

    /// The first error of a service: the cause of a build's failure, in better words than the engine's. It is returned once.
    #[must_use]
    pub(crate) fn take_error(&self) -> Option<Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn count_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note(&self, error: Error) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}
