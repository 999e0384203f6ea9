//! What was published, from what, and what is in it.

use super::build_cache;
use crate::record::{Certified, Database, ImageRecord, PlatformRecord, Publication, Record, Sandbox, Signer, Sigstore, Source};
use crate::report::advice::short_commit;
use crate::report::document::Document;
use crate::report::verify;
use crate::text;
use crate::text::markdown::{block, code, prose};

/// Writes the table of facts.
pub(crate) fn write(document: &mut Document, record: &Record) {
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut row = |name: &str, value: String| rows.push([format!("**{name}**"), value]);
    match (&record.publication, &record.destination) {
        (Some(publication), _) => {
            row("Published to", code(&publication.destination));
            let tags: Vec<_> = publication.tags.iter().map(|tag| code(tag.as_str())).collect();
            row("Tags", if tags.is_empty() { "none".to_owned() } else { tags.join(", ") });
            row("Digest", code(&publication.digest.to_string()));
            row("Sent", sent(publication));
            if let Some(signer) = &record.signer {
                row("Signed", signed(signer, record));
            }
        }
        (None, Some(destination)) => row("Destination", format!("{}: unchanged", code(destination))),
        (None, None) => {}
    }
    if let Some(image) = &record.image {
        if record.publication.is_none() {
            row("Digest", format!("{}, built and not published", code(&image.digest.to_string())));
        }
        row("Image", size(image));
        if let Some(builders) = builders(image) {
            row("Built by", builders);
        }
        if let Some(sbom) = sbom(image) {
            row("SBOM", sbom);
        }
    }
    if let Some(cache) = &record.build_cache {
        row("Build cache", build_cache::fact(cache));
    }
    if let Some(source) = record.source.as_ref().and_then(source) {
        row("Source", source);
    }
    if let Some(database) = &record.database {
        row("Vulnerability database", age(database, record));
    }
    if let Some(sandbox) = &record.sandbox {
        row("Sandbox", self::sandbox(sandbox));
    }
    document.table(["", ""], rows);
    // In a block of their own: a cell shows no line of such a length as a whole.
    let commands: Vec<_> = [verify::command(record), verify::own_command(record)].into_iter().flatten().collect();
    if let [_, ..] = &*commands {
        document.paragraph(if commands.len() == 1 { "To check it:" } else { "To check who signed it, by either of these:" });
        document.paragraph(&block(&commands));
    }
}

/// By whom an image is signed, and who can read that.
fn signed(signer: &Signer, record: &Record) -> String {
    let (who, place) = match signer {
        Signer::Certificate(signer) => (code(&signer.identity), place(signer)),
        Signer::Key(signer) => {
            let key = signer.source.as_ref().map_or_else(|| code(&signer.key.to_string()), |source| code(source));
            let times = if signer.timestamps { "" } else { ", and nobody else has said when that was" };
            (format!("the key {key}"), format!("they are in no log{times}"))
        }
    };
    let kept =
        record.signed.map(|digest| format!("<br>the verdict names {} ({})", code(crate::report::SIGNED), code(&digest.short())));
    let kept = kept.unwrap_or_default();
    let new = match record.attestations.len() {
        0 => "an earlier delivery's signed statements are beside the image".to_owned(),
        number => format!("{} beside the image", text::count(number, "signed statement")),
    };
    let at_github = record.attestations.iter().filter(|attestation| attestation.github.is_some()).count();
    let at_github = if at_github == 0 { String::new() } else { format!(", {at_github} of them at GitHub too") };
    format!("by {who}<br>{new}{at_github}; {place}{kept}")
}

/// Who can read what certificates have signed.
fn place(signer: &Certified) -> String {
    match (signer.sigstore, signer.log.as_deref().map(code)) {
        (Sigstore::Public, Some(log)) => format!("anyone can read them in the public log {log}, for good"),
        (Sigstore::Private, Some(log)) => format!("they are in the log {log}"),
        (Sigstore::GitHub, _) => "they are in no log, for GitHub's own Sigstore has none".to_owned(),
        (_, None) => "they are in no log".to_owned(),
    }
}

/// What scanners and git were shut in.
fn sandbox(sandbox: &Sandbox) -> String {
    let landlock = sandbox.landlock.map(|version| format!("Landlock {version}"));
    let parts = [landlock, sandbox.seccomp.then(|| "seccomp".to_owned()), sandbox.own_user.then(|| "a user each".to_owned())];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let held = if parts.is_empty() { "**none**".to_owned() } else { text::list(&parts) };
    let missing: Vec<_> = sandbox.missing.iter().map(|missing| prose(&missing.part)).collect();
    if missing.is_empty() { held } else { format!("{held}; **missing: {}**", text::list(&missing)) }
}

fn sent(publication: &Publication) -> String {
    let sent = text::count(publication.blobs_sent as usize, "blob");
    format!("{} in {sent}; {} were there already", text::size(publication.bytes_sent), publication.blobs_present)
}

fn size(image: &ImageRecord) -> String {
    let platforms: Vec<_> = image
        .platforms
        .iter()
        .map(|platform| format!("{} ({})", code(&platform.platform.to_string()), text::count(platform.layers as usize, "layer")))
        .collect();
    format!("{}, {}", text::size(image.size), text::list(&platforms))
}

/// Who built for which platform, where there are several builders.
fn builders(image: &ImageRecord) -> Option<String> {
    let built = |platform: &PlatformRecord| {
        let builder = platform.builder.as_ref()?;
        Some(format!("{} ({})", code(builder), code(&platform.platform.to_string())))
    };
    let built: Vec<_> = image.platforms.iter().filter_map(built).collect();
    (!built.is_empty()).then(|| text::list(&built))
}

fn sbom(image: &ImageRecord) -> Option<String> {
    let platforms = image.platforms.iter().filter(|platform| !platform.sboms.is_empty());
    let platforms = platforms.map(|platform| {
        let files: Vec<_> = platform.sboms.iter().map(|file| code(file)).collect();
        let packages =
            platform.packages.map_or_else(String::new, |number| format!("{}: ", text::count(number as usize, "package")));
        format!("{packages}{}", files.join(", "))
    });
    let platforms: Vec<_> = platforms.collect();
    (!platforms.is_empty()).then(|| platforms.join("<br>"))
}

fn source(source: &Source) -> Option<String> {
    let commit = source.commit.as_ref().map(|commit| format!("commit {}", code(&short_commit(commit))));
    let branch = source.branch.as_ref().map(|branch| format!("branch {}", code(branch)));
    let tag = source.tag.as_ref().map(|tag| format!("tag {}", code(tag)));
    let dirty = source.dirty.then(|| "with changes that are not committed".to_owned());
    let parts: Vec<_> = [commit, branch, tag, dirty].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// How old the database was when the delivery began.
fn age(database: &Database, record: &Record) -> String {
    let hours = record.started_at.duration_since(database.updated_at).as_hours().max(0);
    let age = if hours < 48 { format!("{hours} h") } else { format!("{} days", hours / 24) };
    format!("{age} old, {} ({})", code(&database.repository), code(&database.digest.short()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_age_of_the_database_is_that_at_the_start() {
        let mut record = fixture::delivered();
        let mut database = record.database.take().unwrap();
        assert!(age(&database, &record).starts_with("28 h old"));
        database.updated_at = "2026-07-24T10:00:00Z".parse().unwrap();
        assert!(age(&database, &record).starts_with("10 days old"));
        database.updated_at = "2030-01-01T00:00:00Z".parse().unwrap();
        assert!(age(&database, &record).starts_with("0 h old"), "a clock that is wrong");
    }

    #[test]
    fn a_destination_that_nothing_was_published_to_is_said_to_be_unchanged() {
        let mut document = Document::new(usize::MAX);
        write(&mut document, &fixture::blocked());
        assert!(document.finish().contains("<code>registry.example/team/hello</code>: unchanged"));
    }
}
