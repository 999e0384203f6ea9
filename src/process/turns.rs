//! How many large programs run at once: a scanner takes a processor and hundreds of megabytes, and an image of many platforms
//! would start two for each.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::machine;

/// The three scanners of an image of one platform run side by side wherever there is memory for them: they also wait for disks.
pub(crate) const FEWEST: usize = 3;
/// The memory that one is counted with, in bytes.
pub(crate) const MEMORY: u64 = 768 << 20;

/// The turns of the large programs of a run. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    free: Arc<Semaphore>,
    processors: usize,
}

impl Turns {
    /// As many as the machine has room for now.
    pub(super) fn of_this_machine() -> Self {
        let processors = machine::processors();
        Self { free: Arc::new(Semaphore::new(number(processors, machine::free_memory()))), processors }
    }

    /// So many.
    #[cfg(test)]
    pub(super) fn of(number: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(number)), processors: 1 }
    }

    /// Waits for a turn, which ends when it is dropped. They are given in the order in which they were asked for.
    pub(super) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// How many processors there are for each.
    pub(super) fn processors(&self) -> usize {
        self.processors
    }
}

/// How many run at once on so many processors, with so much memory left.
fn number(processors: usize, memory: Option<u64>) -> usize {
    let with_memory = memory.map_or(usize::MAX, |memory| usize::try_from(memory / MEMORY).unwrap_or(usize::MAX));
    processors.max(FEWEST).min(with_memory).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_and_memory_say_how_many_run_at_once() {
        const GIB: u64 = 1 << 30;
        for (processors, memory, expected) in [
            (2, Some(7 * GIB), 3),
            (4, Some(16 * GIB), 4),
            (64, Some(256 * GIB), 64),
            (64, Some(4 * GIB), 5),
            (8, Some(2 * GIB), 2),
            (8, Some(0), 1),
            (1, None, 3),
        ] {
            assert_eq!(number(processors, memory), expected, "{processors} {memory:?}");
        }
    }
}
