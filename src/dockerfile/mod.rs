//! A Dockerfile as text: which instruction stands on which lines, which stage is built from which, and which instruction
//! brought a layer of the image that came of it.
//!
//! What counts as a line, a comment, a directive or a here-document is BuildKit's reading
//! (`frontend/dockerfile/parser`, <https://docs.docker.com/reference/dockerfile/>). Instructions are not checked: whether
//! they make sense is for BuildKit to say.

mod expand;
mod heredoc;
mod origin;
mod reader;

use std::collections::BTreeMap;

/// A Dockerfile that can't be divided into instructions. BuildKit refuses it too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `# escape=` names neither `\` nor a backtick.
    #[error("line {line}: {value:?} is not an escape character")]
    Escape {
        /// The directive's line, counted from 1.
        line: u32,
        /// What it names.
        value: String,
    },
    /// A directive stands there twice.
    #[error("line {line}: a second {name} directive")]
    Directive {
        /// The second one's line, counted from 1.
        line: u32,
        /// Which directive.
        name: String,
    },
    /// A here-document has no end.
    #[error("line {line}: the here-document {name} has no end")]
    Heredoc {
        /// The line of the instruction, counted from 1.
        line: u32,
        /// The word that should end it.
        name: String,
    },
    /// A `FROM` that has neither one argument nor `IMAGE AS NAME`.
    #[error("line {line}: FROM takes IMAGE, or IMAGE AS NAME")]
    From {
        /// The line, counted from 1.
        line: u32,
    },
    /// There is no `FROM`.
    #[error("there is no FROM")]
    NoStage,
}

/// A Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// The frontend that the first lines ask for (`# syntax=`).
    pub syntax: Option<String>,
    /// The character that continues a line (`# escape=`).
    pub escape: char,
    /// What stands before the first `FROM`: its `ARG`s.
    pub preamble: Vec<Instruction>,
    /// The stages; there is at least one.
    pub stages: Vec<Stage>,
}

/// A stage, from one `FROM` to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The `FROM` itself.
    pub from: Instruction,
    /// The name that `AS` gives, in lower case.
    pub name: Option<String>,
    /// What it is built from, as written: variables are not replaced.
    pub base: String,
    /// What `--platform` gives, as written.
    pub platform: Option<String>,
    /// What follows the `FROM`.
    pub instructions: Vec<Instruction>,
}

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// `RUN`, `COPY`, …, in capitals.
    pub keyword: String,
    /// Its first line, counted from 1.
    pub first_line: u32,
    /// Its last line, here-documents included.
    pub last_line: u32,
    /// The first line as it is written, without the space around it.
    pub head: String,
    /// The whole instruction on one line, without comments and here-documents.
    pub text: String,
}

/// What a stage is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Another stage, by its place among [`Dockerfile::stages`].
    Stage(usize),
    /// An image, or `scratch`; as written where its variables have no value.
    Image(String),
}

impl Dockerfile {
    /// Reads a Dockerfile.
    ///
    /// # Errors
    /// It can't be divided into instructions, or has no stage.
    pub fn parse(text: &str) -> Result<Self, Error> {
        reader::read(text)
    }

    /// The stage that a build of `target` ends with, by its place among [`Dockerfile::stages`]: the last one where no target
    /// is given; nothing where there is no such stage.
    #[must_use]
    pub fn target(&self, target: Option<&str>) -> Option<usize> {
        let Some(target) = target.filter(|target| !target.is_empty()) else { return self.stages.len().checked_sub(1) };
        let named = self.stages.iter().rposition(|stage| stage.name.as_deref() == Some(&target.to_lowercase()));
        named.or_else(|| target.parse().ok().filter(|index| *index < self.stages.len()))
    }

    /// What a stage is built from, with the values of the `ARG`s before the first `FROM`: `arguments` are those given to the
    /// build, and what BuildKit sets itself (`TARGETARCH`).
    #[must_use]
    pub fn base(&self, stage: usize, arguments: &BTreeMap<String, String>) -> Option<Base> {
        let written = &self.stages.get(stage)?.base;
        let values = self.preamble_values(arguments);
        let base = expand::expand(written, &values, self.escape).unwrap_or_else(|| written.clone());
        let earlier = &self.stages[..stage];
        let named = earlier.iter().rposition(|stage| stage.name.as_deref() == Some(&base));
        Some(named.map_or(Base::Image(base), Base::Stage))
    }

    /// The instruction that stands on a line, counted from 1.
    #[must_use]
    pub fn instruction_at(&self, line: u32) -> Option<&Instruction> {
        let stages = self.stages.iter().flat_map(|stage| std::iter::once(&stage.from).chain(&stage.instructions));
        self.preamble.iter().chain(stages).find(|found| (found.first_line..=found.last_line).contains(&line))
    }

    fn preamble_values(&self, arguments: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let is_automatic = |name: &str| name.starts_with("TARGET") || name.starts_with("BUILD");
        let automatic = arguments.iter().filter(|(name, _)| is_automatic(name));
        let mut values: BTreeMap<_, _> = automatic.map(|(name, value)| (name.clone(), value.clone())).collect();
        for instruction in self.preamble.iter().filter(|instruction| instruction.keyword == "ARG") {
            for word in heredoc::words(instruction.arguments(), true).unwrap_or_default() {
                let (name, default) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
                let default = default.and_then(|default| expand::expand(default, &values, self.escape));
                if let Some(value) = arguments.get(name).cloned().or(default) {
                    values.insert(name.to_owned(), value);
                }
            }
        }
        values
    }
}

impl Instruction {
    /// What follows the keyword.
    #[must_use]
    pub fn arguments(&self) -> &str {
        self.text.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim())
    }

    /// The instruction that an `ONBUILD` keeps for the images built from this one: its keyword, in capitals.
    fn trigger(&self) -> Option<String> {
        (self.keyword == "ONBUILD").then(|| self.arguments().split_whitespace().next().unwrap_or_default().to_uppercase())
    }
}
