//! Keys, and when two of them are one to some readers.

use std::collections::HashMap;

use super::Reason;
use crate::text;

/// What is known of the keys of an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keys {
    /// It is read as a struct with these fields.
    Fields(&'static [&'static str]),
    /// Its keys are names that someone gave: annotations, labels, hosts.
    Free,
}

/// Objects whose keys are free in whatever nobody here reads. Docker's older configurations have them once more under
/// `container_config`.
const FREE: [&str; 4] = ["annotations", "labels", "volumes", "exposedports"];

/// Whether the keys of an object that is passed over are free, by its own key.
pub(super) fn has_free_keys(key: &str) -> bool {
    FREE.contains(&&*fold(key))
}

/// A key as a reader has it that does not tell cases apart: Go's `encoding/json` folds by Unicode's simple folding, by which
/// `ſ` is an s and `K` (the sign of kelvin) a k; its second version passes over `_` and `-` too, where it is asked to. More
/// is one here than there.
pub(super) fn fold(key: &str) -> String {
    if key.is_ascii() {
        return key
            .bytes()
            .filter(|byte| !matches!(byte, b'_' | b'-'))
            .map(|byte| char::from(byte.to_ascii_lowercase()))
            .collect();
    }
    let upper = key.chars().filter(|character| !matches!(character, '_' | '-')).flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
}

/// Up to here keys are looked for one by one, which is faster than to hash them; few objects have more.
const FEW: usize = 24;

/// The keys of an object so far.
#[derive(Default)]
pub(super) struct Seen {
    /// The first of those that are free.
    few: Vec<String>,
    /// The others, and the folded ones of a struct, each with what it was before.
    many: HashMap<String, Option<String>>,
}

impl Seen {
    /// Adds a key.
    pub(super) fn add(&mut self, key: &str, keys: Keys) -> Result<(), Reason> {
        let Keys::Fields(fields) = keys else {
            return if self.is_new(key) { Ok(()) } else { Err(Reason::Twice(text::words(key))) };
        };
        let folded = fold(key);
        if !fields.contains(&key)
            && let Some(known) = fields.iter().find(|field| fold(field) == folded)
        {
            return Err(Reason::Spelled { key: text::words(key), known });
        }
        // What is folded already need not be kept twice.
        let original = (key != folded).then(|| key.to_owned());
        match self.many.insert(folded, original.clone()) {
            None => Ok(()),
            Some(before) if before == original => Err(Reason::Twice(text::words(key))),
            Some(before) => {
                let before = before.unwrap_or_else(|| fold(key));
                Err(Reason::Alike(text::words(&before), text::words(key)))
            }
        }
    }

    fn is_new(&mut self, key: &str) -> bool {
        if self.few.iter().any(|seen| seen == key) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(key.to_owned());
            return true;
        }
        self.many.insert(key.to_owned(), None).is_none()
    }
}
