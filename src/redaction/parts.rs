//! What is secret for itself within a secret: a program prints the password, not the file that holds it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::literal::literals;
use super::userinfo;

/// The shortest part that is taken for a secret of its own; shorter ones are words like `true` and `oauth2`.
const SHORTEST_PART: usize = 8;

/// The parts of a build secret that are secret by themselves:
///
/// - the values of a JSON document that are texts, and the lines of each (a private key), and the password of a pair in
///   base64 (`config.json` of Docker's client);
/// - what stands after `=` or `: ` in a line (`.env`, `.npmrc`, `pip.conf`, YAML), without its quotation marks, and after
///   `password` (`.netrc`);
/// - the passwords in addresses.
///
/// An address without a user is no secret, so that a package registry's name stays readable.
pub(super) fn of(secret: &str) -> Vec<String> {
    let mut parts: Vec<String> = if secret.trim_start().starts_with(['{', '[']) { values(secret) } else { assigned(secret) };
    parts.extend(userinfo::passwords(secret));
    let lines: Vec<String> = parts.iter().filter(|part| part.contains('\n')).flat_map(|part| lines(part)).collect();
    parts.extend(lines);
    parts.retain(|part| part.trim().chars().count() >= SHORTEST_PART && !is_public(part.trim()));
    parts
}

/// The lines of a text that may be secret by themselves.
pub(super) fn lines(text: &str) -> Vec<String> {
    // Brackets and other signs alone are the form of a document.
    let tells = |line: &&str| line.chars().filter(|character| character.is_alphanumeric()).count() >= super::SHORTEST;
    text.split(['\n', '\r']).map(str::trim).filter(tells).map(str::to_owned).collect()
}

fn values(json: &str) -> Vec<String> {
    let mut values = Vec::new();
    for (range, meaning) in literals(json) {
        if json[range.end..].trim_start().starts_with(':') {
            continue;
        }
        let pair = STANDARD.decode(&meaning).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        values.extend(pair.and_then(|pair| Some(pair.split_once(':')?.1.to_owned())));
        values.push(meaning);
    }
    values
}

fn assigned(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    for line in text.lines() {
        let value = line.split_once('=').or_else(|| line.split_once(": ")).map(|(_, value)| value.trim());
        values.extend(value.map(|value| value.trim_matches(['"', '\'']).to_owned()));
        let mut words = line.split_whitespace().skip_while(|word| *word != "password").skip(1);
        values.extend(words.next().map(str::to_owned));
    }
    values
}

/// Whether it is an address in which nobody's name and password stand.
fn is_public(part: &str) -> bool {
    let rest = part.strip_prefix("https://").or_else(|| part.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.contains(['@', '?', '#', ' ', '\n']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_files_that_hold_secrets_are_secrets() {
        let pair = STANDARD.encode("someone:pass-word-1");
        for (file, secrets) in [
            (
                "{\"type\":\"x\",\"token_uri\":\"https://a.example/token\",\"private_key\":\"-----BEGIN\\nabcdefgh\\n\"}",
                &["-----BEGIN\nabcdefgh\n", "-----BEGIN", "abcdefgh"][..],
            ),
            (&format!("{{\"auths\":{{\"r.example\":{{\"auth\":\"{pair}\"}}}}}}"), &["pass-word-1", &pair]),
            ("registry=https://r.example/\n//r.example/:_authToken=npm_abcdef\nalways-auth=true\n", &["npm_abcdef"]),
            ("DB_PASSWORD=\"hunter22\"\nA=b", &["hunter22"]),
            ("machine r.example login me password hunter22", &["hunter22"]),
            (
                "index-url = https://me:pass%2Dword@r.example/simple",
                &["https://me:pass%2Dword@r.example/simple", "pass%2Dword", "pass-word"],
            ),
            ("plain-value", &[]),
        ] {
            assert_eq!(of(file), secrets, "{file}");
        }
    }
}
