//! The way to a value in a document.

use std::fmt;
use std::str::FromStr;

/// A step of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To the value of a key.
    Key(String),
    /// To an entry of a list, from 0.
    Index(usize),
}

/// The way to a value: `spec.template.spec.containers[0].image`. A key with other signs than letters, digits, `_`, `-` and
/// `/` stands in double quotes, in which `\` keeps the next sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way(pub(super) Vec<Step>);

impl Way {
    pub(super) fn to(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    pub(super) fn at(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }

    /// The last key of it.
    pub(super) fn last_key(&self) -> Option<&str> {
        match self.0.last() {
            Some(Step::Key(key)) => Some(key),
            _ => None,
        }
    }
}

fn is_bare(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '_' | '-' | '/')
}

impl FromStr for Way {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = if let Some(inside) = rest.strip_prefix('[') {
                let (index, rest) = inside.split_once(']').ok_or(())?;
                let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
                steps.push(Step::Index(index.parse().ok().filter(|_| digits).ok_or(())?));
                rest
            } else {
                let rest = if steps.is_empty() { rest } else { rest.strip_prefix('.').ok_or(())? };
                let (key, rest) = key(rest).ok_or(())?;
                steps.push(Step::Key(key));
                rest
            };
        }
        if steps.is_empty() { Err(()) } else { Ok(Self(steps)) }
    }
}

/// The key that a text begins with, and what follows it.
fn key(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|sign| !is_bare(sign)).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut key = String::new();
    let mut signs = quoted.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => return Some((key, &quoted[at + 1..])),
            '\\' => key.push(signs.next()?.1),
            sign => key.push(sign),
        }
    }
    None
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    f.write_str(if number == 0 { "" } else { "." })?;
                    if !key.is_empty() && key.chars().all(is_bare) {
                        f.write_str(key)?;
                    } else {
                        write!(f, "\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))?;
                    }
                }
            }
        }
        Ok(())
    }
}
