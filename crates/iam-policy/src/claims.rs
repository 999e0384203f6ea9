//! The claims of a token.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The claims of a JSON Web Token (RFC 7519, section 4), as its issuer wrote them.
///
/// They are compared here, never trusted: whoever is given the token verifies its signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// A claim that is a text, or a number as text. Lists and objects are not read.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// `iss`: who issued the token, as a URL.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        self.get("iss")
    }

    /// `aud`: the service that the token is meant for.
    #[must_use]
    pub fn audience(&self) -> Option<String> {
        self.get("aud")
    }

    /// `sub`: what the token speaks for. GitHub's have `repo:OWNER/NAME:…`, or with ids, `repo:OWNER@ID/NAME@ID:…`.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        self.get("sub")
    }

    /// `iat`: when the token was issued, in seconds since 1970.
    #[must_use]
    pub fn issued_at(&self) -> Option<i64> {
        self.0.get("iat")?.as_i64()
    }

    /// `exp`: when the token expires, in seconds since 1970.
    #[must_use]
    pub fn expires_at(&self) -> Option<i64> {
        self.0.get("exp")?.as_i64()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Claims {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(claims: T) -> Self {
        Self(claims.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_a_text_or_a_number() {
        let claims: Claims = serde_json::from_str(r#"{"sub": "me", "run_id": 7, "iat": 1, "amr": ["a"], "ok": true}"#).unwrap();
        assert_eq!((claims.subject().as_deref(), claims.get("run_id").as_deref()), (Some("me"), Some("7")));
        assert_eq!((claims.issued_at(), claims.expires_at()), (Some(1), None));
        assert_eq!((claims.get("amr"), claims.get("ok"), claims.issuer(), claims.audience()), (None, None, None, None));
    }
}
