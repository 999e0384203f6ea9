//! What a layer's files are written as, and what they were called there.

use percent_encoding::percent_decode_str;

use crate::oci::Digest;

/// The longest part of a path that is written, in bytes; file systems take 255.
const MAX_PART: usize = 200;
/// The longest path that is written, in bytes; Linux takes 4096.
pub(crate) const MAX_PATH: usize = 3000;

/// The name of a written file, in the layer: its folder's name, and its path there.
#[must_use]
pub(crate) fn original(written: &str) -> Option<(&str, String)> {
    let (folder, path) = written.split_once('/')?;
    let name = folder.split_once('.').map_or(folder, |(name, _)| name);
    Some((name, percent_decode_str(path).decode_utf8_lossy().into_owned()))
}

/// What a file is written as: relative, with neither `.` nor `..` in it, and none of the names that have a meaning for git or
/// for a scanner.
pub(super) fn written_as(path: &[u8]) -> String {
    let mut written = String::new();
    for part in path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")) {
        let mut rest = &*encoded(part);
        while !rest.is_empty() {
            let end = (0..=rest.len().min(MAX_PART)).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
            if !written.is_empty() {
                written.push('/');
            }
            written.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    match written.len() {
        0 => "unnamed".to_owned(),
        1..=MAX_PATH => written,
        _ => format!("a-long-name/{}", Digest::of(path).hex()),
    }
}

/// One part of a path, with what could mean something in hexadecimal digits (RFC 3986, section 2.1).
fn encoded(part: &[u8]) -> String {
    use std::fmt::Write as _;
    let lower = part.to_ascii_lowercase();
    let leads = part == b".." || lower == b".git";
    let is_scanners = lower.windows(8).any(|word| word == b"gitleaks");
    let mut text = String::with_capacity(part.len());
    for chunk in part.utf8_chunks() {
        for character in chunk.valid().chars() {
            let hidden = (leads && text.is_empty()) || (is_scanners && character.eq_ignore_ascii_case(&'g'));
            if hidden || character.is_control() || character == '%' || character == '\\' {
                character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                    let _ = write!(text, "%{byte:02X}");
                });
            } else {
                text.push(character);
            }
        }
        chunk.invalid().iter().for_each(|byte| {
            let _ = write!(text, "%{byte:02X}");
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_and_none_has_a_meaning() {
        for (name, written, original) in [
            (&b"/etc/passwd"[..], "etc/passwd", "etc/passwd"),
            (b"../../etc/passwd", "%2E./%2E./etc/passwd", "../../etc/passwd"),
            (b"./a//b/./c", "a/b/c", "a/b/c"),
            (b"app/.git/config", "app/%2Egit/config", "app/.git/config"),
            (b"app/.GIT/config", "app/%2EGIT/config", "app/.GIT/config"),
            (b"x.gitleaks.toml", "x.%67itleaks.toml", "x.gitleaks.toml"),
            (b"a%2fb\x07\xff", "a%252fb%07%FF", "a%2fb\u{7}\u{fffd}"),
            (b"C:\\a", "C:%5Ca", "C:\\a"),
            (b"/", "unnamed", "unnamed"),
            (b"", "unnamed", "unnamed"),
        ] {
            assert_eq!(written_as(name), written, "{name:?}");
            assert_eq!(super::original(&format!("3/{written}")), Some(("3", original.to_owned())));
            assert_eq!(super::original(&format!("3.17/{written}")), Some(("3", original.to_owned())));
        }
        let long = "ü".repeat(300);
        assert!(written_as(long.as_bytes()).split('/').all(|part| part.len() <= 255));
        assert!(written_as("a/".repeat(5000).as_bytes()).len() <= MAX_PATH);
    }
}
