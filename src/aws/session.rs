//! The identity at AWS, valid for as long as a delivery lasts.

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_sts::config::IdentityCache;
use aws_types::os_shim_internal::Env;

use super::chain::{self, Chain};
use super::config::Config;
use super::web_identity::WebIdentity;
use super::{AccountId, Call, Error, RoleArn, Settings, confidential};
use crate::github::oidc::TokenSource;
use crate::net::RetryPolicy;
use crate::variables;

/// An identity at AWS. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(super) config: Config,
    /// The account of the credentials.
    pub(crate) account: AccountId,
    /// The caller's ARN: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub(crate) arn: String,
    /// The region.
    pub(crate) region: String,
}

impl Session {
    /// Signs in: with the run's token if a role is named and `tokens` has a source of them, else with the credentials that
    /// the SDK finds.
    ///
    /// # Errors
    /// There are no valid credentials, or they belong to an account that is not allowed.
    pub(crate) async fn open(
        settings: &Settings,
        tokens: impl FnOnce() -> Option<Result<TokenSource, crate::github::oidc::Error>>,
    ) -> Result<Self, Error> {
        let session = match (&settings.role, tokens()) {
            (Some(role), Some(source)) => Self::by_token(settings, role, source?).await?,
            _ => Self::by_chain(settings).await?,
        };
        let allowed = &settings.allowed_accounts;
        if !allowed.is_empty() && !allowed.contains(&session.account) {
            return Err(Error::ForeignAccount { arn: session.arn, account: session.account, allowed: allowed.clone() });
        }
        Ok(session)
    }

    /// The same identity in another region.
    #[must_use]
    pub(crate) fn in_region(&self, region: &str) -> Self {
        let sdk = self.config.sdk.to_builder().region(Region::new(region.to_owned())).build();
        let config = Config { sdk, renewed_by: self.config.renewed_by.clone() };
        Self { config, region: region.to_owned(), ..self.clone() }
    }

    async fn by_token(settings: &Settings, role: &RoleArn, source: TokenSource) -> Result<Self, Error> {
        // Not the default chain: the identity of the runner's machine must not stand in for the run's. And no cache of the SDK's,
        // which keeps what AWS has refused.
        let config = loader(settings).no_credentials().identity_cache(IdentityCache::no_cache()).load().await;
        let region = region(&config)?;
        let identity = WebIdentity::new(source, confidential::sts(&config), role.clone(), settings.clone());
        let arn = identity.sign_in().await?;
        let provider = aws_sdk_sts::config::SharedCredentialsProvider::new(identity.clone());
        let sdk = config.into_builder().credentials_provider(provider).build();
        Ok(Self { config: Config { sdk, renewed_by: Some(identity) }, account: role.account().clone(), arn, region })
    }

    async fn by_chain(settings: &Settings) -> Result<Self, Error> {
        chain::remember_profiles(&environment()).await;
        let config = loader(settings).load().await;
        let region = region(&config)?;
        let mut known = config.to_builder();
        known.set_credentials_provider(config.credentials_provider().map(Chain::around));
        let config = known.build();
        let answer = confidential::sts(&config).get_caller_identity().send().await;
        let answer = answer.map_err(|error| Call::GetCallerIdentity.failed(&error))?;
        let malformed = |missing| Error::Malformed { call: Call::GetCallerIdentity, missing };
        let account = answer.account.and_then(|account| account.parse().ok()).ok_or_else(|| malformed("an account"))?;
        let arn = answer.arn.ok_or_else(|| malformed("the caller's ARN"))?;
        Ok(Self { config: Config { sdk: config, renewed_by: None }, account, arn, region })
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
        .env(environment())
        .http_client(super::http::client())
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

/// All variables, for the SDK's chain: credentials, profiles, endpoints. Its own look at the environment of this process would
/// find none of them.
fn environment() -> Env {
    let variables = variables::all().iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    Env::from_slice(&variables.collect::<Vec<_>>())
}

fn region(config: &SdkConfig) -> Result<String, Error> {
    config.region().map(ToString::to_string).ok_or(Error::NoRegion)
}
