//! Amazon CloudWatch: figures are put there (Amazon CloudWatch API reference, `PutMetricData`).
//!
//! It is one request of the query protocol, signed by the SDK's own crate. A client of all of CloudWatch would be the largest
//! part of the program, for one call.

use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_types::service_config::ServiceConfigKey;
use http::header::CONTENT_TYPE;
use iam_policy::{Condition, Document, Effect, Partition, Scope, Statement, Version};
use jiff::Timestamp;
use url::form_urlencoded::Serializer;

use super::error::Renewal;
use super::{Call, Error, Failure, Session};
use crate::net::{self, Confidential, RetryPolicy, causes, chain, is_temporary};
use crate::text;

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// What is read of an answer, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// A figure: its name, its unit and its value.
pub(crate) type Datum = (&'static str, &'static str, u64);

/// Puts figures of a time into a namespace, all with the same dimensions.
///
/// # Errors
/// CloudWatch refuses, or can't be reached.
pub(crate) async fn put(
    session: &Session,
    namespace: &str,
    (at, dimensions): (Timestamp, &[(&'static str, String)]),
    data: &[Datum],
) -> Result<(), Error> {
    let body = body(namespace, (at, dimensions), data);
    // What was sent and not answered may have been taken: sent again, it would count twice.
    RetryPolicy::AWS.run(|| send(session, &body)).await.map_err(|failure| Error::Call(Box::new(failure.0)))
}

/// What a role has to be allowed to do for that. CloudWatch knows no resources; what is allowed is the one namespace.
#[must_use]
pub(crate) fn statement(namespace: &str) -> Statement {
    Statement {
        sid: Some("PutMetrics".to_owned()),
        effect: Effect::Allow,
        principals: None,
        actions: Scope::Only(vec![Call::PutMetricData.permission().to_owned()]),
        resources: Some(Scope::Only(vec!["*".to_owned()])),
        conditions: vec![Condition {
            operator: "StringEquals".to_owned(),
            key: "cloudwatch:namespace".to_owned(),
            values: vec![namespace.to_owned()],
        }],
    }
}

/// The smallest policy that gives that.
#[must_use]
pub(crate) fn policy(namespace: &str) -> Document {
    Document { version: Version::V2012, id: None, statements: vec![statement(namespace)] }
}

fn body(namespace: &str, (at, dimensions): (Timestamp, &[(&'static str, String)]), data: &[Datum]) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("Action", "PutMetricData").append_pair("Version", "2010-08-01").append_pair("Namespace", namespace);
    let at = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    for (index, (name, unit, value)) in (1..).zip(data) {
        let mut member = |key: &str, value: &str| {
            form.append_pair(&format!("MetricData.member.{index}.{key}"), value);
        };
        member("MetricName", name);
        member("Unit", unit);
        member("Value", &value.to_string());
        member("Timestamp", &at);
        for (index, (name, value)) in (1..).zip(dimensions) {
            member(&format!("Dimensions.member.{index}.Name"), name);
            member(&format!("Dimensions.member.{index}.Value"), value);
        }
    }
    form.finish()
}

/// Where CloudWatch is: what the SDK's own settings name, else its address in the region (AWS General Reference, "Amazon
/// CloudWatch endpoints and quotas").
fn endpoint(session: &Session) -> String {
    let (config, region) = (&session.config, &session.region);
    let key = ServiceConfigKey::builder().service_id("CloudWatch").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_service = key.ok().and_then(|key| config.sdk.service_config()?.load_config(key));
    if let Some(named) = of_service.or_else(|| config.sdk.endpoint_url().map(str::to_owned)) {
        return named;
    }
    let partition = Partition::of_region(region);
    let fips = if config.sdk.use_fips() == Some(true) && partition != Partition::GovCloud { "-fips" } else { "" };
    let domain = match (partition, config.sdk.use_dual_stack() == Some(true)) {
        (Partition::China, false) => "amazonaws.com.cn",
        (Partition::China, true) => "api.amazonwebservices.com.cn",
        (Partition::EuropeanSovereign, false) => "amazonaws.eu",
        (Partition::EuropeanSovereign, true) => "api.amazonwebservices.eu",
        (Partition::Aws | Partition::GovCloud, false) => "amazonaws.com",
        (Partition::Aws | Partition::GovCloud, true) => "api.aws",
    };
    format!("https://monitoring{fips}.{region}.{domain}")
}

/// One request that failed.
struct Attempt(Failure, bool);

impl Attempt {
    fn of(message: text::Line) -> Self {
        Self(Failure { call: Call::PutMetricData, code: None, message, request_id: None }, false)
    }
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl net::Failure for Attempt {
    fn is_temporary(&self) -> bool {
        self.1
    }
}

async fn send(session: &Session, body: &str) -> Result<(), Attempt> {
    let address = Confidential::parse(&endpoint(session)).map_err(|unfit| Attempt::of(chain(&unfit)))?;
    let request = signed(session, &address, body).await?;
    let client =
        address.client().timeout(RetryPolicy::AWS.request_timeout).build().map_err(|error| Attempt::of(chain(&error)))?;
    let mut answer = client.execute(request).await.map_err(|error| Attempt::of(chain(&error.without_url())))?;
    let status = answer.status();
    let mut said = Vec::new();
    while let Ok(Some(part)) = answer.chunk().await {
        said.extend_from_slice(&part);
        if said.len() > MAX_ANSWER {
            break;
        }
    }
    let said = String::from_utf8_lossy(&said);
    // A page of somebody else's is no answer, whatever its status.
    if status.is_success() && said.contains("<PutMetricDataResponse") {
        return Ok(());
    }
    let element = |name: &str| {
        let (_, rest) = said.split_once(&format!("<{name}>"))?;
        rest.split_once("</").map(|(inner, _)| text::words(inner))
    };
    let code = element("Code");
    let message = element("Message").unwrap_or_else(|| text::words(&format!("it answers {status}: {said}")));
    let passes = is_temporary(status) || code.as_deref() == Some("Throttling");
    Err(Attempt(Failure { call: Call::PutMetricData, code, message, request_id: element("RequestId") }, passes))
}

/// The request with its signature (AWS IAM User Guide, "AWS Signature Version 4 for API requests").
async fn signed(session: &Session, address: &Confidential, body: &str) -> Result<reqwest::Request, Attempt> {
    let broken = |error: &(dyn std::error::Error + 'static)| Attempt::of(chain(error));
    let provider = session.config.sdk.credentials_provider().ok_or_else(|| Attempt::of("there are no credentials".into()))?;
    let identity = provider.provide_credentials().await.map_err(|error| Attempt::of(unrenewed(&error)))?.into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(&session.region)
        .name("monitoring")
        .time(SystemTime::now())
        .settings(SigningSettings::default());
    let parameters = parameters.build().map_err(|error| broken(&error))?.into();
    let address = address.url().as_str();
    let request = http::Request::post(address).header(CONTENT_TYPE, FORM).body(body.to_owned());
    let mut request = request.map_err(|error| broken(&error))?;
    let headers = std::iter::once((CONTENT_TYPE.as_str(), FORM));
    let signable = SignableRequest::new("POST", address, headers, SignableBody::Bytes(body.as_bytes()));
    let signable = signable.map_err(|error| broken(&error))?;
    let (instructions, _) = sign(signable, &parameters).map_err(|error| broken(&error))?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    reqwest::Request::try_from(request).map_err(|error| broken(&error))
}

/// Why there are no credentials any more, in the words of whoever was asked for them.
fn unrenewed(error: &CredentialsError) -> text::Line {
    let renewal = causes(error).find_map(|cause| cause.downcast_ref::<Renewal>());
    renewal.map_or_else(|| chain(error), |renewal| text::words(&renewal.0.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_a_form_of_the_query_protocol() {
        let at = "2026-11-28T05:00:00.9Z".parse().unwrap();
        let dimensions = [("Repository", "team/a&b".to_owned()), ("Environment", "prod".to_owned())];
        let form = body("GpDeliver", (at, &dimensions), &[("Blocked", "Count", 1), ("Duration", "Milliseconds", 42)]);
        let pairs: Vec<_> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(value("MetricData.member.2.Value"), Some("42"));
        assert_eq!(value("MetricData.member.2.Timestamp"), Some("2026-11-28T05:00:00Z"));
        assert_eq!(value("MetricData.member.1.Dimensions.member.1.Value"), Some("team/a&b"));
        assert_eq!(pairs.len(), 3 + 2 * 8);
    }

    #[test]
    fn only_figures_of_the_one_namespace_are_allowed() {
        let policy = policy("GpDeliver").to_json();
        assert!(
            policy.contains("\"cloudwatch:namespace\": \"GpDeliver\"") && policy.contains("cloudwatch:PutMetricData"),
            "{policy}"
        );
    }
}
