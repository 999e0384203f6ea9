//! What was built goes to the cache that machines share, once the image is cleared. It is a copy of what is in the builder:
//! whatever goes wrong with it is told, and takes nothing back.

use std::time::Duration;

use super::Ending;
use super::build_cache::cannot;
use super::building::Unwritten;
use super::task::Task;
use crate::buildkit::Error as BuildError;
use crate::error::Error;
use crate::record::{CacheWriting, Contribution, Record, StageName};
use crate::text;

/// How long that may take. The end of a run waits for it.
pub(crate) const LONGEST: Duration = Duration::from_mins(5);

/// What came of it.
pub(super) struct Written {
    outcome: CacheWriting,
    note: Option<String>,
}

impl Contribution for Written {
    fn enter(&self, record: &mut Record) {
        if let Some(cache) = &mut record.build_cache {
            cache.written = Some(self.outcome);
            cache.notes.extend(self.note.clone());
        }
    }
}

/// Begins to write the cache.
pub(super) fn begin(unwritten: Unwritten) -> Task<Written> {
    let delivery = unwritten.delivery.clone();
    Task::begin(&delivery, &[StageName::BuildCache], async move {
        let delivery = unwritten.delivery.clone();
        delivery
            .stage(StageName::BuildCache, async |log| {
                if !unwritten.is_new {
                    let written = Written { outcome: CacheWriting::Unchanged, note: None };
                    return Ok((written, Ending::Skip("all of it is there".to_owned())));
                }
                let failed = match tokio::time::timeout(LONGEST, unwritten.write(&log)).await {
                    Ok(Ok(())) => {
                        let written = Written { outcome: CacheWriting::Written, note: None };
                        return Ok((written, Ending::Pass(format!("to {}", unwritten.place()))));
                    }
                    Ok(Err(Error::Cancelled)) => return Err(Error::Cancelled),
                    Ok(Err(Error::Build(BuildError::NoCacheExport))) => cannot(&unwritten.workshop.builders.detail()),
                    Ok(Err(error)) => format!("the cache could not be written: {}", text::words(&error.to_string())),
                    Err(_) => format!("the cache was not written: that took more than {}", text::span(LONGEST)),
                };
                let written = Written { outcome: CacheWriting::Failed, note: Some(failed.clone()) };
                Ok((written, Ending::Skip(failed)))
            })
            .await
    })
}
