//! A role, assumed with the token of a workflow run and renewed as long as the run lasts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};

use super::error::Renewal;
use super::{Call, Error, RoleArn, Settings};
use crate::github::oidc::TokenSource;
use crate::redaction;

/// Assumes a role by web identity (AWS STS API reference, `AssumeRoleWithWebIdentity`). The SDK's own provider reads the
/// token from a file, which here is never written; this one asks for a new token each time.
#[derive(Debug)]
pub(super) struct WebIdentity {
    pub(super) source: TokenSource,
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) role: RoleArn,
    pub(super) settings: Settings,
    /// Credentials that were obtained before the SDK asks for the first.
    pub(super) first: Mutex<Option<Credentials>>,
}

/// The credentials of an assumed role.
pub(super) struct Assumed {
    pub(super) credentials: Credentials,
    /// The ARN of the role's session: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub(super) arn: String,
}

impl WebIdentity {
    pub(super) async fn assume(&self) -> Result<Assumed, Error> {
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
        Ok(Assumed { credentials, arn })
    }
}

impl ProvideCredentials for WebIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(credentials) = first {
                return Ok(credentials);
            }
            let assumed = self.assume().await.map_err(|error| Renewal(Arc::new(error)));
            assumed.map(|assumed| assumed.credentials).map_err(CredentialsError::provider_error)
        })
    }
}
