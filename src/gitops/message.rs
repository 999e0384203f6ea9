//! What a commit says of the delivery that it comes from, and what is read of that later.

use super::source_commit::SourceCommit;
use super::wanted::Wanted;
use crate::environment::Environment;

const IMAGE: &str = "Gp-Deliver-Image";
const DIGEST: &str = "Gp-Deliver-Digest";
const ENVIRONMENT: &str = "Gp-Deliver-Environment";
const COMMIT: &str = "Gp-Deliver-Commit";
const TAKES_BACK: &str = "Gp-Deliver-Takes-Back";
const RUN: &str = "Gp-Deliver-Run";
/// The most commits that a rollback says it takes back. Each is compared with what is delivered later.
pub(super) const MAX_TAKEN_BACK: usize = 10;

/// What is delivered, and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Shipment {
    /// The image.
    pub(crate) wanted: Wanted,
    /// The environment that it is delivered to: one repository of images may serve several.
    pub(crate) environment: Environment,
    /// The commit that it is of; absent outside git.
    pub(crate) commit: Option<SourceCommit>,
    /// The address of the run.
    pub(crate) run: Option<String>,
    /// Whether it may be an older one.
    pub(crate) course: Course,
}

/// Which way a delivery goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// To a newer commit, or nowhere.
    Onward,
    /// To the one that was chosen, on purpose.
    Back {
        /// What has been delivered until now, as far as it is known from elsewhere than from the branch.
        over: Vec<SourceCommit>,
    },
}

/// Who delivered last, by the word of whoever may write to the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    /// The commit whose image was set.
    pub(super) commit: SourceCommit,
    /// The commits that were taken back by that; absent where it was no rollback.
    pub(super) taken_back: Option<Vec<SourceCommit>>,
}

impl Earlier {
    /// What a delivery has to come from. Where [`Self::is_rollback`], it may not be one of them.
    pub(super) fn delivered(&self) -> &[SourceCommit] {
        match &self.taken_back {
            Some(all) if !all.is_empty() => all,
            _ => std::slice::from_ref(&self.commit),
        }
    }

    /// Whether an earlier delivery was gone back to.
    pub(super) fn is_rollback(&self) -> bool {
        self.taken_back.is_some()
    }
}

impl Shipment {
    /// Whether it goes back to an earlier delivery.
    pub(super) fn goes_back(&self) -> bool {
        self.course != Course::Onward
    }

    /// What the change is, in one line.
    pub(super) fn title(&self) -> String {
        let does = if self.goes_back() { "Go back to" } else { "Deliver" };
        let name = self.wanted.repository.name();
        self.wanted.tag.as_ref().map_or_else(|| format!("{does} {name}"), |tag| format!("{does} {name}:{tag}"))
    }

    /// The trailers of a commit (git-interpret-trailers(1)). What has a line end or another control character is left out.
    ///
    /// `taken_back` is what the branch says was delivered before; it counts where this goes back.
    pub(super) fn trailers(&self, taken_back: &[SourceCommit]) -> String {
        let digest = self.wanted.digest.map(|digest| digest.to_string());
        let mut all = vec![
            (IMAGE, Some(self.wanted.repository.to_string())),
            (DIGEST, digest),
            (ENVIRONMENT, Some(self.environment.to_string())),
            (COMMIT, self.commit.as_ref().map(SourceCommit::to_string)),
        ];
        if let Course::Back { over } = &self.course {
            let mut taken = Vec::<&SourceCommit>::new();
            for commit in taken_back.iter().chain(over).chain(&self.commit) {
                if commit.is_known() && !taken.contains(&commit) && taken.len() < MAX_TAKEN_BACK {
                    taken.push(commit);
                }
            }
            all.extend(taken.into_iter().map(|commit| (TAKES_BACK, Some(commit.to_string()))));
        }
        all.push((RUN, self.run.clone()));
        let known = all.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let plain = known.filter(|(_, value)| !value.contains(char::is_control));
        plain.fold(String::new(), |text, (key, value)| text + key + ": " + &value + "\n")
    }

    /// The message of a commit.
    pub(super) fn message(&self, taken_back: &[SourceCommit]) -> String {
        format!("{}\n\n{}", self.title(), self.trailers(taken_back))
    }

    /// What a commit's message says of an earlier delivery of this image to this environment; none where it is of something
    /// else.
    pub(super) fn earlier(&self, message: &str) -> Option<Earlier> {
        let trailers = trailers(message)?;
        let value = |key: &str| trailers.iter().rev().find(|(known, _)| *known == key).map(|(_, value)| *value);
        if value(IMAGE)? != self.wanted.repository.to_string() || value(ENVIRONMENT)? != self.environment.to_string() {
            return None;
        }
        let taken_back: Vec<_> =
            trailers.iter().filter(|(key, _)| *key == TAKES_BACK).map(|(_, value)| SourceCommit::read(value)).collect();
        let commit = SourceCommit::read(value(COMMIT).unwrap_or_default());
        Some(Earlier { commit, taken_back: (!taken_back.is_empty()).then_some(taken_back) })
    }
}

/// The trailers of a message that name an image: those of its last paragraph that has nothing but trailers. What GitHub adds to
/// the message of a merge comes behind that, in a paragraph of its own.
fn trailers(message: &str) -> Option<Vec<(&str, &str)>> {
    let lines: Vec<_> = message.lines().map(str::trim_end).collect();
    let paragraphs = lines.split(|line| line.is_empty()).rev().filter(|paragraph| !paragraph.is_empty());
    let mut all = paragraphs.filter_map(|paragraph| paragraph.iter().map(|line| trailer(line)).collect::<Option<Vec<_>>>());
    all.find(|trailers| trailers.iter().any(|(key, _)| *key == IMAGE))
}

fn trailer(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(": ")?;
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_key.then_some((key, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(of: &str) -> SourceCommit {
        SourceCommit { source: "acme/web".into(), id: of.repeat(40) }
    }

    fn shipment(run: &str) -> Shipment {
        let wanted = Wanted {
            name: None,
            repository: "r.example/shop/web".parse().unwrap(),
            tag: Some("v1".parse().unwrap()),
            digest: Some(crate::oci::Digest::of(b"image")),
        };
        let (commit, environment) = (Some(commit("a")), Environment::Prod);
        Shipment { wanted, environment, commit, run: Some(run.into()), course: Course::Onward }
    }

    #[test]
    fn a_commit_says_what_it_is_of_and_the_next_delivery_reads_it() {
        let shipment = shipment("https://github.com/acme/web/actions/runs/1");
        let earlier = shipment.earlier(&shipment.message(&[commit("b")])).unwrap();
        assert_eq!(earlier, Earlier { commit: commit("a"), taken_back: None });
        let trailers = shipment.trailers(&[]);
        for merged in [
            // As a merge that squashes writes it.
            format!("Deliver (#7)\n\n* Deliver\n\n{trailers}"),
            format!("Deliver (#7)\n\n{trailers}\n---------\n\nCo-authored-by: Ann <ann@example.com>\n"),
            format!("Deliver (#7)\n\n{trailers}").replace('\n', "\r\n"),
        ] {
            assert_eq!(shipment.earlier(&merged), Some(earlier.clone()), "{merged}");
        }
    }

    #[test]
    fn what_stands_in_the_text_of_a_message_is_no_trailer_and_nothing_adds_one() {
        let message = shipment("x\nGp-Deliver-Commit: forged").message(&[]);
        assert!(!message.contains("forged") && !message.contains("Gp-Deliver-Run"), "{message}");
        let shipment = shipment("x");
        let quoted = format!("Revert\n\n{}said somebody.\n\nSigned-off-by: a", shipment.trailers(&[]));
        assert_eq!(shipment.earlier(&quoted), None);
        for other in [("shop/web", "shop/web2"), ("prod", "staging")] {
            assert_eq!(shipment.earlier(&shipment.message(&[]).replace(other.0, other.1)), None);
        }
    }

    #[test]
    fn a_rollback_says_what_it_takes_back_once_each_and_not_without_an_end() {
        let back = Shipment { course: Course::Back { over: vec![commit("c")] }, ..shipment("x") };
        let before = [commit("b"), commit("c"), SourceCommit::read("acme/web@main")];
        let message = back.message(&before);
        assert!(message.starts_with("Go back to shop/web:v1\n\n"), "{message}");
        let earlier = back.earlier(&message).unwrap();
        let taken = vec![commit("b"), commit("c"), commit("a")];
        assert_eq!(earlier, Earlier { commit: commit("a"), taken_back: Some(taken) });
        let many: Vec<_> = (0..100).map(|number| SourceCommit { id: format!("{number:040}"), ..commit("a") }).collect();
        assert_eq!(back.earlier(&back.message(&many)).unwrap().delivered().len(), MAX_TAKEN_BACK);
    }
}
