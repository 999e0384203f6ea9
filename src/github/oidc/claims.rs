//! What a token claims.

use base64::Engine as _;
use serde_json::{Map, Value};

/// The claims of a token, as its issuer wrote them. They are shown and compared here, never trusted: whoever is given the
/// token verifies its signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Reads the claims of a JSON Web Token (RFC 7519, section 3); absent where the text is none.
    #[must_use]
    pub fn of(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&bytes).map(Self).ok()
    }

    /// A claim that is a text, or a number as text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Who issued it: `https://token.actions.githubusercontent.com`, or an enterprise's own.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        self.get("iss")
    }

    /// Whom it is for.
    #[must_use]
    pub fn audience(&self) -> Option<String> {
        self.get("aud")
    }

    /// Whom it speaks of: `repo:OWNER/NAME:…`, or with ids, `repo:OWNER@ID/NAME@ID:…`.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        self.get("sub")
    }

    /// When it was issued, in seconds since 1970.
    #[must_use]
    pub fn issued_at(&self) -> Option<i64> {
        self.0.get("iat")?.as_i64()
    }

    /// When it expires, in seconds since 1970.
    #[must_use]
    pub fn expires_at(&self) -> Option<i64> {
        self.0.get("exp")?.as_i64()
    }
}

impl FromIterator<(String, Value)> for Claims {
    fn from_iter<T: IntoIterator<Item = (String, Value)>>(claims: T) -> Self {
        Self(claims.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_from_the_middle_of_a_token() {
        let payload =
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"sub":"repo:o/r:ref:refs/heads/main","iat":7}"#);
        let claims = Claims::of(&format!("e30.{payload}.signature")).unwrap();
        assert_eq!(claims.subject().as_deref(), Some("repo:o/r:ref:refs/heads/main"));
        assert_eq!((claims.issued_at(), claims.expires_at()), (Some(7), None));
    }

    #[test]
    fn what_is_no_token_has_no_claims() {
        for text in ["", "a", "a.b.c", "a.W10.c"] {
            assert_eq!(Claims::of(text), None, "{text}");
        }
    }
}
