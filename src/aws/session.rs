//! Who we are at AWS, for as long as a delivery lasts.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_sts::config::IdentityCache;

use super::web_identity::{Assumed, WebIdentity};
use super::{AccountId, Call, Error, RoleArn};
use crate::github::oidc::TokenSource;
use crate::net::RetryPolicy;
use crate::secret::Secret;

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

/// Hears of every credential before anything can print it.
#[derive(Clone)]
pub struct Mask(Arc<dyn Fn(&Secret) + Send + Sync>);

/// An identity at AWS. Clones share it.
#[derive(Clone, Debug)]
pub struct Session {
    pub(super) config: SdkConfig,
    pub(super) mask: Mask,
    /// The account that the credentials are of.
    pub account: AccountId,
    /// Who we are: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub arn: String,
    /// Where we are.
    pub region: String,
}

impl Mask {
    /// A mask that tells `hide`.
    pub fn new(hide: impl Fn(&Secret) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hide))
    }

    pub(super) fn hide(&self, secret: &Secret) {
        (self.0)(secret);
    }
}

impl Session {
    /// Proves who we are: by the run's token where a role is named and `tokens` says where they come from, else by the
    /// credentials that the SDK finds.
    ///
    /// # Errors
    /// We are nobody there, or of an account that is not allowed.
    pub async fn open(
        settings: &Settings,
        tokens: impl FnOnce() -> Option<Result<TokenSource, crate::github::oidc::Error>>,
        mask: Mask,
    ) -> Result<Self, Error> {
        let session = match (&settings.role, tokens()) {
            (Some(role), Some(source)) => Self::by_token(settings, role, source?, mask).await?,
            _ => Self::by_chain(settings, mask).await?,
        };
        let allowed = &settings.allowed_accounts;
        if !allowed.is_empty() && !allowed.contains(&session.account) {
            return Err(Error::ForeignAccount { arn: session.arn, account: session.account, allowed: allowed.clone() });
        }
        Ok(session)
    }

    async fn by_token(settings: &Settings, role: &RoleArn, source: TokenSource, mask: Mask) -> Result<Self, Error> {
        // The chain is not asked: what the runner's machine is must not pass for what the run is.
        let config = loader(settings).no_credentials().load().await;
        let region = region(&config)?;
        let identity = WebIdentity {
            source,
            sts: aws_sdk_sts::Client::new(&config),
            role: role.clone(),
            settings: settings.clone(),
            mask: mask.clone(),
            first: Mutex::default(),
        };
        let Assumed { credentials, arn } = identity.assume().await?;
        let identity = WebIdentity { first: Mutex::new(Some(credentials)), ..identity };
        let config = config.into_builder().credentials_provider(aws_sdk_sts::config::SharedCredentialsProvider::new(identity));
        Ok(Self { config: config.build(), mask, account: role.account.clone(), arn, region })
    }

    async fn by_chain(settings: &Settings, mask: Mask) -> Result<Self, Error> {
        let config = loader(settings).load().await;
        let region = region(&config)?;
        let answer = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        let answer = answer.map_err(|error| Call::GetCallerIdentity.failed(&error))?;
        let malformed = |missing| Error::Malformed { call: Call::GetCallerIdentity, missing };
        let account = answer.account.and_then(|account| account.parse().ok()).ok_or_else(|| malformed("an account"))?;
        let arn = answer.arn.ok_or_else(|| malformed("who we are"))?;
        Ok(Self { config, mask, account, arn, region })
    }
}

fn loader(settings: &Settings) -> ConfigLoader {
    let policy = RetryPolicy::AWS;
    let retries = RetryConfig::standard().with_max_attempts(1 + policy.repeats).with_max_backoff(policy.longest_wait);
    let mut timeouts = TimeoutConfig::builder();
    timeouts.set_operation_attempt_timeout(policy.request_timeout).set_operation_timeout(policy.total_timeout);
    // Two calls and their repeats are behind each load of an identity.
    let mut cache = IdentityCache::lazy();
    cache.set_load_timeout(policy.total_timeout.map(|timeout| 2 * timeout));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(retries)
        .timeout_config(timeouts.build())
        .identity_cache(cache.build());
    if let Ok(name) = AppName::new("gp-deliver") {
        loader = loader.app_name(name);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    loader
}

fn region(config: &SdkConfig) -> Result<String, Error> {
    config.region().map(ToString::to_string).ok_or(Error::NoRegion)
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mask")
    }
}
