//! An input.

use std::marker::PhantomData;
use std::ops::Deref;

use super::problem::Problem;
use super::value::{Fault, Value};

/// A heading of `--help`, under which related inputs stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Where the image is bound for, and what is required there.
    Delivery,
    /// What is built, and how.
    Build,
    /// What is looked for.
    Scan,
    /// Under which names, and where.
    Publish,
    /// By what it is signed.
    Sign,
    /// Amazon ECR, and the identity that is used there.
    Aws,
    /// Which repository a cluster is brought to.
    Cluster,
    /// What is written about it.
    Report,
}

impl Group {
    /// The heading.
    #[must_use]
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Delivery => "Delivery",
            Self::Build => "Build",
            Self::Scan => "Scan",
            Self::Publish => "Publish",
            Self::Sign => "Signing",
            Self::Aws => "AWS",
            Self::Cluster => "Cluster",
            Self::Report => "Report",
        }
    }
}

/// What is written about an input, whatever its type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    /// Its name in kebab-case: `--NAME`, or `INPUT_NAME` in capitals.
    pub(crate) name: &'static str,
    /// Where `--help` lists it.
    pub(crate) group: Group,
    /// What a value looks like, for `--help`.
    pub(crate) value: &'static str,
    /// The value when none or an empty one is given, in words where it depends; empty where there is none.
    pub(crate) default: &'static str,
    /// Whether the default is in words.
    in_words: bool,
    /// What it is for.
    pub(crate) help: &'static str,
    /// Whether the flag may stand alone, for `true`.
    pub(crate) switch: bool,
    /// What is wrong with a text as a value.
    #[cfg(any(test, fuzzing))]
    pub(crate) faults: fn(&str) -> Vec<Fault>,
}

impl About {
    /// The default if it is a value, not a description in words.
    #[must_use]
    pub(crate) fn default_value(&self) -> Option<&'static str> {
        (!self.in_words && !self.default.is_empty()).then_some(self.default)
    }

    /// The variable in which the Actions runner passes it: in capitals, hyphens kept.
    pub(crate) fn variable(&self) -> String {
        format!("INPUT_{}", self.name.to_uppercase())
    }

    /// A problem with it.
    pub(crate) fn problem(&self, value: impl Into<String>, expected: impl Into<String>) -> Problem {
        Problem { input: self.name, value: value.into(), expected: expected.into() }
    }
}

/// An input, whose text is read as a `T`: what is written about it, and the type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<T> {
    pub(crate) about: About,
    value: PhantomData<fn() -> T>,
}

impl<T: Value> Input<T> {
    /// An input. Without a default its type has to say what an empty text is: an [`Option`], or a list.
    pub(super) const fn new(name: &'static str, group: Group, value: &'static str, help: &'static str) -> Self {
        let about = About {
            name,
            group,
            value,
            default: "",
            in_words: false,
            help,
            switch: T::SWITCH,
            #[cfg(any(test, fuzzing))]
            faults: faults::<T>,
        };
        Self { about, value: PhantomData }
    }

    /// The input with a value for when none is given.
    pub(super) const fn default(self, text: &'static str) -> Self {
        Self { about: About { default: text, in_words: false, ..self.about }, ..self }
    }

    /// The input with words for what counts when none is given.
    pub(super) const fn otherwise(self, words: &'static str) -> Self {
        Self { about: About { default: words, in_words: true, ..self.about }, ..self }
    }

    /// Reads a text as a value.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn read(&self, text: &str) -> Result<T, Vec<Problem>> {
        let problem = |Fault { value, expected }| Problem { input: self.name, value, expected };
        T::read(text).map_err(|faults| faults.into_iter().map(problem).collect())
    }
}

impl<T> Deref for Input<T> {
    type Target = About;

    fn deref(&self) -> &About {
        &self.about
    }
}

#[cfg(any(test, fuzzing))]
fn faults<T: Value>(text: &str) -> Vec<Fault> {
    T::read(text).err().unwrap_or_default()
}
