//! What the command line asks of an image, made sense of.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;

use super::amazon;
use super::folder::Folder;
use super::today::{Asked, Today};
use super::wanted::{NamedKey, Policy, Signer, Wanted};
use crate::aws::KeyArn;
use crate::beneath;
use crate::document;
use crate::environment::Environment;
use crate::evidence::{Accepted, KeyRule, Pattern, Rule};
use crate::inputs::{self, Inputs, KeySource, Problem, Sign};
use crate::oci::Reference;
use crate::oci::registry::Selector;
use crate::process::Demand;
use crate::scan::{self, trivy::ignore::Lists};
use crate::sigstore::{InvalidInstance, PublicKey, Root};

/// The most that is read of a policy or a trusted root, in bytes.
const MAX_DOCUMENT: u64 = 1 << 20;

/// The argument, as it is named to people.
pub(super) const IMAGE: &str = "IMAGE";

/// What the command line says, as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// `HOST[:PORT]/NAME:TAG` or `…@DIGEST`; to be looked at also a layout folder, `oci:PATH[:TAG]`.
    pub(crate) image: String,
    /// The environment whose gates it has to have passed.
    pub(crate) environment: Option<String>,
    /// Who may have signed.
    pub(crate) identities: Vec<String>,
    /// Which keys may have signed: `[ENVIRONMENT=]KEY`.
    pub(crate) keys: Vec<String>,
    /// Who has to have issued the signer's token.
    pub(crate) issuer: Option<String>,
    /// The repository that the signer's run has to be of: `OWNER/NAME` or an address.
    pub(crate) repository: Option<String>,
    /// The ref that it has to be of.
    pub(crate) reference: Option<String>,
    /// The commit that the image has to be of.
    pub(crate) commit: Option<String>,
    /// How old its verdict may be.
    pub(crate) max_age: Option<String>,
    /// A file that says all that.
    pub(crate) policy: Option<PathBuf>,
    /// A trusted root, or `github`.
    pub(crate) root: Option<String>,
    /// What is asked of it by what is known today.
    pub(crate) today: TodayRequest,
    /// Whether Amazon ECR has to answer about it.
    pub(crate) ecr: bool,
    /// Whether the table is wanted as JSON.
    pub(crate) json: bool,
}

/// What the command line asks of an image by what is known today.
#[derive(Clone, Debug, Default)]
pub(crate) struct TodayRequest {
    /// Whether its SBOM is judged by that.
    pub(crate) asked: bool,
    /// The lowest severity that may not be in it then.
    pub(crate) severity_threshold: Option<String>,
    /// Whether what has no fix does not count.
    pub(crate) ignore_unfixed: bool,
    /// Where the database is.
    pub(crate) mirrors: Option<String>,
    /// How old it may be.
    pub(crate) database_max_age: Option<String>,
    /// A list of what is let through.
    pub(crate) ignore_file: Option<PathBuf>,
    /// What trivy is shut in.
    pub(crate) sandbox: Option<Demand>,
}

/// What is looked at, wherever it is.
pub(super) enum Looked {
    /// An image in a registry.
    Image(Box<Question>),
    /// One in a layout folder.
    Folder(Folder, Box<Criteria>),
}

/// What is looked at, and what is asked of it.
pub(crate) struct Question {
    /// The image.
    pub(crate) image: Reference,
    /// The same, as a registry is asked for it.
    pub(crate) selector: Selector,
    /// What is asked of it.
    pub(crate) criteria: Criteria,
}

/// What is asked of an image, and how it is known who has signed.
pub(crate) struct Criteria {
    /// The root by which those are known who sign with a certificate.
    pub(crate) root: Root,
    /// Whether that was said, and there is somebody among them who says times: then a key's signature has to have one.
    pub(crate) demands_time: bool,
    /// What is asked of it.
    pub(crate) wanted: Wanted,
    /// The keys that may have signed, as far as they are known.
    pub(crate) keys: Vec<PublicKey>,
    /// Those that AWS KMS has to be asked for.
    pub(crate) unread: Vec<UnreadKey>,
}

/// A key that AWS KMS has to be asked for.
pub(crate) struct UnreadKey {
    /// The key.
    pub(crate) arn: KeyArn,
    named: NamedKey,
}

impl Criteria {
    /// Takes note of a key that was read.
    ///
    /// # Errors
    /// It is named for other environments too.
    pub(super) fn know(&mut self, unread: &UnreadKey, key: PublicKey) -> Result<(), Problem> {
        if speaks_for_others(&self.wanted.signers, &unread.named, &key) {
            return Err(problem("key", &unread.named.key, ONE_ENVIRONMENT));
        }
        self.wanted.signers.push(rule(&unread.named, &key));
        self.keys.push(key);
        Ok(())
    }

    /// Whether nobody's word counts.
    #[must_use]
    pub(crate) fn name_nobody(&self) -> bool {
        self.wanted.signers.is_empty() && self.unread.is_empty()
    }
}

fn rule(named: &NamedKey, key: &PublicKey) -> Accepted {
    let NamedKey { environments, repository, .. } = named.clone();
    KeyRule { key: key.fingerprint(), environments, repository }.into()
}

impl Request {
    /// Whether nobody's word counts by it.
    #[must_use]
    pub(crate) fn names_nobody(&self) -> bool {
        self.identities.is_empty() && self.keys.is_empty() && self.policy.is_none()
    }

    /// The same with whose word the inputs of a delivery to an environment say counts: the keys that sign there, and the root of
    /// those who sign with a certificate.
    ///
    /// # Errors
    /// They make no sense.
    pub(crate) fn with_inputs(self, inputs: &Inputs, environment: Environment) -> Result<Self, Vec<Problem>> {
        let lines =
            |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let own = inputs.given(&inputs::KMS_KEY).map(|key| format!("{environment}={}", key.trim()));
        let trusted = inputs.given(&inputs::TRUSTED_KEYS).map(lines).unwrap_or_default();
        let at_github = (inputs.get(&inputs::SIGN)? == Sign::GitHub).then(|| "github".to_owned());
        let root = inputs.given(&inputs::SIGSTORE_TRUSTED_ROOT).map(str::to_owned).or(at_github);
        Ok(Self { keys: self.keys.into_iter().chain(own).chain(trusted).collect(), root, ..self })
    }

    /// Makes sense of it.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn looked(&self) -> Result<Looked, Vec<Problem>> {
        let looked = match Folder::named(&self.image) {
            None => Looked::Image(Box::new(self.read(IMAGE)?)),
            Some(folder) => {
                let mut problems = Vec::new();
                let folder = folder.map_err(|expected| problems.push(problem(IMAGE, &self.image, expected))).ok();
                match (folder, self.criteria(&mut problems)) {
                    (Some(folder), Some(criteria)) if problems.is_empty() => Looked::Folder(folder, Box::new(criteria)),
                    _ => return Err(problems),
                }
            }
        };
        let criteria = match &looked {
            Looked::Image(question) => &question.criteria,
            Looked::Folder(_, criteria) => criteria,
        };
        if criteria.name_nobody() {
            return Err(vec![nobody()]);
        }
        if matches!(&looked, Looked::Folder(..)) && criteria.wanted.ecr.is_some() {
            return Err(vec![problem(IMAGE, &self.image, "what Amazon ECR is asked about is in one of its repositories")]);
        }
        Ok(looked)
    }

    /// The same for an image to take, where somebody's signature may count without being named: then no rule is given.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn origin(&self) -> Result<Question, Vec<Problem>> {
        let narrowed = [&self.issuer, &self.repository, &self.reference].into_iter().any(Option::is_some);
        if let Some(key) = self.keys.iter().find(|key| key.contains("arn:")) {
            let expected = "a file of PEM is expected here; trusted-keys takes ARNs";
            return Err(vec![problem("key", key, expected)]);
        }
        if narrowed && self.identities.is_empty() {
            let expected = "issuer, repository and ref say more of one who is named here";
            return Err(vec![problem(inputs::IDENTITY.name, "", expected)]);
        }
        self.read(inputs::FROM.name)
    }

    fn read(&self, name: &'static str) -> Result<Question, Vec<Problem>> {
        let mut problems = Vec::new();
        let image = self.image.parse::<Reference>().map_err(|error| problem(name, &self.image, &error.to_string()));
        let image = image.and_then(|image| match Selector::of(&image) {
            Some(selector) => Ok((image, selector)),
            None => Err(problem(name, &self.image, "a tag or a digest is expected")),
        });
        let image = image.map_err(|error| problems.push(error)).ok();
        match (image, self.criteria(&mut problems)) {
            (Some((image, selector)), Some(criteria)) if problems.is_empty() => Ok(Question { image, selector, criteria }),
            _ => Err(problems),
        }
    }

    /// What is asked, and by which keys signers are known.
    pub(super) fn criteria(&self, problems: &mut Vec<Problem>) -> Option<Criteria> {
        let policy = self.policy.as_deref().map(policy).transpose().map_err(|error| problems.push(error)).ok().flatten();
        let mut wanted = self.wanted(policy.as_ref(), problems);
        let (keys, unread) = self.keys(policy.as_ref(), &mut wanted, problems);
        let root = self.root().map_err(|error| problems.push(error)).ok()?;
        let demands_time = self.root.is_some() && root.names_timestamps();
        Some(Criteria { root, demands_time, wanted, keys, unread })
    }

    /// The keys that may have signed.
    fn keys(
        &self,
        policy: Option<&Policy>,
        wanted: &mut Wanted,
        problems: &mut Vec<Problem>,
    ) -> (Vec<PublicKey>, Vec<UnreadKey>) {
        let of_policy = policy.into_iter().flat_map(|policy| &policy.signers).filter_map(|signer| match signer {
            Signer::Key(named) => Some(("policy", named.clone())),
            Signer::Identity(_) => None,
        });
        let of_line = self.keys.iter().map(|key| ("key", self.named(key)));
        let named: Vec<_> = of_policy.chain(of_line).collect();
        let (mut keys, mut unread) = (Vec::new(), Vec::new());
        for (input, named) in &named {
            if named.environments.is_empty() && self.keys.len() > 1 {
                let expected = "of several keys each has to say for which environment it speaks: ENVIRONMENT=KEY";
                problems.push(problem(input, &named.key, expected));
            }
            match KeySource::of(&named.key) {
                Ok(KeySource::Arn(arn)) => unread.push(UnreadKey { arn, named: named.clone() }),
                Ok(KeySource::Text(key)) => match key_of(&key) {
                    Some(key) if speaks_for_others(&wanted.signers, named, &key) => {
                        problems.push(problem(input, &named.key, ONE_ENVIRONMENT));
                    }
                    Some(key) => {
                        wanted.signers.push(rule(named, &key));
                        keys.push(key);
                    }
                    None => problems.push(problem(input, &named.key, NO_KEY)),
                },
                Err(expected) => problems.push(problem(input, &named.key, expected)),
            }
        }
        (keys, unread)
    }

    /// A key as the command line names it. Where a repository is named too, its verdicts have to be of that.
    fn named(&self, key: &str) -> NamedKey {
        let bound = key.split_once('=').and_then(|(environment, key)| Some((environment.parse::<Environment>().ok()?, key)));
        let (environments, key) = bound.map_or((Vec::new(), key), |(environment, key)| (vec![environment], key));
        let repository = self.repository.as_deref().and_then(|repository| address(repository).parse().ok());
        NamedKey { key: key.to_owned(), environments, repository }
    }

    fn wanted(&self, policy: Option<&Policy>, problems: &mut Vec<Problem>) -> Wanted {
        let mut wanted = policy.map_or_else(Wanted::nothing, Wanted::from);
        match self.environment.as_deref().map(|name| name.parse::<Environment>().map_err(|()| name)).transpose() {
            Ok(environment) => wanted.environment = environment.or(wanted.environment),
            Err(name) => problems.push(problem("environment", name, "local, dev, test, staging or prod is expected")),
        }
        match self.max_age.as_deref().map(|text| text.parse::<crate::scan::database::MaxAge>().map_err(|_| text)).transpose() {
            Ok(limit) => wanted.max_age = limit.map(SignedDuration::from).or(wanted.max_age),
            Err(text) => problems.push(problem("max-age", text, "an age such as 48h or 2d is expected")),
        }
        wanted.commit.clone_from(&self.commit);
        self.today.ask(&mut wanted, problems);
        wanted.ecr = wanted.ecr.or_else(|| self.ecr.then(amazon::Asked::default));
        for identity in &self.identities {
            match self.rule(identity) {
                Ok(rule) => wanted.signers.push(rule.into()),
                Err(error) => problems.push(error),
            }
        }
        // They say more of an identity that is given, and nothing of the rules of a policy.
        let more = [("issuer", &self.issuer), ("repository", &self.repository), ("ref", &self.reference)];
        for (name, value) in more.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            let of_key = name == "repository" && !self.keys.is_empty();
            if self.identities.is_empty() && !of_key {
                problems.push(problem(name, value, "it is about an identity, and none is given: a policy says it by itself"));
            }
        }
        wanted
    }

    fn rule(&self, identity: &str) -> Result<Rule, Problem> {
        let pattern =
            |name: &'static str, text: &str| text.parse::<Pattern>().map_err(|error| problem(name, text, &error.to_string()));
        let (of, identity) = of_repository(identity);
        let mut rule = Rule::of(pattern("identity", identity)?);
        if let Some(issuer) = &self.issuer {
            rule.issuer = Pattern::exactly(issuer);
        }
        if let Some(repository) = of.or(self.repository.as_deref()) {
            rule.repository = Some(pattern("repository", &address(repository))?);
        }
        if let Some(reference) = &self.reference {
            rule.reference = Some(pattern("ref", reference)?);
        }
        Ok(rule)
    }

    fn root(&self) -> Result<Root, Problem> {
        let input = &*inputs::SIGSTORE_TRUSTED_ROOT;
        let refused = |error: InvalidInstance| input.problem("", error.to_string());
        match self.root.as_deref().map(str::trim) {
            None => Root::public_good().map_err(refused),
            Some("github") => Root::github().map_err(refused),
            Some(json) if json.starts_with('{') => Root::of_anyone(json).map_err(refused),
            Some(path) => Root::of_anyone(&text(Path::new(path), input.name)?).map_err(refused),
        }
    }
}

impl TodayRequest {
    /// Adds it to what a policy asks.
    fn ask(&self, wanted: &mut Wanted, problems: &mut Vec<Problem>) {
        let read = |text: &String| inputs::SEVERITY_THRESHOLD.read(text);
        let severity = self.severity_threshold.as_ref().map(read).transpose().map_err(|mut found| problems.append(&mut found));
        let (severity, ignore_unfixed) = (severity.ok().flatten(), self.ignore_unfixed);
        if self.asked || self.severity_threshold.is_some() {
            let asked = Asked { severity_threshold: severity, ignore_unfixed };
            let by_policy = wanted.today.take().filter(|_| severity.is_none());
            wanted.today = Some(by_policy.unwrap_or_else(|| Today::from(asked)));
        }
        let mirrors = self.mirrors.as_ref().map(|text| inputs::TRIVY_DB_REPOSITORY.read(text)).transpose();
        let mirrors = mirrors.map_err(|mut found| problems.append(&mut found)).ok().flatten();
        let max_age = self.database_max_age.as_ref().map(|text| inputs::DATABASE_MAX_AGE.read(text)).transpose();
        let max_age = max_age.map_err(|mut found| problems.append(&mut found)).ok().flatten().flatten();
        let read = |path: &PathBuf| Lists::of_file(path).map_err(|error| unusable(path, &error));
        let ignored = self.ignore_file.as_ref().map(read).transpose().map_err(|problem| problems.push(problem)).ok().flatten();
        let Some(today) = &mut wanted.today else {
            if let Some(path) = &self.ignore_file {
                problems.push(problem(IGNORE_FILE, &path.display().to_string(), "it is about --today, which is not asked"));
            }
            return;
        };
        today.ignored = ignored.unwrap_or_default();
        today.sandbox = self.sandbox.unwrap_or(today.sandbox);
        today.mirrors = mirrors.filter(|given| !given.is_empty()).unwrap_or_else(|| std::mem::take(&mut today.mirrors));
        today.max_age = max_age.unwrap_or(today.max_age);
    }
}

/// The flag, as it is named to people.
pub(crate) const IGNORE_FILE: &str = "ignore-file";

fn unusable(path: &Path, error: &scan::Error) -> Problem {
    let reason = match error {
        scan::Error::IgnoreFile { reason, .. } => reason.clone(),
        other => other.to_string(),
    };
    problem(
        IGNORE_FILE,
        &path.display().to_string(),
        &format!("a list as .trivyignore or .trivyignore.yaml is expected: {reason}"),
    )
}

/// What is expected of a key.
const NO_KEY: &str = "an ARN of AWS KMS is expected, or an ECDSA key on the curve P-256: a file of PEM, or its content";

/// An identity as it is named, and the repository before it, if there is one: `OWNER/NAME=IDENTITY`. An identity has a scheme
/// before any `=`, which no repository has.
fn of_repository(identity: &str) -> (Option<&str>, &str) {
    let named = identity.split_once('=').filter(|(repository, _)| repository.contains('/') && !repository.contains(':'));
    named.map_or((None, identity), |(repository, identity)| (Some(repository), identity))
}

/// Whoever may use one environment's key would speak for the other.
const ONE_ENVIRONMENT: &str = "a key speaks for one environment, and this one is named for others too";

/// Whether a key is named already, for other environments.
fn speaks_for_others(signers: &[Accepted], named: &NamedKey, key: &PublicKey) -> bool {
    let (key, environments) = (key.fingerprint(), &named.environments);
    signers.iter().any(|signer| matches!(signer, Accepted::Key(rule) if rule.key == key && rule.environments != *environments))
}

/// What is wrong where nobody's word counts.
pub(super) fn nobody() -> Problem {
    let expected = "whoever may push can sign by a name of their own: say whose signature counts, by identity, key or policy";
    problem("identity", "", expected)
}

/// The same where a job's own workflow would.
pub(super) fn nobody_in_this_job() -> Problem {
    let expected = "whoever may push can sign by a name of their own: say whose signature counts, by identity, key or policy; in a job \
                    with id-token: write its own workflow's does, and with kms-key the environment's key";
    problem("identity", "", expected)
}

/// The address of a repository, which may be given without GitHub's.
fn address(repository: &str) -> String {
    if repository.contains("://") { repository.to_owned() } else { format!("https://github.com/{repository}") }
}

/// A key as it stands in a text: itself, or the name of a file with it.
fn key_of(named: &str) -> Option<PublicKey> {
    let read = || PublicKey::read(&text(Path::new(named), "key").ok()?).ok();
    PublicKey::read(named).ok().or_else(read)
}

fn policy(path: &Path) -> Result<Policy, Problem> {
    let text = text(path, "policy")?;
    let refused = |error: &dyn std::fmt::Display| problem("policy", &path.display().to_string(), &error.to_string());
    document::yaml::read_yaml(&text).map_err(|error| refused(&error))
}

fn text(path: &Path, input: &'static str) -> Result<String, Problem> {
    let read = beneath::read(path, MAX_DOCUMENT).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
    read.ok_or_else(|| problem(input, &path.display().to_string(), "a file that can be read is expected"))
}

fn problem(input: &'static str, value: &str, expected: &str) -> Problem {
    Problem { input, value: value.to_owned(), expected: expected.to_owned() }
}
