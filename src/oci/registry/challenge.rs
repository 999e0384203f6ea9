//! How a registry asks for credentials: `WWW-Authenticate` (RFC 9110, section 11.6.1; distribution, "Token Authentication
//! Specification").

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// How a registry wants requests to be authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Not at all.
    None,
    /// By name and password.
    Basic,
    /// By a token of another server.
    Bearer {
        /// That server's address.
        realm: String,
        /// What the registry calls itself there.
        service: Option<String>,
    },
}

impl Challenge {
    /// The challenge in the headers of a 401, tokens preferred; `Err` with the header where none is understood, `Ok(None)`
    /// where there is none.
    pub(super) fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, String> {
        let values: Vec<&str> = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
        let known: Vec<Self> = values.iter().filter_map(|value| Self::parse(value)).collect();
        let preferred = known.iter().find(|challenge| matches!(challenge, Self::Bearer { .. })).or(known.first());
        match (preferred, values.first()) {
            (Some(challenge), _) => Ok(Some(challenge.clone())),
            (None, Some(value)) => Err((*value).to_owned()),
            (None, None) => Ok(None),
        }
    }

    fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let get = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        Some(Self::Bearer { realm: get("realm")?, service: get("service") })
    }
}

/// `key="value",key=value`: a comma or an escaped quotation mark within quotes belongs to the value.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            unquote(quoted)
        } else {
            let end = after.find(',').unwrap_or(after.len());
            (after[..end].trim().to_owned(), &after[end..])
        };
        found.push((key.trim_matches([' ', ',']).to_owned(), value));
        rest = after;
    }
    found
}

fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(values: &[&str]) -> Result<Option<Challenge>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Challenge::from_headers(&headers)
    }

    #[test]
    fn a_token_is_preferred_to_a_password() {
        let bearer = r#"bearer realm="https://auth.example/token?a=b,c",service="r.\"x\"",scope="repository:a:pull,push""#;
        let expected = Challenge::Bearer { realm: "https://auth.example/token?a=b,c".into(), service: Some("r.\"x\"".into()) };
        assert_eq!(parse(&["Basic realm=\"x\"", bearer]), Ok(Some(expected)));
        assert_eq!(parse(&["Basic"]), Ok(Some(Challenge::Basic)));
    }

    #[test]
    fn what_is_not_known_is_named_and_what_is_absent_is_not() {
        assert_eq!(parse(&["Negotiate"]), Err("Negotiate".to_owned()));
        assert_eq!(parse(&["Bearer service=\"x\""]), Err("Bearer service=\"x\"".to_owned()));
        assert_eq!(parse(&[]), Ok(None));
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(text in ".*") {
            let _ = Challenge::parse(&text);
        }
    }
}
