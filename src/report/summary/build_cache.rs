//! What the build cache that machines share has brought: in a line, and step by step.

use crate::record::{BuildCache, CacheReading, CacheWriting, CachedStep, Record};
use crate::report::document::Document;
use crate::text;
use crate::text::markdown::{code, prose};

/// How many steps are shown.
const SHOWN: usize = 100;

/// The line of the table of facts.
pub(super) fn fact(cache: &BuildCache) -> String {
    let place = cache.place.as_deref().map_or_else(|| "none".to_owned(), code);
    let (there, all) = cache.hits();
    let read = match cache.read {
        CacheReading::Read => format!("{there} of {} there", text::count(all, "step")),
        CacheReading::Empty => "nothing of this build was there".to_owned(),
        CacheReading::Failed => "it could not be read".to_owned(),
        CacheReading::Withheld => "not read".to_owned(),
    };
    let written = match cache.written {
        Some(CacheWriting::Written) => ", and written",
        Some(CacheWriting::Unchanged) => ", and left as it is",
        Some(CacheWriting::Failed) => ", and not written",
        None => "",
    };
    let notes = cache.notes.iter().map(|note| format!("<br>{}", prose(note)));
    [format!("{place}: {read}{written}")].into_iter().chain(notes).collect()
}

/// Writes which steps were there, where some were.
pub(super) fn write(document: &mut Document, record: &Record) {
    let Some(cache) = record.build_cache.as_ref().filter(|cache| cache.hits().0 > 0) else { return };
    document.heading("Steps of the build");
    let rows = cache.steps.iter().take(SHOWN).map(|CachedStep { platform, name, cached }| {
        [code(name), code(&platform.to_string()), if *cached { "was there" } else { "was run" }.to_owned()]
    });
    document.table(["Step", "Of", ""], rows);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache_writers::CacheWriters;
    use crate::report::fixture;

    #[test]
    fn it_is_said_which_steps_were_there_and_what_became_of_the_cache() {
        let step = |name: &str, cached| CachedStep { platform: "linux/amd64".parse().unwrap(), name: name.to_owned(), cached };
        let mut record = fixture::delivered();
        record.build_cache = Some(BuildCache {
            place: Some("registry.example/cache/prod".to_owned()),
            read: CacheReading::Read,
            writers: CacheWriters::Environment,
            steps: vec![step("[2/3] RUN make | tee log", true), step("[3/3] COPY <a> /", false)],
            written: Some(CacheWriting::Written),
            notes: vec!["a <word> of it".to_owned()],
        });
        let text = super::super::render(&record, usize::MAX);
        let said =
            format!("<code>registry.example/cache/prod</code>: 1 of 2 steps there, and written<br>{}", prose("a <word> of it"));
        assert!(text.contains(&said) && !text.contains("<word>"), "{text}");
        assert!(text.contains("| was there |") && text.contains("| was run |") && !text.contains("COPY <a>"), "{text}");
        let cache = record.build_cache.as_mut().unwrap();
        (cache.place, cache.read, cache.written) = (None, CacheReading::Withheld, None);
        assert!(fact(cache).starts_with("none: not read<br>"));
    }
}
