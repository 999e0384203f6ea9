//! What a session is opened with.

use super::{AccountId, RoleArn};

/// As whom, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The role that the run's token is shown for; without one the ordinary chain of the SDK is asked.
    pub(crate) role: Option<RoleArn>,
    /// The region; else the chain's.
    pub(crate) region: Option<String>,
    /// The accounts that the credentials may be of; empty: any.
    pub(crate) allowed_accounts: Vec<AccountId>,
    /// What the role's session is called in AWS's logs.
    pub(crate) session_name: String,
    /// How long the credentials last, in seconds; they are renewed as long as a delivery needs them.
    pub(crate) duration_seconds: i32,
    /// Whom the token is for.
    pub(crate) audience: String,
    /// A policy that narrows the role's own, as JSON.
    pub(crate) session_policy: Option<String>,
}
