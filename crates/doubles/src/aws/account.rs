//! An account of AWS: whom it trusts, what its roles may do, and the sessions of its roles.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use super::kms::Key;
use super::policy::{Decision, Policy};
use super::repository::Repository;
use super::trust::Trust;

/// An account.
pub struct Account {
    pub id: String,
    pub region: String,
    content: Mutex<Content>,
}

/// What is in an account.
#[derive(Default)]
pub struct Content {
    /// The issuers that are trusted, by their address without scheme, each with the audiences it may speak to.
    pub providers: BTreeMap<String, Vec<String>>,
    pub roles: BTreeMap<String, Role>,
    pub repositories: BTreeMap<String, Repository>,
    /// By ARN.
    pub keys: BTreeMap<String, Key>,
    /// By access key id.
    pub sessions: BTreeMap<String, Session>,
}

/// A role.
#[derive(Clone)]
pub struct Role {
    pub trust: Trust,
    pub policy: Policy,
    /// `MaxSessionDuration`, in seconds.
    pub longest_session: u64,
}

/// A session of a role.
#[derive(Clone, Debug)]
pub struct Session {
    pub role: String,
    pub name: String,
    /// The policy that narrows the role's.
    pub policy: Option<Policy>,
    pub expires: SystemTime,
}

impl Content {
    /// What is in an account that nobody furnished.
    pub const EMPTY: Self = Self {
        providers: BTreeMap::new(),
        roles: BTreeMap::new(),
        repositories: BTreeMap::new(),
        keys: BTreeMap::new(),
        sessions: BTreeMap::new(),
    };
}

impl Account {
    /// An account with nothing in it. Its id begins with a zero, as ids do that are not numbers.
    pub fn new(region: &str) -> Self {
        let id = format!("0{:011}", rand::random::<u64>() % 100_000_000_000);
        Self { id, region: region.into(), content: Mutex::default() }
    }

    /// What is in it.
    pub fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }

    /// No session that was given so far is good any more.
    pub fn end_sessions(&self) {
        self.content().sessions.values_mut().for_each(|session| session.expires = SystemTime::UNIX_EPOCH);
    }

    /// The ARN of a trusted issuer.
    pub fn provider_arn(&self, provider: &str) -> String {
        format!("arn:aws:iam::{}:oidc-provider/{provider}", self.id)
    }

    /// The ARN of a role.
    pub fn role_arn(&self, role: &str) -> String {
        format!("arn:aws:iam::{}:role/{role}", self.id)
    }

    /// The ARN of a repository.
    pub fn repository_arn(&self, repository: &str) -> String {
        format!("arn:aws:ecr:{}:{}:repository/{repository}", self.region, self.id)
    }

    /// The ARN of a key or an alias.
    pub fn kms_arn(&self, resource: &str) -> String {
        format!("arn:aws:kms:{}:{}:{resource}", self.region, self.id)
    }

    /// The ARN of a session.
    pub fn session_arn(&self, session: &Session) -> String {
        format!("arn:aws:sts::{}:assumed-role/{}/{}", self.id, session.role, session.name)
    }

    /// What a session may do: its role's policy and its own must both allow it. The error is AWS's sentence.
    pub fn authorize(&self, session: &Session, action: &str, resource: &str) -> Result<(), String> {
        let role = self.content().roles.get(&session.role).map(|role| role.policy.clone());
        let of_role = role.map_or(Decision::NotAllowed, |policy| policy.decision(action, resource));
        let of_session = session.policy.as_ref().map_or(Decision::Allowed, |policy| policy.decision(action, resource));
        let reason = match (of_role, of_session) {
            (Decision::Allowed, Decision::Allowed) => return Ok(()),
            (Decision::Denied, _) => "with an explicit deny in an identity-based policy".to_owned(),
            (_, Decision::Denied) => "with an explicit deny in a session policy".to_owned(),
            (Decision::NotAllowed, _) => format!("because no identity-based policy allows the {action} action"),
            (_, Decision::NotAllowed) => format!("because no session policy allows the {action} action"),
        };
        let user = self.session_arn(session);
        Err(format!("User: {user} is not authorized to perform: {action} on resource: {resource} {reason}"))
    }
}
