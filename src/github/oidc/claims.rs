//! What a token claims.

use base64::Engine as _;
use iam_policy::Claims;

use crate::document;

/// Reads the claims of a JSON Web Token (RFC 7519, section 3); `None` if the text is not one.
pub(super) fn of_token(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    document::read(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_from_the_middle_of_a_token() {
        let payload =
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"sub":"repo:o/r:ref:refs/heads/main","iat":7}"#);
        let claims = of_token(&format!("e30.{payload}.signature")).unwrap();
        assert_eq!(claims.subject().as_deref(), Some("repo:o/r:ref:refs/heads/main"));
        assert_eq!((claims.issued_at(), claims.expires_at()), (Some(7), None));
    }

    #[test]
    fn what_is_no_token_has_no_claims() {
        for text in ["", "a", "a.b.c", "a.W10.c"] {
            assert_eq!(of_token(text), None, "{text}");
        }
    }
}
