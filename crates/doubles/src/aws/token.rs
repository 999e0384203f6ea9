//! What STS verifies of a web identity token before it looks at any role.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::account::Content;
use super::content::Answer;
use super::issuer::{Issuer, without_scheme};
use super::refusal::of_sts;

/// A token whose issuer, signature, audience and time are right.
pub struct Verified {
    /// The trusted issuer, without scheme.
    pub provider: String,
    pub audience: String,
    pub subject: String,
    pub claims: Map<String, Value>,
}

fn invalid(message: &str) -> Answer {
    of_sts(400, "InvalidIdentityToken", message)
}

/// Verifies a token for an account by the keys that an issuer publishes; the error is the answer of STS.
pub fn verify(token: &str, account: &Content, published: &Issuer) -> Result<Verified, Answer> {
    let no_token = || invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");
    let claimed: Map<String, Value> = jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| no_token())?;
    let issuer = claimed.get("iss").and_then(Value::as_str).ok_or_else(no_token)?;
    let provider = without_scheme(issuer);
    let no_provider = || invalid(&format!("No OpenIDConnect provider found in your account for {issuer}"));
    let audiences = account.providers.get(provider).ok_or_else(no_provider)?;
    let claims = signed(token, published)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if !audiences.contains(&text("aud")) {
        return Err(invalid("Incorrect token audience"));
    }
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    let exp = time("exp").ok_or_else(|| invalid("Missing a required claim: exp"))?;
    if exp <= now {
        let message = format!("Token expired: current date/time {now} must be before the expiration date/time {exp}");
        return Err(of_sts(400, "ExpiredTokenException", &message));
    }
    if time("nbf").is_some_and(|nbf| nbf > now) {
        return Err(invalid("ID Token provided is not valid yet"));
    }
    Ok(Verified { provider: provider.to_owned(), audience: text("aud"), subject: text("sub"), claims: claims.clone() })
}

/// The claims of a token that a published key signed.
fn signed(token: &str, published: &Issuer) -> Result<Map<String, Value>, Answer> {
    let no_key = || {
        invalid(
            "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity \
             documentation for requirements",
        )
    };
    let header = decode_header(token).map_err(|_| no_key())?;
    let keys: JwkSet = serde_json::from_value(published.jwks()).unwrap();
    let key = header.kid.and_then(|id| keys.find(&id).cloned()).ok_or_else(no_key)?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let decoded = decode(token, &DecodingKey::from_jwk(&key).map_err(|_| no_key())?, &validation);
    decoded.map(|data| data.claims).map_err(|_| invalid("The ID Token provided has an invalid signature"))
}
