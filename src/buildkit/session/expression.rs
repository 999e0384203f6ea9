//! Go's regular expressions (RE2, <https://github.com/google/re2/wiki/Syntax>) in the words of the `regex` crate.
//!
//! Docker's ignore patterns become Go expressions by text substitution, so that what a `[`, a `\` or a `^` in a pattern
//! means is in the end what Go's parser makes of it. Where the two languages read the same text differently (nested
//! classes, set operations, Unicode in `\d`), this is what keeps Go's reading.

use std::fmt::Write;

/// The same expression for the `regex` crate; `None` if Go rejects it. `\p` classes, which Go knows, are rejected too.
#[must_use]
pub(crate) fn from_go(expression: &str) -> Option<String> {
    let mut rest = expression;
    let mut out = String::with_capacity(expression.len());
    let mut previous = Previous::Nothing;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        (rest, previous) = match first {
            '[' => (class(after, &mut out)?, Previous::Term),
            '\\' => (escape(after, &mut out)?, Previous::Term),
            '*' | '?' => (repetition(first, after, previous, &mut out)?, Previous::Repetition),
            '{' if count(after).is_some() => (repetition(first, after, previous, &mut out)?, Previous::Repetition),
            '(' | '|' => (verbatim(first, after, &mut out), Previous::Nothing),
            ')' | '.' | '^' | '$' => (verbatim(first, after, &mut out), Previous::Term),
            literal => {
                push(&mut out, literal);
                (after, Previous::Term)
            }
        };
    }
    Some(out)
}

/// What a repetition would repeat.
#[derive(Clone, Copy, PartialEq)]
enum Previous {
    Nothing,
    Term,
    Repetition,
}

fn verbatim<'a>(operator: char, rest: &'a str, out: &mut String) -> &'a str {
    out.push(operator);
    rest
}

/// A `*`, a `?`, or a `{` with a count after it. Go repeats neither nothing nor a repetition.
fn repetition<'a>(operator: char, rest: &'a str, previous: Previous, out: &mut String) -> Option<&'a str> {
    if previous != Previous::Term {
        return None;
    }
    out.push(operator);
    if operator != '{' {
        return Some(rest);
    }
    let (text, rest) = count(rest)?;
    let numbers: Vec<&str> = text.split(',').filter(|number| !number.is_empty()).collect();
    // Go's own limit.
    let small = numbers.iter().all(|number| number.parse::<u32>().is_ok_and(|number| number <= 1000));
    out.push_str(text);
    out.push('}');
    small.then_some(rest)
}

/// The count of a repetition after its `{`: `2`, `2,`, `2,3`; anything else makes the `{` literal.
fn count(rest: &str) -> Option<(&str, &str)> {
    let (text, rest) = rest.split_once('}')?;
    let (low, high) = text.split_once(',').unwrap_or((text, "0"));
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    (!low.is_empty() && number(low) && number(high)).then_some((text, rest))
}

/// Any character, without a meaning of its own.
fn push(out: &mut String, character: char) {
    // Writing to a string can't fail.
    let _ = write!(out, r"\x{{{:X}}}", u32::from(character));
}

/// What follows a `\` outside a class.
fn escape<'a>(rest: &'a str, out: &mut String) -> Option<&'a str> {
    let mut characters = rest.chars();
    let first = characters.next()?;
    let after = characters.as_str();
    match first {
        'A' | 'z' | 'b' | 'B' => {
            // Go's word boundaries are of ASCII words.
            let _ = write!(out, r"(?-u:\{first})");
            Some(after)
        }
        'Q' => {
            let (literal, after) = after.split_once(r"\E").unwrap_or((after, ""));
            literal.chars().for_each(|character| push(out, character));
            Some(after)
        }
        'p' | 'P' | 'C' => None,
        _ => {
            if let Some(members) = perl_class(first) {
                let _ = write!(out, "[{members}]");
                return Some(after);
            }
            let (character, after) = escaped_character(rest)?;
            push(out, character);
            Some(after)
        }
    }
}

/// The members of `\d` and its like, which are of ASCII in Go.
fn perl_class(name: char) -> Option<&'static str> {
    Some(match name {
        'd' => "0-9",
        'D' => "[^0-9]",
        's' => r"\t\n\x0C\r\x20",
        'S' => r"[^\t\n\x0C\r\x20]",
        'w' => "0-9A-Za-z_",
        'W' => "[^0-9A-Za-z_]",
        _ => return None,
    })
}

/// The one character that an escape stands for; `rest` begins after the `\`.
fn escaped_character(rest: &str) -> Option<(char, &str)> {
    let mut characters = rest.chars();
    let first = characters.next()?;
    let after = characters.as_str();
    let character = match first {
        'a' => '\x07',
        'f' => '\x0C',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0B',
        'x' => return hexadecimal(after),
        '0'..='7' => return octal(rest),
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => other,
        _ => return None,
    };
    Some((character, after))
}

fn octal(rest: &str) -> Option<(char, &str)> {
    let length = rest.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    // A single digit other than 0 would be a back reference, which Go does not have.
    if length == 1 && !rest.starts_with('0') {
        return None;
    }
    let (digits, after) = rest.split_at(length);
    Some((char::from_u32(u32::from_str_radix(digits, 8).ok()?)?, after))
}

fn hexadecimal(rest: &str) -> Option<(char, &str)> {
    let (digits, after) = match rest.strip_prefix('{') {
        Some(rest) => rest.split_once('}')?,
        None => rest.split_at_checked(2)?,
    };
    let digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)?;
    Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, after))
}

/// A class after its `[`.
fn class<'a>(rest: &'a str, out: &mut String) -> Option<&'a str> {
    out.push('[');
    let mut rest = match rest.strip_prefix('^') {
        Some(rest) => {
            out.push('^');
            rest
        }
        None => rest,
    };
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        rest = class_member(rest, out)?;
    }
    out.push(']');
    Some(&rest[1..])
}

fn class_member<'a>(rest: &'a str, out: &mut String) -> Option<&'a str> {
    if rest.starts_with("[:")
        && let Some(length) = rest[2..].find(":]")
    {
        let (named, after) = rest.split_at(length + 4);
        // The crate knows the same names; one that it does not know is refused when it compiles the expression.
        out.push_str(named);
        return Some(after);
    }
    if let Some(after) = rest.strip_prefix('\\') {
        let name = after.chars().next()?;
        if let Some(members) = perl_class(name) {
            out.push_str(members);
            return Some(&after[1..]);
        }
    }
    let (low, after) = class_character(rest)?;
    let (high, after) = match after.strip_prefix('-') {
        Some(after) if !after.is_empty() && !after.starts_with(']') => class_character(after)?,
        _ => (low, after),
    };
    if high < low {
        return None;
    }
    push(out, low);
    out.push('-');
    push(out, high);
    Some(after)
}

fn class_character(rest: &str) -> Option<(char, &str)> {
    match rest.strip_prefix('\\') {
        Some(rest) => escaped_character(rest),
        None => rest.chars().next().map(|first| (first, &rest[first.len_utf8()..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(expression: &str, text: &str) -> bool {
        regex::Regex::new(&from_go(expression).unwrap()).unwrap().is_match(text)
    }

    #[test]
    fn a_bracket_inside_a_class_is_a_member_and_not_a_class() {
        assert!(accepts("^[[^/]*]$", "[[]"));
        assert!(!accepts("^[[^/]*]$", "a]"));
    }

    #[test]
    fn set_operations_of_the_other_language_are_plain_members() {
        assert!(accepts("^[a&&b]$", "&"));
        assert!(accepts("^[+--b]$", ",") && accepts("^[~~]$", "~"));
    }

    #[test]
    fn perl_classes_are_of_ascii() {
        assert!(accepts(r"^\d$", "7"));
        assert!(!accepts(r"^\d$", "٣"));
        assert!(accepts(r"^[\D]$", "٣"));
    }

    #[test]
    fn quoted_text_and_numbered_characters_are_literal() {
        assert!(accepts(r"^\Qa\.b$", r"a\.b$"));
        assert!(accepts(r"^\x41\x{42}\103$", "ABC"));
    }

    #[test]
    fn a_brace_counts_only_where_it_holds_a_count() {
        assert!(accepts("^a{2}$", "aa"));
        assert!(accepts("^a{,2}$", "a{,2}") && accepts("^{a}$", "{a}"));
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for expression in ["{2}", "a{2}{3}", "a{1001}", "[z-a]", "[", "[]", r"\y", r"\1", r"\é", r"\C", r"[\", r"\x", r"\xZ1"] {
            assert_eq!(from_go(expression), None, "{expression}");
        }
    }
}
