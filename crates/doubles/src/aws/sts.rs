//! STS: it verifies a token and a trust policy as AWS does, and has moto issue the credentials.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use hyper::http::request::Parts;
use serde_json::Value;

use super::account::Session;
use super::call::Call;
use super::content::{Answer, forward, full};
use super::policy::Policy;
use super::refusal::{answer, of_sts, request_id};
use super::server::{Server, Unknown};
use super::token::{self, Verified};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// The claims that trust policies can ask for: those of every issuer, and those of GitHub (IAM user guide, "IAM and AWS STS
/// condition context keys").
const CLAIMS: [&str; 11] = [
    "aud",
    "sub",
    "actor",
    "actor_id",
    "job_workflow_ref",
    "repository",
    "repository_id",
    "workflow",
    "ref",
    "environment",
    "enterprise_id",
];

/// The parameters of `AssumeRoleWithWebIdentity` that are in order.
struct Wanted {
    role: String,
    role_arn: String,
    session: String,
    seconds: u64,
    policy: Option<Policy>,
}

fn invalid(message: &str) -> Answer {
    of_sts(400, "ValidationError", message)
}

fn constraint(value: &str, name: &str, constraint: &str) -> Answer {
    invalid(&format!("1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"))
}

impl Server {
    /// Answers a call.
    pub async fn sts(&self, call: Call, head: Parts, document: &[u8]) -> std::io::Result<Answer> {
        if call == Call::AssumeRole {
            let form = url::form_urlencoded::parse(document).into_owned().collect();
            return match self.permit(&form) {
                Ok((wanted, verified)) => Ok(self.issue(&wanted, &verified).await),
                Err(refusal) => Ok(refusal),
            };
        }
        match self.session(&head) {
            // CloudWatch knows no resources (Service Authorization Reference, "Actions defined by Amazon CloudWatch").
            Ok(session) if call == Call::PutMetricData => {
                match self.account.authorize(&session, "cloudwatch:PutMetricData", "*") {
                    Ok(()) => forward(self.moto.address, hyper::Request::from_parts(head, full(document.to_vec()))).await,
                    Err(sentence) => Ok(of_sts(403, "AccessDenied", &sentence.replace(" on resource: *", ""))),
                }
            }
            Ok(_) => forward(self.moto.address, hyper::Request::from_parts(head, full(document.to_vec()))).await,
            Err(Unknown::Unsigned) => Ok(of_sts(403, "MissingAuthenticationToken", "Request is missing Authentication Token")),
            Err(Unknown::Stranger) => {
                Ok(of_sts(403, "InvalidClientTokenId", "The security token included in the request is invalid"))
            }
            Err(Unknown::Expired) => Ok(of_sts(403, "ExpiredToken", "The security token included in the request is expired")),
        }
    }

    fn permit(&self, form: &HashMap<String, String>) -> Result<(Wanted, Verified), Answer> {
        let wanted = Self::wanted(form)?;
        let token = required(form, "WebIdentityToken", "webIdentityToken")?;
        let account = self.account.content();
        // An account that is not this one trusts nobody.
        let own = wanted.role_arn == self.account.role_arn(&wanted.role);
        let trusting = if own { &account } else { const { &super::account::Content::EMPTY } };
        let verified = token::verify(token, trusting, &self.issuer)?;
        let provider = self.account.provider_arn(&verified.provider);
        let keys = condition_keys(&verified);
        let role = account.roles.get(&wanted.role).filter(|role| role.trust.allows(&provider, &keys));
        let refusal = || of_sts(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        if wanted.seconds > role.ok_or_else(refusal)?.longest_session {
            return Err(invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
        }
        Ok((wanted, verified))
    }

    fn wanted(form: &HashMap<String, String>) -> Result<Wanted, Answer> {
        let role_arn = required(form, "RoleArn", "roleArn")?;
        let role = role_arn.split_once(":role/").filter(|(account, _)| account.starts_with("arn:")).map(|(_, role)| role);
        let role = role.ok_or_else(|| invalid(&format!("{role_arn} is invalid")))?;
        let session = required(form, "RoleSessionName", "roleSessionName")?;
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
        if !session.chars().all(allowed) {
            let pattern = "Member must satisfy regular expression pattern: [\\w+=,.@-]*";
            return Err(constraint(session, "roleSessionName", pattern));
        }
        if !(2..=64).contains(&session.len()) {
            return Err(constraint(session, "roleSessionName", "Member must have length between 2 and 64"));
        }
        let seconds = form.get("DurationSeconds").map_or("3600", String::as_str);
        let seconds = match seconds.parse::<u64>() {
            Ok(number @ 900..=43200) => number,
            Ok(..900) => {
                return Err(constraint(seconds, "durationSeconds", "Member must have value greater than or equal to 900"));
            }
            _ => return Err(constraint(seconds, "durationSeconds", "Member must have value less than or equal to 43200")),
        };
        let policy = form.get("Policy").map(|text| session_policy(text)).transpose()?;
        Ok(Wanted { role: role.to_owned(), role_arn: role_arn.to_owned(), session: session.to_owned(), seconds, policy })
    }

    /// Issues credentials; all of them are kept as secrets.
    async fn issue(&self, wanted: &Wanted, verified: &Verified) -> Answer {
        let seconds = wanted.seconds.to_string();
        let parameters = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", &wanted.role_arn),
            ("RoleSessionName", &wanted.session),
            ("DurationSeconds", &seconds),
            ("WebIdentityToken", "verified"),
        ];
        let issued = self.moto.query("sts", &parameters).await;
        let element = |name: &str| {
            let (_, rest) = issued.split_once(&format!("<{name}>")).unwrap();
            rest.split_once("</").unwrap().0.to_owned()
        };
        let [id, secret, session] =
            ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| self.secrets.keep(element(name)));
        let first = self.first_session_lifetime.filter(|_| self.account.content().sessions.is_empty());
        let lifetime = Duration::from_secs(first.unwrap_or(wanted.seconds).min(wanted.seconds));
        let expires = SystemTime::now() + lifetime;
        let expiration = jiff::Timestamp::try_from(expires).unwrap().strftime("%Y-%m-%dT%H:%M:%SZ");
        let new = Session { role: wanted.role.clone(), name: wanted.session.clone(), policy: wanted.policy.clone(), expires };
        let arn = self.account.session_arn(&new);
        self.account.content().sessions.insert(id.clone(), new);
        let provider = self.account.provider_arn(&verified.provider);
        let Verified { audience, subject, .. } = verified;
        let (role_id, name) = (element("AssumedRoleId"), "AssumeRoleWithWebIdentity");
        let body = format!(
            "<{name}Response xmlns=\"{NAMESPACE}\"><{name}Result><Audience>{audience}</Audience><AssumedRoleUser>\
             <AssumedRoleId>{role_id}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser><Provider>{provider}</Provider>\
             <Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
             <SessionToken>{session}</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
             <SubjectFromWebIdentityToken>{subject}</SubjectFromWebIdentityToken></{name}Result><ResponseMetadata>\
             <RequestId>{}</RequestId></ResponseMetadata></{name}Response>",
            request_id()
        );
        answer(200, "text/xml", body)
    }
}

fn required<'a>(form: &'a HashMap<String, String>, name: &str, member: &str) -> Result<&'a str, Answer> {
    let value = form.get(name).filter(|value| !value.is_empty());
    let missing =
        || format!("1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null");
    value.map(String::as_str).ok_or_else(|| invalid(&missing()))
}

fn session_policy(text: &str) -> Result<Policy, Answer> {
    let malformed = |message: &str| of_sts(400, "MalformedPolicyDocument", message);
    if text.len() > 2048 {
        return Err(constraint(text, "policy", "Member must have length less than or equal to 2048"));
    }
    let document: Value = serde_json::from_str(text).map_err(|_| malformed("This policy contains invalid Json"))?;
    Policy::read(&document).ok_or_else(|| malformed("Syntax errors in policy."))
}

/// The keys that a trust policy can ask for, in lower case: their names know no case.
fn condition_keys(verified: &Verified) -> BTreeMap<String, Vec<String>> {
    let value = |name: &str| verified.claims.get(name).and_then(Value::as_str).map(|value| vec![value.to_owned()]);
    let key = |name: &&str| Some((format!("{}:{name}", verified.provider).to_lowercase(), value(name)?));
    CLAIMS.iter().filter_map(key).collect()
}
