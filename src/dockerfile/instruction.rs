//! A Dockerfile, its stages and their instructions.

/// A Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    /// The frontend that the first lines ask for (`# syntax=`).
    pub(crate) syntax: Option<String>,
    /// The character that continues a line (`# escape=`).
    pub(crate) escape: char,
    /// What stands before the first `FROM`: its `ARG`s.
    pub(crate) preamble: Vec<Instruction>,
    /// The stages; there is at least one.
    pub(crate) stages: Vec<Stage>,
}

/// A stage, from one `FROM` to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    /// The `FROM` itself.
    pub(crate) from: Instruction,
    /// The name that `AS` gives, in lower case.
    pub(crate) name: Option<String>,
    /// What it is built from, as written: variables are not replaced.
    pub(crate) base: String,
    /// What `--platform` gives, as written.
    pub(crate) platform: Option<String>,
    /// What follows the `FROM`.
    pub(crate) instructions: Vec<Instruction>,
}

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// `RUN`, `COPY`, …, in capitals.
    pub(crate) keyword: String,
    /// Its first line, counted from 1.
    pub(crate) first_line: u32,
    /// Its last line, here-documents included.
    pub(crate) last_line: u32,
    /// The first line as it is written, without the space around it.
    pub(crate) head: String,
    /// The whole instruction on one line, without comments and here-documents.
    pub(crate) text: String,
}

impl Dockerfile {
    /// The stage that a build of `target` ends with, by its place among [`Dockerfile::stages`]: the last one if no target is
    /// given; `None` if there is no such stage.
    #[must_use]
    pub(crate) fn target(&self, target: Option<&str>) -> Option<usize> {
        let Some(target) = target.filter(|target| !target.is_empty()) else { return self.stages.len().checked_sub(1) };
        let named = self.stages.iter().rposition(|stage| stage.name.as_deref() == Some(&target.to_lowercase()));
        named.or_else(|| target.parse().ok().filter(|index| *index < self.stages.len()))
    }
}

impl Instruction {
    /// What follows the keyword.
    #[must_use]
    pub(crate) fn arguments(&self) -> &str {
        self.text.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim())
    }

    /// The instruction that an `ONBUILD` keeps for the images built from this one: its keyword, in capitals.
    pub(super) fn trigger(&self) -> Option<String> {
        (self.keyword == "ONBUILD").then(|| self.arguments().split_whitespace().next().unwrap_or_default().to_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ARG V=1\nARG ARCH\nFROM base AS Base\nFROM base AS two\nFROM base AS three\nFROM two\nRUN a \\\n b\n";

    #[test]
    fn a_target_is_the_last_stage_a_name_or_a_number() {
        let file = Dockerfile::parse(TEXT).unwrap();
        assert_eq!((file.target(None), file.target(Some("")), file.target(Some("BASE"))), (Some(3), Some(3), Some(0)));
        assert_eq!((file.target(Some("2")), file.target(Some("4")), file.target(Some("four"))), (Some(2), None, None));
    }

    #[test]
    fn an_instruction_has_all_of_its_lines() {
        let file = Dockerfile::parse(TEXT).unwrap();
        let lines = |found: &Instruction| (found.keyword.clone(), found.first_line, found.last_line);
        assert_eq!(lines(&file.preamble[0]), ("ARG".to_owned(), 1, 1));
        assert_eq!(lines(&file.stages[3].from), ("FROM".to_owned(), 6, 6));
        assert_eq!(file.stages[3].instructions.iter().map(lines).collect::<Vec<_>>(), [("RUN".to_owned(), 7, 8)]);
    }
}
