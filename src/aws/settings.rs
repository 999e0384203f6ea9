//! What a session is opened with.

use super::{AccountId, RoleArn};

/// As whom, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The role that the run's token is shown for; without one the ordinary chain of the SDK is asked.
    pub role: Option<RoleArn>,
    /// The region; else the chain's.
    pub region: Option<String>,
    /// The accounts that the credentials may be of; empty: any.
    pub allowed_accounts: Vec<AccountId>,
    /// What the role's session is called in AWS's logs.
    pub session_name: String,
    /// How long the credentials last, in seconds; they are renewed as long as a delivery needs them.
    pub duration_seconds: i32,
    /// Whom the token is for.
    pub audience: String,
    /// A policy that narrows the role's own, as JSON.
    pub session_policy: Option<String>,
}
