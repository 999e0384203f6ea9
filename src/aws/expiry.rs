//! Credentials that AWS says have expired, though by the time that AWS gave with them they are good: this machine has slept, its
//! clock was set, or they were revoked. The request is made again with others.

use aws_sdk_sts::config::interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextMut};
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::{BoxError, ConnectorError};
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use aws_smithy_types::retry::ErrorKind;
use serde_json::Value;

use super::web_identity::WebIdentity;
use crate::document;

/// Has the SDK repeat what was refused because of these credentials, within its own count of repeats. The next attempt asks for
/// credentials, which are others then.
#[derive(Debug)]
pub(super) struct Expiry(pub(super) WebIdentity);

/// The access key that a request shows.
#[derive(Debug)]
struct Shown(String);

impl Storable for Shown {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Expiry {
    fn name(&self) -> &'static str {
        "expiry"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let key = context.request().headers().get("authorization").and_then(access_key);
        bag.interceptor_state().store_or_unset(key.map(|key| Shown(key.to_owned())));
        Ok(())
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_refused = context.response().is_some_and(says_expired);
        let is_replaced = || bag.load::<Shown>().is_some_and(|Shown(key)| self.0.is_replaced(key));
        if is_refused
            && is_replaced()
            && let Some(Err(error)) = context.output_or_error_mut()
        {
            let words = "AWS says that the credentials have expired before their time";
            *error = OrchestratorError::connector(ConnectorError::other(words.into(), Some(ErrorKind::TransientError)));
        }
        Ok(())
    }
}

/// The access key in a signature (AWS Signature Version 4, "Authorization header").
fn access_key(authorization: &str) -> Option<&str> {
    authorization.split_once("Credential=")?.1.split('/').next()
}

fn says_expired(response: &Response) -> bool {
    let body = response.body().bytes().unwrap_or_default();
    response.status().is_client_error() && is_of_expiry(body)
}

/// Whether a refusal in the JSON protocol, which ECR and KMS speak, is one of expired credentials (Smithy, "AWS JSON 1.1
/// protocol", "Operation error serialization").
fn is_of_expiry(refusal: &[u8]) -> bool {
    let Ok(refusal) = document::read::<Value>(refusal) else { return false };
    let said = |names: [&str; 2]| names.into_iter().find_map(|name| refusal.get(name)?.as_str()).unwrap_or_default();
    // A namespace may stand before the name, and an address behind it.
    let name = said(["__type", "code"]).split(':').next().and_then(|kind| kind.rsplit('#').next());
    matches!(name, Some("ExpiredToken" | "ExpiredTokenException"))
        || said(["message", "Message"]).trim_end_matches('.') == "The security token included in the request is expired"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_the_credentials_have_expired_is_told_from_other_refusals() {
        for (refusal, is_one) in [
            (r#"{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}"#, true),
            (r#"{"__type":"com.amazon.coral.service#ExpiredTokenException:http://x","Message":"gone"}"#, true),
            (r#"{"code":"ExpiredToken"}"#, true),
            (
                r#"{"__type":"UnrecognizedClientException","message":"The security token included in the request is expired."}"#,
                true,
            ),
            (
                r#"{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}"#,
                false,
            ),
            (r#"{"__type":"RequestExpired","message":"x"}"#, false),
            (r#"{"__type":"A","__type":"ExpiredToken"}"#, false),
            ("<Error><Code>ExpiredToken</Code></Error>", false),
            ("", false),
        ] {
            assert_eq!(is_of_expiry(refusal.as_bytes()), is_one, "{refusal}");
        }
    }

    #[test]
    fn the_access_key_is_read_from_the_signature() {
        let signature =
            "AWS4-HMAC-SHA256 Credential=ASIAX/20261128/eu-central-1/ecr/aws4_request, SignedHeaders=host, Signature=a";
        assert_eq!(access_key(signature), Some("ASIAX"));
        assert_eq!(access_key("Bearer x"), None);
    }
}
