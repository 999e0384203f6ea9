//! An earlier delivery to an environment is chosen, proven, and set back in the repository that a cluster is brought to. Nothing
//! is built, pushed or tagged.

use serde::Serialize;

use crate::aws::Session;
use crate::config::{Config, Publish, RequestedDestination};
use crate::error::Error;
use crate::findings;
use crate::github::Event;
use crate::github::oidc::TokenSource;
use crate::gitops::{Course, Mode, SourceCommit};
use crate::inputs::{self, Inputs, Problem};
use crate::oci::reference::{Reference, Repository};
use crate::oci::registry::{self, Client, Store};
use crate::oci::{Digest, Tag};
use crate::pipeline;
use crate::pipeline::gitops::Update;
use crate::publish::Destination;
use crate::record::GitOpsResult;
use crate::text;
use crate::variables;
use crate::verify::{self, Delivered, Deliveries, Inspector, Table};

/// The argument, as it is named to people.
const CHOICE: &str = "IMAGE@DIGEST|COMMIT";
/// The fewest digits of a commit that name one.
const SHORTEST: usize = 7;

/// What the command line asks.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// What is gone back to; absent where the deliveries are listed.
    pub(crate) choice: Option<String>,
    /// Whether the branch gets it as a commit.
    pub(crate) push: bool,
    /// Whether JSON is wanted.
    pub(crate) json: bool,
    /// Whose word counts.
    pub(crate) signers: verify::Request,
}

/// What is gone back to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    /// An image, perhaps with where it is.
    Image(Option<Repository>, Option<Tag>, Digest),
    /// The image of a commit, by its id or the beginning of that.
    Commit(String),
}

/// What came of it.
pub(crate) enum Answer {
    /// The deliveries, and what is to be known of a list in which there are none.
    Listed(Deliveries, Vec<String>),
    /// What is asked of the image does not hold.
    Refused(Box<Table>),
    /// The repository names it, or would.
    Done(Done),
}

/// A rollback.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Done {
    /// The image that was chosen.
    pub(crate) image: String,
    /// The commit that it is of.
    pub(crate) commit: String,
    /// What became of the repository.
    pub(crate) result: GitOpsResult,
    /// The same in words.
    pub(crate) says: String,
    /// What was not known.
    pub(crate) warnings: Vec<String>,
}

/// Lists the deliveries that are proven, or goes back to one of them.
///
/// # Errors
/// The inputs make no sense, the registry can't be asked, or the repository that a cluster is brought to is not written.
pub(crate) async fn rollback(
    config: &Config<()>,
    inputs: &Inputs,
    event: Option<&Event>,
    request: &Request,
) -> Result<Answer, Error> {
    let choice = request.choice.as_deref().map(read).transpose().map_err(|problem| Error::Inputs(vec![problem]))?;
    let is_named = matches!(choice, Some(Choice::Image(..)));
    if choice.is_some() && config.gitops.is_none() {
        let expected = "the repository that a cluster is brought to is expected";
        return Err(Error::Inputs(vec![inputs::GITOPS_REPOSITORY.problem("", expected)]));
    }
    if let (Some(_), Publish::No(why)) = (&choice, &config.publish) {
        return Err(Error::Inputs(vec![pipeline::gitops::not_here(why)]));
    }
    let (client, session) = match &choice {
        Some(Choice::Image(Some(repository), ..)) if !config.destination.is_a_registry() => (named(repository).await?, None),
        _ => client(config, event).await?,
    };
    if let Some(Choice::Image(Some(repository), ..)) = &choice
        && *repository != *client.repository()
    {
        let expected = format!("an image of {} is expected, where {} is delivered to", client.repository(), config.environment);
        return Err(Error::Inputs(vec![problem(request, expected)]));
    }
    let signers = signers(config, inputs, &request.signers)?;
    let own = match event.filter(|_| signers.names_nobody()) {
        Some(event) => pipeline::own_signer(event).await?,
        None => None,
    };
    let by_own = own.as_ref().map(|own| {
        let workflow = &own.identity;
        format!(
            "What counts is what {workflow} has signed for this repository: if another workflow delivers, name it by `identity`."
        )
    });
    let inspector = Inspector::new(&signers, own, config.environment, client.clone(), session.as_ref()).await?;
    let Some(choice) = choice else {
        let all = inspector.all().await?;
        let warnings = by_own.filter(|_| all.proven.is_empty()).into_iter().collect();
        return Ok(Answer::Listed(all, warnings));
    };
    let mut warnings = Vec::new();
    let all = match inspector.all().await {
        Ok(all) => Some(all),
        // Who knows what they want back need not wait for a list.
        Err(error) if is_named => {
            warnings.push(format!("What was delivered since is not known from the registry: {error}"));
            None
        }
        Err(error) => return Err(error),
    };
    let (digest, tags) = match (&choice, &all) {
        (Choice::Commit(commit), Some(all)) => {
            let found = all.of_commit(commit).map_err(|expected| Error::Inputs(vec![problem(request, expected)]))?;
            (found.digest, found.tags.clone())
        }
        (Choice::Commit(_), None) => return Err(Error::Cancelled),
        (Choice::Image(_, tag, digest), all) => {
            let known = all.iter().flat_map(|all| &all.proven).find(|known| known.digest == *digest);
            (*digest, tag.clone().map(|tag| vec![tag]).or_else(|| known.map(|known| known.tags.clone())).unwrap_or_default())
        }
    };
    let (table, delivered) = inspector.one(digest, tags).await?;
    let Some(delivered) = delivered.filter(|_| table.holds) else { return Ok(Answer::Refused(Box::new(table))) };
    let newest = all.as_ref().and_then(|all| all.proven.first()).map(commit_of);
    set_back(config, client.repository(), &delivered, newest, request, warnings).await.map(Answer::Done)
}

async fn set_back(
    config: &Config<()>,
    repository: &Repository,
    delivered: &Delivered,
    newest: Option<SourceCommit>,
    request: &Request,
    warnings: Vec<String>,
) -> Result<Done, Error> {
    let mode = match config.gitops.as_ref().map(|settings| settings.mode) {
        _ if request.push => Mode::Push,
        Some(Mode::Push) => Mode::Push,
        _ => Mode::PullRequest,
    };
    let update = Update {
        repository: repository.clone(),
        tag: delivered.tags.first().cloned(),
        digest: delivered.digest,
        commit: Some(commit_of(delivered)),
        course: Course::Back { over: newest.into_iter().collect() },
        mode: Some(mode),
    };
    let (result, says) = pipeline::gitops::by_itself(config, update).await?;
    let image = format!("{repository}:{}", delivered.pinned());
    let image = if delivered.tags.is_empty() { format!("{repository}@{}", delivered.digest) } else { image };
    Ok(Done { image, commit: delivered.commit.clone(), result, says, warnings })
}

/// The commit as messages have it.
fn commit_of(delivered: &Delivered) -> SourceCommit {
    let server = format!("{}/", pipeline::server());
    let source = delivered.source.strip_prefix(&server).unwrap_or(&delivered.source);
    SourceCommit { source: source.to_owned(), id: delivered.commit.clone() }
}

/// Whose word counts: of those who are named, or else of the keys that a delivery with these inputs goes by.
///
/// Anyone may call a reusable workflow, in a repository of their own: in a job, who is named counts for its own repository where
/// nothing else is said.
fn signers(config: &Config<()>, inputs: &Inputs, named: &verify::Request) -> Result<verify::Request, Error> {
    let mut signers = named.clone();
    if signers.names_nobody() {
        signers = signers.with_inputs(inputs, config.environment).map_err(Error::Inputs)?;
    }
    let are_named = !signers.identities.is_empty() || !signers.keys.is_empty();
    if let (None, Some(github), true) = (&signers.repository, &config.github, are_named) {
        signers.repository = Some(format!("{}/{}", pipeline::server(), github.slug()));
    }
    Ok(signers)
}

/// A client for where the environment's images are, and the identity at AWS that it is by, if it is by one.
async fn client(config: &Config<()>, event: Option<&Event>) -> Result<(Client, Option<Session>), Error> {
    match &config.destination {
        RequestedDestination::Named(Destination::Registry(repository)) => Ok((named(repository).await?, None)),
        RequestedDestination::Named(Destination::Layout(_)) => {
            let expected = "the repository is expected that the environment is delivered to, or ecr-repository";
            Err(Error::Inputs(vec![inputs::DESTINATION.problem("", expected)]))
        }
        RequestedDestination::Ecr(ecr) => {
            let tokens = || event.map(|event| TokenSource::find(variables::text, event.fork));
            findings::client_of(ecr, tokens).await.map(|(client, session)| (client, Some(session)))
        }
    }
}

async fn named(repository: &Repository) -> Result<Client, Error> {
    let credentials = Store::from_env().find(repository.registry()).await.map_err(registry::Error::from)?;
    Ok(Client::new(repository.clone(), credentials)?)
}

fn read(text: &str) -> Result<Choice, Problem> {
    let text = text.trim();
    if let Ok(digest) = text.parse::<Digest>() {
        return Ok(Choice::Image(None, None, digest));
    }
    if let Ok(Reference { repository, tag, digest: Some(digest) }) = text.parse::<Reference>() {
        return Ok(Choice::Image(Some(repository), tag, digest));
    }
    let is_commit = (SHORTEST..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit {
        return Ok(Choice::Commit(text.to_ascii_lowercase()));
    }
    let expected = format!(
        "an image by its digest is expected, or a commit by {} of its id or more: a tag may be moved",
        text::count(SHORTEST, "digit")
    );
    Err(Problem { input: CHOICE, value: text.to_owned(), expected })
}

fn problem(request: &Request, expected: String) -> Problem {
    Problem { input: CHOICE, value: request.choice.clone().unwrap_or_default(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_back_to_is_an_image_by_its_digest_or_a_commit() {
        let digest = Digest::of(b"image");
        assert_eq!(read(&digest.to_string()), Ok(Choice::Image(None, None, digest)));
        assert!(matches!(read(&format!("r.example/a/b:v1@{digest}")), Ok(Choice::Image(Some(_), Some(_), _))));
        assert_eq!(read(" ABCDEF1 "), Ok(Choice::Commit("abcdef1".into())));
        for text in ["", "abcdef", "main", "r.example/a/b:v1", "prod-abcdef1", "sha256:1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
