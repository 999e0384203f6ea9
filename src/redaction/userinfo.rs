//! Names and passwords in addresses (RFC 3986, section 3.2.1), whoever's they are.

use std::ops::Range;

use percent_encoding::percent_decode_str;

/// Where in `text` the credentials of addresses stand: of `https://NAME:PASSWORD@HOST` the part before `@`, since a name
/// alone may be a token there; of other schemes the password (`ssh://git@HOST` has none).
pub(super) fn places(text: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for (at, mark) in text.match_indices("://") {
        let begin = at + mark.len();
        let end = text[begin..].find(|character: char| "/?#\"'<>\\`".contains(character) || character.is_whitespace());
        let authority = &text[begin..end.map_or(text.len(), |end| begin + end)];
        let Some((user, _)) = authority.rsplit_once('@') else { continue };
        let is_web = ["http", "https"].iter().any(|scheme| ends_with(&text.as_bytes()[..at], scheme.as_bytes()));
        let secret = match user.split_once(':') {
            _ if is_web => begin..begin + user.len(),
            Some((name, _)) => begin + name.len() + 1..begin + user.len(),
            None => continue,
        };
        // What was redacted before stays as it is.
        if !secret.is_empty() && &text[secret.clone()] != super::MARK {
            places.push(secret);
        }
    }
    places
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len() >= end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end)
}

/// The passwords in the addresses of `text`, as they are written and as they are meant.
pub(super) fn passwords(text: &str) -> Vec<String> {
    let written = places(text).into_iter().map(|place| {
        let user = &text[place];
        user.split_once(':').map_or(user, |(_, password)| password).to_owned()
    });
    let both = written.flat_map(|password| {
        let meant = percent_decode_str(&password).decode_utf8_lossy().into_owned();
        let meant = (meant != password).then_some(meant);
        [Some(password), meant]
    });
    both.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stand_before_the_at_sign_of_an_address() {
        for (text, found) in [
            ("https://me:pw@h.example/x", &["me:pw"][..]),
            ("see http://token@h.example", &["token"]),
            ("HTTPS://a:b@c@h.example", &["a:b@c"]),
            ("amqp://me:pw@h.example:1", &["pw"]),
            ("ssh://git@h.example/x", &[]),
            ("https://h.example/@scope/x@1", &[]),
            ("https://h.example?a=b@c", &[]),
            ("https://***@h.example", &[]),
            ("://@", &[]),
        ] {
            assert_eq!(places(text).into_iter().map(|place| &text[place]).collect::<Vec<_>>(), found, "{text}");
        }
    }
}
