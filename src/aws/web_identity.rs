//! A role, assumed with the token of a workflow run and renewed as long as the run lasts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};

use super::error::Renewal;
use super::{Call, Error, RoleArn, Settings};
use crate::github::oidc::TokenSource;
use crate::redaction;

/// So long before their end, credentials are not shown any more: a request may be on its way for a while.
const SPARE: Duration = Duration::from_secs(10);

/// The longest session that AWS gives.
const LONGEST: Duration = Duration::from_hours(12);

/// Credentials that came in place of refused ones and are refused so soon themselves are not replaced again: AWS would refuse the
/// next ones too.
const SOON: Duration = Duration::from_mins(1);

/// Assumes a role by web identity (AWS STS API reference, `AssumeRoleWithWebIdentity`). The SDK's own provider reads the
/// token from a file, which here is never written; this one asks for a new token each time. Clones share what they hold, and
/// the SDK is to keep nothing of it: what AWS has refused is not shown again.
#[derive(Clone, Debug)]
pub(super) struct WebIdentity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: TokenSource,
    sts: aws_sdk_sts::Client,
    role: RoleArn,
    settings: Settings,
    held: Mutex<Held>,
    /// One at a time asks for new credentials.
    renewal: tokio::sync::Mutex<()>,
}

/// What AWS has given.
#[derive(Debug, Default)]
struct Held {
    credentials: Option<Credentials>,
    /// Until when they are shown. By this machine's clock it would be another time whenever that is set.
    until: Option<Instant>,
    /// When they came, where they came in place of some that were refused.
    replaced: Option<Instant>,
    /// Whether the next ones come in place of some that were refused.
    refused: bool,
}

impl WebIdentity {
    pub(super) fn new(source: TokenSource, sts: aws_sdk_sts::Client, role: RoleArn, settings: Settings) -> Self {
        let (held, renewal) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Inner { source, sts, role, settings, held, renewal }))
    }

    /// Assumes the role, and holds the credentials. Returns the ARN of the role's session:
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub(super) async fn sign_in(&self) -> Result<String, Error> {
        let (credentials, arn) = self.0.assume().await?;
        self.held().hold(credentials, self.0.asked_for());
        Ok(arn)
    }

    /// Takes note that AWS says of the credentials with this access key that they have expired. Whether to ask again: others
    /// are there, or can be asked for.
    pub(super) fn is_replaced(&self, key: &str) -> bool {
        self.held().refuse(key)
    }

    async fn credentials(&self) -> Result<Credentials, Error> {
        let _alone = self.0.renewal.lock().await;
        if let Some(credentials) = self.held().good() {
            return Ok(credentials);
        }
        let (credentials, _) = self.0.assume().await?;
        self.held().hold(credentials.clone(), self.0.asked_for());
        Ok(credentials)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Holds new credentials. Where this machine's clock says that they are over already, it is wrong, and they are good for
    /// as long as was asked for.
    fn hold(&mut self, credentials: Credentials, asked_for: Duration) {
        let left = credentials.expiry().and_then(|expiry| expiry.duration_since(SystemTime::now()).ok());
        let left = left.unwrap_or(asked_for).min(LONGEST);
        let now = Instant::now();
        *self = Self {
            credentials: Some(credentials),
            until: now.checked_add(left.saturating_sub(SPARE)),
            replaced: self.refused.then_some(now),
            refused: false,
        };
    }

    fn good(&self) -> Option<Credentials> {
        self.credentials.clone().filter(|_| self.until.is_some_and(|until| Instant::now() < until))
    }

    fn refuse(&mut self, key: &str) -> bool {
        if self.credentials.as_ref().is_none_or(|held| held.access_key_id() != key) {
            return true;
        }
        if self.replaced.is_some_and(|at| at.elapsed() < SOON) {
            return false;
        }
        *self = Self { refused: true, ..Self::default() };
        true
    }
}

impl Inner {
    fn asked_for(&self) -> Duration {
        Duration::from_secs(self.settings.duration_seconds.try_into().unwrap_or_default())
    }

    async fn assume(&self) -> Result<(Credentials, String), Error> {
        let token = self.source.token(&self.settings.audience).await?;
        let request = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(self.role.to_string())
            .role_session_name(&self.settings.session_name)
            .duration_seconds(self.settings.duration_seconds)
            .set_policy(self.settings.session_policy.clone())
            .web_identity_token(token.token.expose());
        let answer = request.send().await.map_err(|error| Error::Assume {
            role: self.role.clone(),
            failure: Box::new(Call::AssumeRoleWithWebIdentity.failure(&error)),
            claims: Box::new(token.claims),
        })?;
        let malformed = |missing| Error::Malformed { call: Call::AssumeRoleWithWebIdentity, missing };
        let issued = answer.credentials.ok_or_else(|| malformed("credentials"))?;
        for secret in [&issued.access_key_id, &issued.secret_access_key, &issued.session_token] {
            redaction::remember(secret);
        }
        let expiry = SystemTime::try_from(issued.expiration).map_err(|_| malformed("a time of expiry"))?;
        let arn = answer.assumed_role_user.map(|user| user.arn).ok_or_else(|| malformed("the caller's ARN"))?;
        let credentials = Credentials::new(
            issued.access_key_id,
            issued.secret_access_key,
            Some(issued.session_token),
            Some(expiry),
            "web identity of the workflow run",
        );
        Ok((credentials, arn))
    }
}

impl ProvideCredentials for WebIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let credentials = self.credentials().await.map_err(|error| Renewal(Arc::new(error)));
            credentials.map_err(CredentialsError::provider_error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(key: &str, seconds_left: i64) -> Credentials {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(now.saturating_add_signed(seconds_left));
        Credentials::new(key, "secret", None, Some(expiry), "test")
    }

    fn key(held: &Held) -> Option<String> {
        held.good().map(|credentials| credentials.access_key_id().to_owned())
    }

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn credentials_are_shown_until_shortly_before_their_end_or_for_as_long_as_was_asked_for_where_the_clock_is_wrong() {
        let mut held = Held::default();
        for (left, is_shown) in [(3600, true), (2, false), (-86_400, true), (1_000_000_000_000, true)] {
            held.hold(credentials("a", left), HOUR);
            assert_eq!(key(&held).is_some(), is_shown, "{left}");
        }
    }

    #[test]
    fn what_was_refused_is_not_shown_again_and_is_replaced_once_in_a_while() {
        let mut held = Held::default();
        held.hold(credentials("a", 3600), HOUR);
        assert!(held.refuse("a"));
        assert_eq!(key(&held), None);
        // So are the requests that were on their way.
        assert!(held.refuse("a"));
        held.hold(credentials("b", 3600), HOUR);
        assert!(held.refuse("a"));
        assert_eq!(key(&held).as_deref(), Some("b"));
        assert!(!held.refuse("b"), "AWS would refuse the next ones too");
        assert_eq!(key(&held).as_deref(), Some("b"));
        held.replaced = held.replaced.and_then(|at| at.checked_sub(SOON));
        assert!(held.refuse("b"));
        // Those that come when these are over are no replacement.
        held.hold(credentials("c", 3600), HOUR);
        held.hold(credentials("d", 3600), HOUR);
        assert!(held.refuse("d"));
    }
}
