//! The forms that a secret takes when it is printed in another way than it is kept: what one word of a shell script does.
//!
//! Upper and lower case are the matter of the search, and so are blanks: hexadecimal digits in groups are no form of their
//! own. Compressed or encrypted, encoded twice, or spelt by other signs than these, a secret is not known any more.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::fold::fold;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// How many bytes `base64`, `openssl base64` (RFC 7468) put on a line.
const BASE64_LINES: [usize; 2] = [57, 48];
/// How many bytes `hexdump` and `xxd`, and `xxd -p`, put on a line.
const HEX_LINES: [usize; 2] = [16, 30];

/// The longest secret that is looked for in all its forms, in bytes; of a longer one those that are common.
const SHORT: usize = 256;

/// All forms of a secret but its own, as they are written.
pub(super) fn of(secret: &[u8]) -> Zeroizing<Vec<String>> {
    let mut forms = Zeroizing::new(common(secret));
    if secret.len() <= SHORT {
        forms.extend(rare(secret));
        // A line of a dump: long enough to be nothing else.
        let is_word = !secret.iter().any(u8::is_ascii_whitespace) && !contains(secret, b"//");
        let lines = secret.chunks(HEX_LINES[0]).filter(|line| is_word && secret.len() > line.len() && line.len() >= 12);
        forms.extend(lines.map(|line| String::from_utf8_lossy(line).into_owned()));
    }
    forms
}

/// The forms that programs write: base64 (RFC 4648), alone and within a longer text, base64 in lines, hexadecimal digits,
/// the escapes of JSON and of addresses.
fn common(secret: &[u8]) -> Vec<String> {
    let mut forms = in_digits(secret, 6, BASE64);
    if forms.iter().any(|form| form.contains(['+', '/'])) {
        forms.extend(in_digits(secret, 6, BASE64_URL));
    }
    for length in BASE64_LINES.into_iter().filter(|length| secret.len() > *length) {
        forms.extend(secret.chunks(length).flat_map(|line| in_digits(line, 6, BASE64).into_iter().take(1)));
    }
    forms.push(each(secret, |byte| format!("{byte:02x}")));
    for length in HEX_LINES.into_iter().filter(|length| secret.len() > *length) {
        forms.extend(secret.chunks(length).map(|line| each(line, |byte| format!("{byte:02x}"))));
    }
    // Of RFC 3986 alone, with a path's signs, as JavaScript and Python have it, and of forms.
    for kept in ["-._~", "", "-._~/", "-_.!~*'()", "*-._", "-_"] {
        let form = percent(secret, kept);
        forms.push(form.replace("%20", "+"));
        forms.push(form);
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        forms.extend(json(text));
    }
    forms
}

/// The forms that people write: escapes of languages and shells, HTML, backwards, base32.
fn rare(secret: &[u8]) -> Vec<String> {
    let mut forms = in_digits(secret, 5, BASE32);
    forms.push(each(secret, |byte| format!("%{byte:02x}")));
    forms.push(each(secret, |byte| format!("\\x{byte:02x}")));
    forms.push(each(secret, |byte| format!("0x{byte:02x},")));
    forms.push(each(secret, |byte| format!("{byte:02x}:")).trim_end_matches(':').to_owned());
    forms.push(each(secret, |byte| format!("\\{byte:03o}")));
    let Ok(text) = std::str::from_utf8(secret) else { return forms };
    forms.push(text.encode_utf16().fold(String::new(), |mut form, unit| {
        let _ = write!(form, "\\u{unit:04x}");
        form
    }));
    // bash's `%q`, and its quotes of both kinds.
    forms.push(escaped(text, |character| !(character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character)), "\\"));
    forms.push(escaped(text, |character| "\\\"$`!".contains(character), "\\"));
    forms.push(text.replace('\'', "'\\''"));
    forms.push(text.replace('\'', "'\"'\"'"));
    forms.push(text.replace('\\', "\\\\").replace('\'', "\\'"));
    for (quote, apostrophe) in [("&quot;", "&#39;"), ("&#34;", "&#39;"), ("&quot;", "&#x27;"), ("&quot;", "&apos;")] {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        forms.push(text.replace('"', quote).replace('\'', apostrophe));
        forms.push(text.replace('"', quote));
    }
    let numbered = |character: char| format!("&#{};", u32::from(character));
    let reference = |character: char| if character.is_ascii_alphanumeric() { character.to_string() } else { numbered(character) };
    forms.push(text.chars().map(reference).collect());
    forms.push(text.chars().map(numbered).collect());
    let in_hex = |character: char| format!("&#x{:x};", u32::from(character));
    forms.push(text.chars().map(in_hex).collect());
    forms.push(text.chars().rev().collect());
    forms
}

/// As digits of `bits` bits each, wherever the secret stands in what is encoded: at each place the digits that it alone
/// decides, and these with the one that its end has a part in.
fn in_digits(secret: &[u8], bits: usize, alphabet: &[u8]) -> Vec<String> {
    let places = if bits == 6 { 3 } else { 5 };
    let mut forms = Vec::new();
    for place in 0..places {
        let (begin, end) = (8 * place, 8 * (place + secret.len()));
        let digit = |number: usize| {
            let bit =
                |at: usize| secret.get((at - begin) / 8).map_or(0, |byte| usize::from((byte >> (7 - (at - begin) % 8)) & 1));
            let value = (number * bits..(number + 1) * bits).fold(0, |value, at| (value << 1) | bit(at));
            char::from(alphabet[value])
        };
        let (first, last) = (begin.div_ceil(bits), end / bits);
        let form: String = (first..last).map(digit).collect();
        if end % bits != 0 {
            forms.push(format!("{form}{}", digit(last)));
        }
        forms.push(form);
    }
    forms
}

/// As in an address (RFC 3986, section 2.1): all but letters, digits and what is `kept` by their numbers.
fn percent(secret: &[u8], kept: &str) -> String {
    each(secret, |byte| match byte {
        byte if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    })
}

/// As in JSON (RFC 8259, section 7): as little escaped as may be, with `/` too, in ASCII alone, and as Go writes it.
fn json(text: &str) -> Vec<String> {
    let least = serde_json::Value::from(text).to_string();
    let least = least[1..least.len() - 1].to_owned();
    let go = least.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    let ascii = least.encode_utf16().fold(String::new(), |mut form, unit| {
        match u8::try_from(unit).ok().filter(u8::is_ascii) {
            Some(byte) => form.push(char::from(byte)),
            None => {
                let _ = write!(form, "\\u{unit:04x}");
            }
        }
        form
    });
    vec![least.replace('/', "\\/"), go, ascii, least]
}

fn escaped(text: &str, special: impl Fn(char) -> bool, mark: &str) -> String {
    let escape = |character: char| if special(character) { format!("{mark}{character}") } else { character.to_string() };
    text.chars().map(escape).collect()
}

fn each(secret: &[u8], written: impl Fn(u8) -> String) -> String {
    secret.iter().map(|byte| written(*byte)).collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A form in pieces that are looked for one by one: what is long is not printed whole, and is found in part.
pub(super) fn pieces(form: &str) -> Vec<Zeroizing<Vec<u8>>> {
    /// The longest piece.
    const LONGEST: usize = 128;
    let folded = Zeroizing::new(fold(form.as_bytes()));
    if folded.len() <= LONGEST {
        return vec![folded];
    }
    let number = folded.len().div_ceil(LONGEST);
    // Pieces of about the same length, so that none is too short to be told from other words.
    folded.chunks(folded.len().div_ceil(number)).map(|piece| Zeroizing::new(piece.to_vec())).collect()
}
