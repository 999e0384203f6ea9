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

/// The `ARG`s that BuildKit declares itself
/// (<https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope>).
const AUTOMATIC: [&str; 9] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

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
        let automatic = arguments.iter().filter(|(name, _)| AUTOMATIC.contains(&name.as_str()));
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

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ARG V=1 W=$V-x\nARG ARCH\nFROM base:$W AS Base\nFROM base AS two\nFROM base-${TARGETARCH} AS three\nFROM ${N:-two}\nRUN a \\\n b\n";

    fn base(stage: usize, arguments: &[(&str, &str)]) -> Base {
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Dockerfile::parse(TEXT).unwrap().base(stage, &arguments).unwrap()
    }

    #[test]
    fn a_base_is_an_earlier_stage_or_an_image() {
        assert_eq!(base(0, &[]), Base::Image("base:1-x".to_owned()));
        assert_eq!(base(1, &[]), Base::Stage(0));
        assert_eq!(base(3, &[]), Base::Stage(1));
    }

    #[test]
    fn arguments_count_where_they_are_declared_or_are_buildkits_own() {
        assert_eq!(base(0, &[("V", "2")]), Base::Image("base:2-x".to_owned()));
        assert_eq!(base(0, &[("W", "3")]), Base::Image("base:3".to_owned()));
        assert_eq!(base(2, &[("TARGETARCH", "arm64")]), Base::Image("base-arm64".to_owned()));
        // `N` is not declared before the first FROM.
        assert_eq!(base(3, &[("N", "base")]), Base::Stage(1));
    }

    #[test]
    fn a_target_is_the_last_stage_a_name_or_a_number() {
        let file = Dockerfile::parse(TEXT).unwrap();
        assert_eq!((file.target(None), file.target(Some("")), file.target(Some("BASE"))), (Some(3), Some(3), Some(0)));
        assert_eq!((file.target(Some("2")), file.target(Some("4")), file.target(Some("four"))), (Some(2), None, None));
    }

    #[test]
    fn an_instruction_is_found_by_any_of_its_lines() {
        let file = Dockerfile::parse(TEXT).unwrap();
        let keyword = |line| file.instruction_at(line).map(|found| (found.keyword.as_str(), found.first_line));
        assert_eq!(
            (keyword(1), keyword(7), keyword(8), keyword(9)),
            (Some(("ARG", 1)), Some(("RUN", 7)), Some(("RUN", 7)), None)
        );
    }
}
