//! What the command line asks of an image, made sense of.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;

use super::amazon;
use super::folder::Folder;
use super::today::{Asked, Today};
use super::wanted::{Policy, Wanted};
use crate::beneath;
use crate::document;
use crate::environment::Environment;
use crate::evidence::{Pattern, Rule};
use crate::inputs::{self, Problem};
use crate::oci::Reference;
use crate::oci::registry::Selector;
use crate::sigstore::{InvalidInstance, Root};

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
}

/// What is looked at, wherever it is.
pub(super) enum Looked {
    /// An image in a registry.
    Image(Box<Question>),
    /// One in a layout folder.
    Folder(Folder, Root, Box<Wanted>),
}

/// What is looked at, and what is asked of it.
pub(crate) struct Question {
    /// The image.
    pub(crate) image: Reference,
    /// The same, as a registry is asked for it.
    pub(crate) selector: Selector,
    /// The keys by which signers are known.
    pub(crate) root: Root,
    /// What is asked of it.
    pub(crate) wanted: Wanted,
}

impl Request {
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
                match (folder, self.asked(&mut problems)) {
                    (Some(folder), Some((root, wanted))) if problems.is_empty() => Looked::Folder(folder, root, Box::new(wanted)),
                    _ => return Err(problems),
                }
            }
        };
        let wanted = match &looked {
            Looked::Image(question) => &question.wanted,
            Looked::Folder(_, _, wanted) => wanted,
        };
        if wanted.signers.is_empty() {
            let expected =
                "whoever may push can sign by a name of their own: say whose signature counts, by identity or by policy";
            return Err(vec![problem("identity", "", expected)]);
        }
        if matches!(&looked, Looked::Folder(..)) && wanted.ecr.is_some() {
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
        match (image, self.asked(&mut problems)) {
            (Some((image, selector)), Some((root, wanted))) if problems.is_empty() => {
                Ok(Question { image, selector, root, wanted })
            }
            _ => Err(problems),
        }
    }

    /// What is asked, and by which keys signers are known.
    fn asked(&self, problems: &mut Vec<Problem>) -> Option<(Root, Wanted)> {
        let wanted = self.wanted(problems);
        let root = self.root().map_err(|error| problems.push(error)).ok();
        Some((root?, wanted?))
    }

    fn wanted(&self, problems: &mut Vec<Problem>) -> Option<Wanted> {
        let policy = self.policy.as_deref().map(policy).transpose().map_err(|error| problems.push(error)).ok()?;
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
                Ok(rule) => wanted.signers.push(rule),
                Err(error) => problems.push(error),
            }
        }
        // They say more of an identity that is given, and nothing of the rules of a policy.
        let more = [("issuer", &self.issuer), ("repository", &self.repository), ("ref", &self.reference)];
        for (name, value) in more.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            if self.identities.is_empty() {
                problems.push(problem(name, value, "it is about an identity, and none is given: a policy says it by itself"));
            }
        }
        Some(wanted)
    }

    fn rule(&self, identity: &str) -> Result<Rule, Problem> {
        let pattern =
            |name: &'static str, text: &str| text.parse::<Pattern>().map_err(|error| problem(name, text, &error.to_string()));
        let mut rule = Rule::of(pattern("identity", identity)?);
        if let Some(issuer) = &self.issuer {
            rule.issuer = Pattern::exactly(issuer);
        }
        if let Some(repository) = &self.repository {
            let address =
                if repository.contains("://") { repository.clone() } else { format!("https://github.com/{repository}") };
            rule.repository = Some(pattern("repository", &address)?);
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
            Some(json) if json.starts_with('{') => Root::read(json).map_err(refused),
            Some(path) => Root::read(&text(Path::new(path), input.name)?).map_err(refused),
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
        let Some(today) = &mut wanted.today else { return };
        today.mirrors = mirrors.filter(|given| !given.is_empty()).unwrap_or_else(|| std::mem::take(&mut today.mirrors));
        today.max_age = max_age.unwrap_or(today.max_age);
    }
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
