//! The words for scans that did not happen, or not wholly.

use jiff::Timestamp;

use super::Diagnosis;
use crate::oci::layer;
use crate::scan::Error;
use crate::scan::database::{Kind, MaxAge};

/// The most files that are named where some could not be read.
const UNREAD_SHOWN: usize = 10;

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Program(error) => error.into(),
            Error::Git { last, .. } => git(last),
            Error::Failed { tool, code, last } => Self::new(
                format!("{tool} failed, so nothing is known about {}", tool.subject),
                last.last().cloned().unwrap_or_else(|| format!("It ended with code {code} and said nothing.")),
                format!("See its last lines. If they do not help, run {tool} by hand on the same input."),
            )
            .with_excerpt(last),
            Error::InvalidOutput { tool, reason, last } => Self::new(
                format!("{tool} gave no usable answer, so nothing is known about {}", tool.subject),
                reason,
                format!("Check that {tool} has the pinned version."),
            )
            .with_excerpt(last),
            Error::GitAnswer { reason } => Self::new(
                "git gave no usable answer, so nothing is known about the history of the source",
                reason,
                "Check that git is of the version that is pinned.",
            ),
            Error::Unread(files) => unread(files),
            Error::Changed(files) => Self::new(
                "The build context changed while it was sent and looked through",
                "What the builder got of these files is not what was scanned for secrets.",
                "Find out what writes to them, and run again once it has ended.",
            )
            .with_excerpt(&files[..files.len().min(UNREAD_SHOWN)]),
            Error::PartialTree { scanned, expected, last } => Self::new(
                "Only part of the files was scanned for secrets",
                read("The files have", *scanned, *expected),
                "Try again. If it happens again, check that gitleaks has the pinned version.",
            )
            .with_excerpt(last),
            Error::ShallowHistory => Self::new(
                "The clone is shallow, so most of the history can't be scanned for secrets",
                "The commits that it leaves out are delivered with the image's source all the same, and this environment asks for \
                 all of them.",
                "Check out with `fetch-depth: 0`. To go by the working tree and what the push brought alone, set \
                 `secrets-history: push`; the report says so.",
            ),
            Error::PartialHistory { scanned, expected, last } => Self::new(
                "Only part of the history was scanned for secrets",
                read("The commits add", *scanned, *expected),
                "Try again. If it happens again, check the repository with `git fsck`; \
                 `secrets-history: none` scans the files alone.",
            )
            .with_excerpt(last),
            Error::LeakRules { reason } => Self::new(
                "The project's .gitleaks.toml can't be used",
                reason.clone(),
                "Correct the file, or remove it to scan with gitleaks' own rules. It may extend those (useDefault = true), \
                 but no other file.",
            ),
            Error::IgnoreFile { path, reason } => {
                Self::new(format!("{} can't be used", path.display()), reason.clone(), "Correct the file, or remove it.")
            }
            Error::Database { kind, failures, cached, limit } => database(*kind, failures, *cached, *limit),
            Error::Io { path, source } => Self::new(
                format!("{} can't be used", path.display()),
                source.to_string(),
                "Check that it exists, that you may read and write it, and that the disk has room.",
            ),
            Error::Image(error) => error.into(),
            Error::Layer(error) => layer(error),
        }
    }
}

fn layer(error: &layer::Error) -> Diagnosis {
    let remedy = "Set `reuse` to proven or never: then the image is built from the source instead of taken.";
    let unread = |layer: &dyn std::fmt::Display, why: String| {
        Diagnosis::new(format!("The layer {layer} was not looked through for secrets"), why, remedy)
    };
    match error {
        layer::Error::Blob(error) | layer::Error::NoRoom(error) => error.into(),
        layer::Error::Archive { layer, reason } => {
            unread(layer, format!("It is not an archive that every reader reads alike: {reason}."))
        }
        layer::Error::Content { layer, expected, actual } => {
            unread(layer, format!("It holds {actual}, and the image's configuration says {expected}."))
        }
        layer::Error::TooMuch => {
            Diagnosis::new("The image has more in it than is looked through for secrets", error.to_string(), remedy)
        }
        layer::Error::Io { path, source } => super::layout::file(path, source),
        layer::Error::Cancelled => {
            Diagnosis::new("The image was not looked through for secrets", "It was asked to end.", "Run again.")
        }
    }
}

fn database(kind: Kind, failures: &[(String, String)], cached: Option<Timestamp>, limit: Option<MaxAge>) -> Diagnosis {
    let cached = cached.map(|updated_at| updated_at.strftime("%Y-%m-%d %H:%M UTC"));
    let limit = limit.map(|limit| format!(" (`database-max-age` is {limit})")).unwrap_or_default();
    Diagnosis::new(
        format!("The {} is not available", kind.name()),
        match cached {
            Some(updated_at) => {
                format!("No mirror has one to judge by, and the one in the cache, of {updated_at}, is too old{limit}.")
            }
            None => format!("No mirror has one to judge by{limit}, and none is in the cache."),
        },
        "Check the network and the proxy settings, or name a mirror that is reachable and up to date with \
         `trivy-db-repository` (oci:PATH for a folder). To judge by older advisories, set `database-max-age`.",
    )
    .with_excerpt(&failures.iter().map(|(mirror, reason)| format!("{mirror}: {reason}")).collect::<Vec<_>>())
}

fn read(what: &str, scanned: u64, expected: Option<u64>) -> String {
    match expected {
        Some(expected) => format!("{what} {expected} bytes; gitleaks read {scanned} of them."),
        None => format!("gitleaks ended before it had all of them; it read {scanned} bytes."),
    }
}

fn git(last: &[String]) -> Diagnosis {
    let why = last.last().cloned().unwrap_or_else(|| "git gave no reason.".to_owned());
    let is_shallow =
        ["Invalid revision", "bad revision", "bad object", "unknown revision"].iter().any(|words| why.contains(words));
    let remedy = if is_shallow {
        "Fetch the missing commits (`fetch-depth: 0` in actions/checkout), or choose another `secrets-history`."
    } else if why.contains("not a git repository") {
        "Run in a git repository, or set `secrets-history: none` to scan the files alone."
    } else if why.contains("diff-merges") || why.contains("unrecognized argument") {
        "Update git to 2.35 or later."
    } else {
        "Check the repository with `git fsck`. A partial clone lacks contents that the scan needs: check out without `filter` and \
         `sparse-checkout`."
    };
    Diagnosis::new("The history of the source can't be read", why, remedy).with_excerpt(last)
}

fn unread(files: &[String]) -> Diagnosis {
    let shown = &files[..files.len().min(UNREAD_SHOWN)];
    let what = match files {
        [file] => format!("{file} was not scanned for secrets"),
        _ => format!("{} files were not scanned for secrets", files.len()),
    };
    Diagnosis::new(
        what,
        "They can't be read, and a secret in them would go unnoticed.",
        "Make them readable for the user who runs the scan, or remove them from the source.",
    )
    .with_excerpt(shown)
}
