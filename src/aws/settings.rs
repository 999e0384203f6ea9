//! What a session is opened with.

use super::{AccountId, RoleArn};

/// The identity that calls to AWS use, and their region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The role to assume with the run's token; without one, the SDK's default chain is used.
    pub(crate) role: Option<RoleArn>,
    /// The region; else the chain's.
    pub(crate) region: Option<String>,
    /// The accounts that the credentials may belong to; empty for any.
    pub(crate) allowed_accounts: Vec<AccountId>,
    /// The session's name in AWS's logs.
    pub(crate) session_name: String,
    /// How long the credentials last, in seconds; they are renewed as long as a delivery needs them.
    pub(crate) duration_seconds: i32,
    /// The audience (`aud`) that the OIDC token is asked for.
    pub(crate) audience: String,
    /// A policy that narrows the role's own, as JSON.
    pub(crate) session_policy: Option<String>,
}

impl Settings {
    /// Those by which the SDK's default chain finds credentials, of whichever account.
    #[must_use]
    pub(crate) fn of_chain(region: &str) -> Self {
        Self {
            role: None,
            region: Some(region.to_owned()),
            allowed_accounts: Vec::new(),
            session_name: "gp-deliver".to_owned(),
            duration_seconds: 3600,
            audience: String::new(),
            session_policy: None,
        }
    }
}
