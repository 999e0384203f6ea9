//! What Amazon ECR itself says of an image in one of its repositories: whether its tag may be moved, what ECR's own scan found,
//! whether ECR has signed it, and whether it may expire.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Deserialize;

use super::row::Row;
use crate::aws::ecr::{ManagedSigning, Mutability, Repository, Scan, ScanFindings};
use crate::aws::{self, RegistryHost, Session, Settings};
use crate::oci::reference::Repository as Name;
use crate::oci::registry::Selector;
use crate::oci::{Digest, Tag};
use crate::repository::{Expiry, expiry};
use crate::text;

/// How long it may take to find out who one is at AWS, where nobody has asked for that: on a machine outside of AWS, the SDK looks
/// for a service that is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the rows are called.
const TAG: &str = "tag";
const SCAN: &str = "ECR scan";
const SIGNING: &str = "ECR signing";
const LIFECYCLE: &str = "lifecycle";

/// What Amazon ECR has to say of an image, in a policy: to all that it is asked about, an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Asked {
    /// Whether the tag may be none that can be moved.
    #[serde(default)]
    immutable_tag: bool,
}

/// A repository of Amazon ECR, and whether it has to answer.
pub(super) struct Amazon {
    /// As a session sees it; else why there is none.
    pub(super) repository: Result<Repository, String>,
    /// Absent where it need not.
    asked: Option<Asked>,
}

impl Amazon {
    /// The repository, if it is one of Amazon ECR's by its address, or if it is `asked` for.
    pub(super) async fn find(name: &Name, asked: Option<Asked>) -> Option<Self> {
        let host = RegistryHost::parse(name.registry());
        if host.is_none() && asked.is_none() {
            return None;
        }
        let settings = Settings {
            role: None,
            region: host.as_ref().map(|host| host.region.clone()),
            allowed_accounts: Vec::new(),
            session_name: "gp-deliver".to_owned(),
            duration_seconds: 3600,
            audience: String::new(),
            session_policy: None,
        };
        let opened = Session::open(&settings, || None);
        let opened = if asked.is_some() { Ok(opened.await) } else { tokio::time::timeout(PATIENCE, opened).await };
        let repository = match opened {
            Ok(Ok(session)) => {
                let account = host.map_or_else(|| session.account.clone(), |host| host.account);
                Ok(Repository::new(session, account, name.name()))
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no credentials of AWS were found in time".to_owned()),
        };
        Some(Self { repository, asked })
    }

    /// The rows. `images` are the images of the platforms, which ECR scans one by one.
    pub(super) async fn rows(&self, selector: &Selector, root: Digest, images: &[Digest]) -> Vec<Row> {
        let repository = match &self.repository {
            Ok(repository) => repository,
            Err(why) => return vec![self.unknown("ECR", &format!("not asked: {why}"))],
        };
        let scans = join_all(images.iter().map(|image| repository.scan(*image)));
        let (mutability, scans, signing, lifecycle) =
            tokio::join!(repository.mutability(), scans, repository.managed_signing(root), repository.lifecycle_policy());
        vec![
            self.tag(mutability, selector),
            self.scan(scans, Timestamp::now()),
            self.signing(signing),
            self.lifecycle(repository, root, lifecycle).await,
        ]
    }

    /// What can't be told fails where it is asked for.
    fn unknown(&self, check: &'static str, says: &str) -> Row {
        Row::missing(check, self.asked.is_some(), text::words(says).to_string())
    }

    fn tag(&self, mutability: Result<Mutability, aws::Error>, selector: &Selector) -> Row {
        let Selector::Tag(tag) = selector else {
            return Row::note(TAG, "the image is named by its digest, which names no other");
        };
        let mutability = match mutability {
            Ok(Mutability::Unknown) => {
                return self.unknown(TAG, "whether it may be moved is not known: ecr:DescribeRepositories is missing");
            }
            Ok(mutability) => mutability,
            Err(error) => return self.unknown(TAG, &format!("whether it may be moved is not known: {error}")),
        };
        let says = format!("{tag} {}", moves(&mutability, tag));
        match mutability.may_move(tag) {
            Some(false) => Row::holds(TAG, says),
            _ => Row::missing(TAG, self.asked.is_some_and(|asked| asked.immutable_tag), says),
        }
    }

    fn scan(&self, scans: Vec<Result<Scan, aws::Error>>, now: Timestamp) -> Row {
        let mut row = Row::note(SCAN, "");
        let mut lines: Vec<String> = Vec::new();
        for scan in scans {
            // However old a basic scan is: it is told of when it is.
            let result = scan.map_err(|error| text::words(&error.to_string()));
            let line = match result.and_then(|scan| scan.result(None, now).map_err(|missing| missing.why)) {
                Ok(found) => said(&found),
                Err(why) => {
                    row.state = self.unknown(SCAN, "").state;
                    format!("no result: {why}")
                }
            };
            lines.push(line);
        }
        lines.dedup();
        row.says = lines.join("\n");
        row
    }

    fn signing(&self, signing: Result<Vec<ManagedSigning>, aws::Error>) -> Row {
        let signing = match signing {
            Ok(signing) => signing,
            Err(error) => return self.unknown(SIGNING, &format!("not known: {error}")),
        };
        if signing.is_empty() {
            return Row::note(SIGNING, "no rule of the registry signs it");
        }
        let lines: Vec<_> = signing.iter().map(managed).collect();
        let complete = signing.iter().all(|one| one.is_complete);
        // It is a signature of Notation's form, which is not looked at here.
        if complete {
            Row::note(SIGNING, lines.join("\n"))
        } else {
            Row::missing(SIGNING, self.asked.is_some(), lines.join("\n"))
        }
    }

    /// Which rule of the repository's policy takes it, and when.
    async fn lifecycle(&self, repository: &Repository, root: Digest, policy: Result<Option<String>, aws::Error>) -> Row {
        match policy {
            Ok(Some(policy)) => match expiry(repository, &policy, root).await {
                Ok(Expiry::Stays(says)) => Row::note(LIFECYCLE, says),
                // An image that goes within a day is none to run.
                Ok(Expiry::Goes(says)) => self.unknown(LIFECYCLE, &says),
                Ok(Expiry::Unknown(says)) => self.unknown(LIFECYCLE, &format!("not known: {says}")),
                Err(error) => self.unknown(LIFECYCLE, &format!("the image may expire, and when is not known: {error}")),
            },
            Ok(None) => Row::note(LIFECYCLE, "the repository has no policy: the image does not expire"),
            Err(error) => self.unknown(LIFECYCLE, &format!("not known: {error}")),
        }
    }
}

/// What a scan has found.
fn said(found: &ScanFindings) -> String {
    let by = if found.enhanced { "enhanced" } else { "basic" };
    let counts: Vec<_> = found.counts().iter().map(|(severity, count)| format!("{count} {severity}")).collect();
    let counts = if counts.is_empty() { "nothing".to_owned() } else { text::list(&counts) };
    let aside = found.findings.iter().filter(|finding| finding.set_aside.is_some()).count();
    let aside = if aside > 0 { format!(", and {aside} that Amazon Inspector does not have as open") } else { String::new() };
    format!("{counts} found by ECR's {by} scan{aside}, {}", text::time(found.at))
}

/// What the repository lets happen to a tag.
fn moves(mutability: &Mutability, tag: &Tag) -> String {
    let (rule, filters) = match mutability {
        Mutability::Mutable(filters) => ("the repository's tags may be moved", filters),
        Mutability::Immutable(filters) => ("the repository's tags are fixed", filters),
        Mutability::Unknown => return "is not known".to_owned(),
    };
    let excepted: Vec<_> = filters.iter().map(ToString::to_string).collect();
    let but = if excepted.is_empty() { String::new() } else { format!(" but {}", text::words(&text::list(&excepted))) };
    let may_move = if mutability.may_move(tag) == Some(false) { "is fixed" } else { "may be moved" };
    format!("{may_move}: {rule}{but}")
}

/// What came of the signing by a profile.
fn managed(one: &ManagedSigning) -> String {
    let failure = one.failure.as_ref().map(|failure| format!(": {failure}")).unwrap_or_default();
    // ECR signs in the name of whoever pushes (Amazon ECR user guide, "Managed signing").
    let denied = one.failure.as_ref().is_some_and(|failure| {
        let failure = failure.to_lowercase();
        ["accessdenied", "access denied", "not authorized", "signpayload"].iter().any(|word| failure.contains(word))
    });
    let hint = if denied { "; whoever pushes needs signer:SignPayload on the profile" } else { "" };
    format!("{} by {}{failure}{hint}", one.status, one.profile)
}

#[cfg(test)]
mod tests {
    use super::super::row::State;
    use super::*;
    use crate::aws::ecr::TagFilter;

    fn amazon(asked: bool) -> Amazon {
        Amazon { repository: Err(String::new()), asked: asked.then_some(Asked { immutable_tag: true }) }
    }

    fn tag(text: &str) -> Selector {
        Selector::Tag(text.parse().unwrap())
    }

    #[test]
    fn a_tag_is_fixed_by_the_repositorys_rule_and_its_filters() {
        let fixed = || Ok(Mutability::Immutable(vec![TagFilter::new("*-latest")]));
        let of = |text: &str| amazon(true).tag(fixed(), &tag(text));
        assert_eq!(of("v1").state, State::Holds);
        assert_eq!(of("dev-latest").state, State::Fails);
        assert_eq!(amazon(false).tag(fixed(), &tag("dev-latest")).state, State::Note);
        assert_eq!(amazon(true).tag(Ok(Mutability::Unknown), &tag("v1")).state, State::Fails);
    }

    #[test]
    fn a_scan_without_a_result_is_said_and_fails_where_it_is_asked_for() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        for scan in [Scan::Unsupported("its state is UNSUPPORTED_IMAGE".into()), Scan::Waiting("it has not ended".into())] {
            assert_eq!(amazon(true).scan(vec![Ok(scan.clone())], now).state, State::Fails);
            let row = amazon(false).scan(vec![Ok(scan)], now);
            assert!(
                row.state == State::Note && row.says.contains("no result") && !row.says.contains("nothing found"),
                "{}",
                row.says
            );
        }
        let found = Scan::Found(ScanFindings { enhanced: true, at: now, findings: Vec::new() });
        let says = amazon(true).scan(vec![Ok(found)], now).says;
        assert_eq!(says, "nothing found by ECR's enhanced scan, 2026-11-28 12:00 UTC");
    }

    #[test]
    fn who_may_not_sign_in_signers_name_is_told_what_is_missing() {
        let failed = ManagedSigning {
            profile: "arn:aws:signer:eu-central-1:012345678901:/signing-profiles/p".into(),
            status: "FAILED".into(),
            is_complete: false,
            failure: Some("AccessDeniedException: User is not authorized to perform: signer:SignPayload".into()),
        };
        assert_eq!(amazon(true).signing(Ok(vec![failed.clone()])).state, State::Fails);
        let row = amazon(false).signing(Ok(vec![failed]));
        assert!(row.state == State::Note && row.says.contains("needs signer:SignPayload on the profile"), "{}", row.says);
    }
}
