//! How a value is written so that every reader takes it for a text.

use granit_parser::ScalarStyle;

/// The words that YAML 1.1 takes for something else than a text (yaml.org/type: bool, null, float); helm, kubectl and Argo CD
/// read 1.1.
const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];

/// Whether a value may stand without quotes. What begins like a number may be one: `1_000`, `0x1f`, `12e3456`, `190:20:30`
/// and `2026-11-25` are to some.
pub(super) fn may_be_plain(value: &str) -> bool {
    let begins = |letter: fn(&char) -> bool| value.chars().next().is_some_and(|first| letter(&first));
    let signs = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/@:+".contains(&byte));
    let begins = begins(char::is_ascii_alphabetic) || value.contains('/') && begins(char::is_ascii_alphanumeric);
    signs && begins && !value.ends_with(':') && !WORDS.contains(&&*value.to_ascii_lowercase())
}

/// A value in double quotes. It has no control characters.
pub(super) fn in_double_quotes(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A value in the style of the one before it; none for a block.
pub(super) fn written(value: &str, style: ScalarStyle, like_json: bool) -> Option<String> {
    match style {
        ScalarStyle::SingleQuoted => Some(format!("'{}'", value.replace('\'', "''"))),
        ScalarStyle::Plain if !like_json && may_be_plain(value) => Some(value.to_owned()),
        ScalarStyle::Plain | ScalarStyle::DoubleQuoted => Some(in_double_quotes(value)),
        ScalarStyle::Literal | ScalarStyle::Folded => None,
    }
}
