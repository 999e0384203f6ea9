//! How a world is set up.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::World;
use super::issuer::{GITHUB, Issuer};
use super::job::Job;
use super::repository::Mutability;
use super::secrets::{Secrets, random_text};
use super::signing_key::SigningKey;
use super::token_service::TokenService;

/// What a push needs (ECR user guide, "Required IAM permissions for pushing an image").
pub const PUSH: [&str; 8] = [
    "ecr:GetAuthorizationToken",
    "ecr:BatchGetImage",
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    "ecr:GetDownloadUrlForLayer",
];

/// How a world is set up. Unless told otherwise: a push to `main`, a role that trusts just that and may just push, and a
/// repository whose tags can be moved.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) job: Job,
    pub(super) issuer: String,
    pub(super) sigstore: Option<PathBuf>,
    pub(super) ahead: i64,
    pub(super) token_lifetime: i64,
    pub(super) forged: bool,
    pub(super) region: String,
    pub(super) provider: bool,
    pub(super) audiences: Vec<String>,
    pub(super) trust: Option<Value>,
    pub(super) longest_session: u64,
    pub(super) first_session_lifetime: Option<u64>,
    pub(super) actions: Vec<String>,
    pub(super) repository: String,
    pub(super) tags: Option<(Mutability, Vec<String>)>,
    pub(super) first_password_lifetime: Option<u64>,
    pub(super) mounts: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            job: Job::default(),
            issuer: GITHUB.into(),
            sigstore: None,
            ahead: 0,
            token_lifetime: 300,
            forged: false,
            region: "eu-central-1".into(),
            provider: true,
            audiences: vec!["sts.amazonaws.com".into()],
            trust: None,
            longest_session: 3600,
            first_session_lifetime: None,
            actions: PUSH.map(str::to_owned).to_vec(),
            repository: "team/app".into(),
            tags: Some((Mutability::Mutable, vec![])),
            first_password_lifetime: None,
            mounts: false,
        }
    }
}

impl Options {
    /// Starts the world.
    pub fn start(self) -> World {
        World::start(&self)
    }

    /// Starts GitHub's token service alone.
    pub fn token_service(self) -> TokenService {
        let secrets = Secrets::default();
        TokenService::start(self.issuer_of_tokens(&secrets), secrets)
    }

    pub(super) fn issuer_of_tokens(&self, secrets: &Secrets) -> Issuer {
        Issuer {
            address: self.issuer.clone(),
            job: self.job.clone(),
            ahead: self.ahead,
            lifetime: self.token_lifetime,
            forged: self.forged,
            sigstore: self.sigstore.as_deref().map(|folder| Arc::new(SigningKey::of_sigstore(folder))),
            request_token: secrets.keep(random_text(48)),
        }
    }

    /// The job deploys to an environment, which its token's subject then names.
    pub fn environment(mut self, name: &str) -> Self {
        self.job.environment = Some(name.into());
        self
    }

    /// The job runs for another ref.
    pub fn reference(mut self, reference: &str) -> Self {
        self.job.reference = reference.into();
        self
    }

    /// The job runs for a pull request of the same repository. (One of a fork gets no token at all.)
    pub fn pull_request(mut self, number: u32) -> Self {
        self.job.event = "pull_request".into();
        self.reference(&format!("refs/pull/{number}/merge"))
    }

    /// The subject holds ids: `repo:OWNER@ID/NAME@ID:…`.
    pub fn immutable_subject(mut self) -> Self {
        self.job.immutable_subject = true;
        self
    }

    /// The token claims something else.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.job.claims.insert(name.into(), value.into());
        self
    }

    /// The issuer's clock is so many seconds ahead, or behind.
    pub fn clock(mut self, seconds: i64) -> Self {
        self.ahead = seconds;
        self
    }

    /// The token is valid for so many seconds.
    pub fn token_lifetime(mut self, seconds: i64) -> Self {
        self.token_lifetime = seconds;
        self
    }

    /// Another issuer, as an enterprise has one. It is trusted all the same.
    pub fn issuer(mut self, address: &str) -> Self {
        self.issuer = address.into();
        self
    }

    /// The issuer is the one that a private Sigstore trusts. Its folder, `GP_DELIVER_TEST_SIGSTORE` say, has the key.
    pub fn issued_by(mut self, sigstore: &Path) -> Self {
        let configuration = std::fs::read(sigstore.join("openid-configuration.json")).unwrap();
        let configuration: Value = serde_json::from_slice(&configuration).unwrap();
        self.sigstore = Some(sigstore.to_owned());
        self.issuer(configuration["issuer"].as_str().unwrap())
    }

    /// The token is signed with a key that nobody published.
    pub fn forged(mut self) -> Self {
        self.forged = true;
        self
    }

    /// The region of everything.
    pub fn region(mut self, region: &str) -> Self {
        self.region = region.into();
        self
    }

    /// The account has no `OpenID` Connect provider.
    pub fn no_provider(mut self) -> Self {
        self.provider = false;
        self
    }

    /// The audiences that the provider may speak to.
    pub fn audiences(mut self, audiences: &[&str]) -> Self {
        self.audiences = audiences.iter().map(|&audience| audience.into()).collect();
        self
    }

    /// The role trusts only this subject; `*` and `?` stand for letters.
    pub fn trusts(mut self, subject: &str) -> Self {
        self.trust = Some(Value::String(subject.into()));
        self
    }

    /// How many seconds a session of the role may last at most.
    pub fn longest_session(mut self, seconds: u64) -> Self {
        self.longest_session = seconds;
        self
    }

    /// The first session lasts only so many seconds, whatever was asked for. Those after it last, however slow the machine is.
    pub fn first_session_lifetime(mut self, seconds: u64) -> Self {
        self.first_session_lifetime = Some(seconds);
        self
    }

    /// The role may do this too.
    pub fn also_allow(mut self, actions: &[&str]) -> Self {
        self.actions.extend(actions.iter().map(|&action| action.to_owned()));
        self
    }

    /// The role may not do this.
    pub fn without(mut self, action: &str) -> Self {
        self.actions.retain(|one| one != action);
        self
    }

    /// The repository's name.
    pub fn repository(mut self, name: &str) -> Self {
        self.repository = name.into();
        self
    }

    /// Which of the repository's tags can be moved.
    pub fn tags(mut self, mutability: Mutability, filters: &[&str]) -> Self {
        self.tags = Some((mutability, filters.iter().map(|&filter| filter.into()).collect()));
        self
    }

    /// The repository does not exist.
    pub fn no_repository(mut self) -> Self {
        self.tags = None;
        self
    }

    /// The first password of the registry is valid for so many seconds.
    pub fn first_password_lifetime(mut self, seconds: u64) -> Self {
        self.first_password_lifetime = Some(seconds);
        self
    }

    /// The account has blob mounting switched on.
    pub fn mounts(mut self) -> Self {
        self.mounts = true;
        self
    }
}
