//! Variables in a word, as in BuildKit's `frontend/dockerfile/shell/lex.go`.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// The word with its variables replaced and its quotes removed. `None` where BuildKit rejects it, and for the forms that
/// change a value (`${name#pattern}`, `${name/a/b}`).
pub(super) fn expand(word: &str, values: &BTreeMap<String, String>, escape: char) -> Option<String> {
    let mut expander = Expander { characters: word.chars().peekable(), values, escape };
    expander.until(None)
}

struct Expander<'a> {
    characters: Peekable<Chars<'a>>,
    values: &'a BTreeMap<String, String>,
    escape: char,
}

impl Expander<'_> {
    fn until(&mut self, end: Option<char>) -> Option<String> {
        let mut out = String::new();
        let mut quote = None;
        while let Some(character) = self.characters.next() {
            match character {
                _ if quote.is_none() && Some(character) == end => return Some(out),
                '\'' if quote.is_none() => loop {
                    match self.characters.next()? {
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
        (end.is_none() && quote.is_none()).then_some(out)
    }

    fn variable(&mut self) -> Option<String> {
        if self.characters.next_if_eq(&'{').is_none() {
            let name = self.name();
            return Some(if name.is_empty() { "$".to_owned() } else { self.values.get(&name).cloned().unwrap_or_default() });
        }
        let name = self.name();
        if name.is_empty() {
            return None;
        }
        let value = self.values.get(&name).cloned();
        let operator = match self.characters.next()? {
            '}' => return Some(value.unwrap_or_default()),
            ':' => {
                let value = value.filter(|value| !value.is_empty());
                return self.substitute(value);
            }
            operator => operator,
        };
        self.operate(operator, value)
    }

    fn substitute(&mut self, value: Option<String>) -> Option<String> {
        let operator = self.characters.next()?;
        self.operate(operator, value)
    }

    fn operate(&mut self, operator: char, value: Option<String>) -> Option<String> {
        if !matches!(operator, '-' | '+' | '?') {
            return None;
        }
        let word = self.until(Some('}'))?;
        match operator {
            '-' => Some(value.unwrap_or(word)),
            '+' => Some(value.map_or(String::new(), |_| word)),
            _ => value,
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
            assert_eq!(expand(word, &values, '\\').as_deref(), expected, "{word}");
        }
    }
}
