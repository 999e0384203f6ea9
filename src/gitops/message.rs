//! What a commit says of the delivery that it comes from, and what is read of that later.

use super::wanted::Wanted;
use crate::text::{self, Line};

const IMAGE: &str = "Gp-Deliver-Image";
const DIGEST: &str = "Gp-Deliver-Digest";
const COMMIT: &str = "Gp-Deliver-Commit";
const RUN: &str = "Gp-Deliver-Run";

/// What is delivered, and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Shipment {
    /// The image.
    pub(crate) wanted: Wanted,
    /// The commit that it is of; absent outside git.
    pub(crate) commit: Option<String>,
    /// The repository of that commit at GitHub: `OWNER/NAME`.
    pub(crate) source: Option<String>,
    /// The address of the run.
    pub(crate) run: Option<String>,
}

/// Who delivered last, by the word of whoever may write to the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    /// The repository of the commit; empty where it is not known.
    pub(super) source: String,
    /// The commit.
    pub(super) commit: String,
}

impl Shipment {
    /// What the change is, in one line.
    pub(super) fn title(&self) -> String {
        let tag = self.wanted.tag.iter().map(|tag| format!(":{tag}")).collect::<String>();
        format!("Deliver {}{tag}", self.wanted.repository.name())
    }

    /// The trailers of a commit (git-interpret-trailers(1)). What has a line end or another control character is left out.
    pub(super) fn trailers(&self) -> String {
        let commit = self.commit.as_ref().map(|commit| match &self.source {
            Some(source) => format!("{source}@{commit}"),
            None => commit.clone(),
        });
        let digest = self.wanted.digest.map(|digest| digest.to_string());
        let all =
            [(IMAGE, Some(self.wanted.repository.to_string())), (DIGEST, digest), (COMMIT, commit), (RUN, self.run.clone())];
        let known = all.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let plain = known.filter(|(_, value)| !value.contains(char::is_control));
        plain.map(|(key, value)| format!("{key}: {value}\n")).collect()
    }

    /// The message of a commit.
    pub(super) fn message(&self) -> String {
        format!("{}\n\n{}", self.title(), self.trailers())
    }

    /// What a commit's message says of an earlier delivery of this image; none where it is of something else.
    pub(super) fn earlier(&self, message: &str) -> Option<Earlier> {
        let repository = self.wanted.repository.to_string();
        if trailer(message, IMAGE)? != repository {
            return None;
        }
        let commit = trailer(message, COMMIT).unwrap_or_default();
        let (source, commit) = commit.rsplit_once('@').unwrap_or(("", commit));
        Some(Earlier { source: source.to_owned(), commit: commit.to_owned() })
    }
}

impl Earlier {
    /// The commit for people, whatever was written there.
    pub(super) fn shown(&self) -> Line {
        text::words(if self.commit.is_empty() { "an unknown commit" } else { &self.commit })
    }
}

/// The value of a trailer, the last one where it is there twice: those of the last paragraph alone count.
fn trailer<'a>(message: &'a str, key: &str) -> Option<&'a str> {
    let paragraph = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    paragraph.lines().rev().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ").map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipment(run: &str) -> Shipment {
        let wanted = Wanted {
            name: None,
            repository: "r.example/shop/web".parse().unwrap(),
            tag: Some("v1".parse().unwrap()),
            digest: Some(crate::oci::Digest::of(b"image")),
        };
        Shipment { wanted, commit: Some("a".repeat(40)), source: Some("acme/web".into()), run: Some(run.into()) }
    }

    #[test]
    fn a_commit_says_what_it_is_of_and_the_next_delivery_reads_it() {
        let shipment = shipment("https://github.com/acme/web/actions/runs/1");
        let earlier = shipment.earlier(&shipment.message()).unwrap();
        assert_eq!(earlier, Earlier { source: "acme/web".into(), commit: "a".repeat(40) });
        // As a merge that squashes writes it.
        assert!(shipment.earlier(&format!("Deliver (#7)\n\n* Deliver\n\n{}", shipment.trailers())).is_some());
    }

    #[test]
    fn what_stands_in_the_text_of_a_message_is_no_trailer_and_nothing_adds_one() {
        let message = shipment("x\nGp-Deliver-Commit: forged").message();
        assert!(!message.contains("forged") && !message.contains("Gp-Deliver-Run"), "{message}");
        let shipment = shipment("x");
        let quoted = format!("Revert\n\n{}\nsaid somebody.\n\nSigned-off-by: a", shipment.trailers());
        assert_eq!(shipment.earlier(&quoted), None);
        let of_another = shipment.message().replace("shop/web", "shop/web2");
        assert_eq!(shipment.earlier(&of_another), None);
    }
}
