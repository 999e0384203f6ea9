//! Variables in a word, as in BuildKit's `frontend/dockerfile/shell/lex.go`.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use super::bounds::{Bound, MAX_DEPTH, MAX_VALUES};

/// How many bytes variables have brought so far.
#[derive(Debug, Default)]
pub(super) struct Brought(usize);

impl Brought {
    fn add(&mut self, value: &str) -> Result<(), Stopped> {
        self.0 = self.0.saturating_add(value.len());
        if self.0 <= MAX_VALUES { Ok(()) } else { Err(Stopped::Beyond(Bound::Values)) }
    }
}

/// The word with its variables replaced and its quotes removed. `None` where BuildKit rejects it, and for the forms that
/// change a value (`${name#pattern}`, `${name/a/b}`).
///
/// # Errors
/// It goes beyond a limit.
pub(super) fn expand(
    word: &str,
    values: &BTreeMap<String, String>,
    escape: char,
    brought: &mut Brought,
) -> Result<Option<String>, Bound> {
    let mut expander = Expander { characters: word.chars().peekable(), values, escape, brought, depth: 0 };
    match expander.until(None) {
        Ok(text) => Ok(Some(text)),
        Err(Stopped::Rejected) => Ok(None),
        Err(Stopped::Beyond(bound)) => Err(bound),
    }
}

/// Why a word has no value.
enum Stopped {
    Rejected,
    Beyond(Bound),
}

struct Expander<'a> {
    characters: Peekable<Chars<'a>>,
    values: &'a BTreeMap<String, String>,
    escape: char,
    brought: &'a mut Brought,
    /// How many variables this is inside of.
    depth: usize,
}

impl Expander<'_> {
    fn until(&mut self, end: Option<char>) -> Result<String, Stopped> {
        let mut out = String::new();
        let mut quote = None;
        while let Some(character) = self.characters.next() {
            match character {
                _ if quote.is_none() && Some(character) == end => return Ok(out),
                '\'' if quote.is_none() => loop {
                    match self.characters.next().ok_or(Stopped::Rejected)? {
                        '\'' => break,
                        other => out.push(other),
                    }
                },
                '"' => quote = if quote.is_some() { None } else { Some(character) },
                '$' => out.push_str(&self.variable()?),
                escape if escape == self.escape => {
                    let special = |next: &char| quote.is_none() || matches!(next, '"' | '$') || *next == escape;
                    match self.characters.next_if(special) {
                        Some(next) => out.push(next),
                        None if self.characters.peek().is_some() => out.push(escape),
                        None => {}
                    }
                }
                other => out.push(other),
            }
        }
        if end.is_none() && quote.is_none() { Ok(out) } else { Err(Stopped::Rejected) }
    }

    fn variable(&mut self) -> Result<String, Stopped> {
        if self.characters.next_if_eq(&'{').is_none() {
            let name = self.name();
            return if name.is_empty() { Ok("$".to_owned()) } else { Ok(self.value(&name)?.unwrap_or_default()) };
        }
        let name = self.name();
        if name.is_empty() {
            return Err(Stopped::Rejected);
        }
        let value = self.value(&name)?;
        let operator = match self.characters.next().ok_or(Stopped::Rejected)? {
            '}' => return Ok(value.unwrap_or_default()),
            ':' => {
                let value = value.filter(|value| !value.is_empty());
                return self.substitute(value);
            }
            operator => operator,
        };
        self.operate(operator, value)
    }

    /// The value of a variable, which counts whether or not anything comes of it.
    fn value(&mut self, name: &str) -> Result<Option<String>, Stopped> {
        let Some(value) = self.values.get(name) else { return Ok(None) };
        self.brought.add(value)?;
        Ok(Some(value.clone()))
    }

    fn substitute(&mut self, value: Option<String>) -> Result<String, Stopped> {
        let operator = self.characters.next().ok_or(Stopped::Rejected)?;
        self.operate(operator, value)
    }

    fn operate(&mut self, operator: char, value: Option<String>) -> Result<String, Stopped> {
        if !matches!(operator, '-' | '+' | '?') {
            return Err(Stopped::Rejected);
        }
        if self.depth == MAX_DEPTH {
            return Err(Stopped::Beyond(Bound::Depth));
        }
        self.depth += 1;
        let word = self.until(Some('}'))?;
        self.depth -= 1;
        match operator {
            '-' => Ok(value.unwrap_or(word)),
            '+' => Ok(value.map_or(String::new(), |_| word)),
            _ => value.ok_or(Stopped::Rejected),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(character) = self.characters.next_if(|character| character.is_alphanumeric() || *character == '_') {
            name.push(character);
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_take_their_values_as_in_a_shell() {
        let values = BTreeMap::from([("A".to_owned(), "a".to_owned()), ("E".to_owned(), String::new())]);
        let rows = [
            ("x", Some("x")),
            ("x$A/y", Some("xa/y")),
            ("x${A}y", Some("xay")),
            ("${B:-d}", Some("d")),
            ("${E:-d}", Some("d")),
            ("${E-d}", Some("")),
            ("${A:+p}", Some("p")),
            ("${B:+p}", Some("")),
            ("${B:-x${A}y}", Some("xay")),
            ("${A:?must be}", Some("a")),
            ("${B:?must be}", None),
            ("'$A'", Some("$A")),
            ("\"$A\"", Some("a")),
            (r"\$A", Some("$A")),
            ("$B", Some("")),
            ("$", Some("$")),
            ("${A", None),
            ("${}", None),
            ("'a", None),
            ("${A#x}", None),
        ];
        for (word, expected) in rows {
            assert_eq!(expand(word, &values, '\\', &mut Brought::default()).unwrap().as_deref(), expected, "{word}");
        }
    }

    fn nested(depth: usize) -> String {
        "${A:-".repeat(depth) + "s" + &"}".repeat(depth)
    }

    #[test]
    fn variables_stand_in_each_other_as_deep_as_the_limit_and_no_deeper() {
        let expanded = |word: &str| expand(word, &BTreeMap::new(), '\\', &mut Brought::default());
        assert_eq!(expanded(&nested(MAX_DEPTH)).unwrap().as_deref(), Some("s"));
        for depth in [MAX_DEPTH + 1, 1_000_000] {
            assert_eq!(expanded(&nested(depth)), Err(Bound::Depth), "{depth}");
            assert_eq!(expanded(&"${A+".repeat(depth)), Err(Bound::Depth), "{depth}");
        }
        // One after the other is not one in the other.
        assert!(expanded(&nested(MAX_DEPTH).repeat(100)).is_ok());
    }

    #[test]
    fn what_a_variable_brings_counts_even_where_nothing_comes_of_it() {
        let values = BTreeMap::from([("A".to_owned(), "a".repeat(1 << 10)), ("Z".to_owned(), String::new())]);
        for word in ["$A", "${A}", "${Z:+$A}", "${A:+x}"] {
            let (just, more) = (word.repeat(MAX_VALUES >> 10), word.repeat((MAX_VALUES >> 10) + 1));
            assert!(expand(&just, &values, '\\', &mut Brought::default()).is_ok(), "{word}");
            assert_eq!(expand(&more, &values, '\\', &mut Brought::default()), Err(Bound::Values), "{word}");
        }
    }
}
