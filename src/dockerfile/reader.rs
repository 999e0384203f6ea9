//! Lines to instructions, as in BuildKit's `frontend/dockerfile/parser/parser.go`.

use std::iter::Peekable;
use std::str::Split;

use super::bounds::{Bound, MAX_STAGES};
use super::error::Error;
use super::heredoc::{self, Heredoc};
use super::instruction::{Dockerfile, Instruction, Stage};
use super::word::is_separator;

impl Dockerfile {
    /// Reads a Dockerfile.
    ///
    /// # Errors
    /// It can't be divided into instructions, has no stage, or has too many.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        read(text)
    }
}

/// Divides a Dockerfile into instructions.
fn read(text: &str) -> Result<Dockerfile, Error> {
    let mut reader = Reader::new(text);
    let mut preamble = Vec::new();
    let mut stages: Vec<Stage> = Vec::new();
    while let Some(instruction) = reader.instruction()? {
        if instruction.keyword == "FROM" && stages.len() == MAX_STAGES {
            return Err(Error::Bound { line: instruction.first_line, bound: Bound::Stages });
        }
        match stages.last_mut() {
            _ if instruction.keyword == "FROM" => stages.push(stage(instruction)?),
            Some(stage) => stage.instructions.push(instruction),
            None => preamble.push(instruction),
        }
    }
    if stages.is_empty() {
        return Err(Error::NoStage);
    }
    Ok(Dockerfile { syntax: reader.syntax, escape: reader.escape, preamble, stages })
}

fn stage(from: Instruction) -> Result<Stage, Error> {
    let mut platform = None;
    let mut words = from.arguments().split_whitespace().peekable();
    while let Some(flag) = words.next_if(|word| word.starts_with("--")) {
        let unquoted: String = flag.chars().filter(|character| !matches!(character, '"' | '\'')).collect();
        if let Some(value) = unquoted.strip_prefix("--platform=") {
            platform = Some(value.to_owned());
        }
    }
    let words: Vec<&str> = words.collect();
    let (base, name) = match words.as_slice() {
        [base] => ((*base).to_owned(), None),
        [base, word, name] if word.eq_ignore_ascii_case("as") => ((*base).to_owned(), Some(name.to_lowercase())),
        _ => return Err(Error::From { line: from.first_line }),
    };
    Ok(Stage { from, name, base, platform, instructions: Vec::new() })
}

struct Reader<'a> {
    lines: Peekable<Split<'a, char>>,
    /// The number of the line that was read last.
    line: u32,
    escape: char,
    syntax: Option<String>,
    /// Directives that were seen; nothing once there can be no more.
    directives: Option<Vec<String>>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let lines = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n').peekable();
        Self { lines, line: 0, escape: '\\', syntax: None, directives: Some(Vec::new()) }
    }

    /// The next line without its end.
    fn next_line(&mut self) -> Option<&'a str> {
        let line = self.lines.next()?;
        // What follows the last line end is a line only where there is something.
        if line.is_empty() && self.lines.peek().is_none() {
            return None;
        }
        self.line += 1;
        Some(line.trim_end_matches('\r'))
    }

    fn instruction(&mut self) -> Result<Option<Instruction>, Error> {
        while let Some(line) = self.next_line() {
            let line = line.trim_start();
            self.directive(line)?;
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let first_line = self.line;
            let joined = self.continued(line);
            let text = joined.trim();
            let keyword = text.split(is_separator).next().unwrap_or_default().to_uppercase();
            if keyword.is_empty() {
                return Err(Error::Empty { line: first_line });
            }
            let head = line.trim_end().to_owned();
            for heredoc in heredoc::in_instruction(&keyword, &joined) {
                self.skip(&heredoc).ok_or(Error::Heredoc { line: first_line, name: heredoc.name })?;
            }
            return Ok(Some(Instruction { keyword, first_line, last_line: self.line, head, text: text.to_owned() }));
        }
        Ok(None)
    }

    /// Joins a line with those that continue it.
    fn continued(&mut self, first: &str) -> String {
        let (part, mut more) = self.without_continuation(first);
        let mut text = part.to_owned();
        while more {
            let Some(line) = self.next_line() else { break };
            if line.trim_start().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let (part, continues) = self.without_continuation(line);
            text.push_str(part);
            more = continues;
        }
        text
    }

    /// A line without the escape character at its end, if there is one that is not escaped itself.
    fn without_continuation<'b>(&self, line: &'b str) -> (&'b str, bool) {
        match line.trim_end_matches([' ', '\t']).strip_suffix(self.escape) {
            Some(part) if !part.ends_with(self.escape) => (part, true),
            _ => (line, false),
        }
    }

    /// Takes a line as a directive, if it is one and can be.
    fn directive(&mut self, line: &str) -> Result<(), Error> {
        let Some(seen) = self.directives.as_mut() else { return Ok(()) };
        let Some((name, value)) = directive(line) else {
            self.directives = None;
            return Ok(());
        };
        if seen.contains(&name) {
            return Err(Error::Directive { line: self.line, name });
        }
        match name.as_str() {
            "escape" if value == "\\" || value == "`" => self.escape = if value == "`" { '`' } else { '\\' },
            "escape" => return Err(Error::Escape { line: self.line, value: value.to_owned() }),
            "syntax" => self.syntax = Some(value.to_owned()),
            _ => {}
        }
        seen.push(name);
        Ok(())
    }

    /// Passes over a here-document; nothing where it has no end.
    fn skip(&mut self, heredoc: &Heredoc) -> Option<()> {
        loop {
            let line = self.next_line()?;
            let end = if heredoc.chomp { line.trim_start_matches('\t') } else { line };
            if end == heredoc.name {
                return Some(());
            }
        }
    }
}

/// The name and the value of `# name=value`.
fn directive(line: &str) -> Option<(String, &str)> {
    let (name, value) = line.strip_prefix('#')?.trim_start().split_once('=')?;
    let (name, value) = (name.trim_end().to_lowercase(), value.trim());
    (["syntax", "escape", "check"].contains(&name.as_str()) && !value.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keyword, first and last line of each instruction.
    fn lines(text: &str) -> Vec<(String, u32, u32)> {
        let file = read(text).unwrap();
        let stages = file.stages.into_iter().flat_map(|stage| std::iter::once(stage.from).chain(stage.instructions));
        let all = file.preamble.into_iter().chain(stages);
        all.map(|instruction| (instruction.keyword, instruction.first_line, instruction.last_line)).collect()
    }

    fn expected(lines: &[(&str, u32, u32)]) -> Vec<(String, u32, u32)> {
        lines.iter().map(|(keyword, first, last)| ((*keyword).to_owned(), *first, *last)).collect()
    }

    #[test]
    fn continued_lines_comments_and_blank_lines_belong_to_their_instruction() {
        let text = "\u{feff}# a comment\n\nFROM a\r\nrun one && \\  \r\n  # why\r\n\r\n  two\nCMD x\\\\\nENV a=b \\\n";
        assert_eq!(lines(text), expected(&[("FROM", 3, 3), ("RUN", 4, 7), ("CMD", 8, 8), ("ENV", 9, 9)]));
        assert_eq!(read(text).unwrap().stages[0].instructions[0].text, "run one &&   two");
    }

    #[test]
    fn here_documents_belong_to_their_instruction() {
        let text = "FROM a\nRUN <<EOF cat <<-'END' && cat 3<< X\nFROM b\nEOF\nCOPY\n\tEND\nX\nCOPY <<\"a b\" /x\nRUN\na b\nENV x=<<EOF\n";
        assert_eq!(lines(text), expected(&[("FROM", 1, 1), ("RUN", 2, 7), ("COPY", 8, 10), ("ENV", 11, 11)]));
        let onbuild = "FROM a\nONBUILD RUN <<EOF\nx\nEOF\nRUN [\"a\", \"<<EOF\"]\nRUN cat <<<EOF\nRUN a << b\nb\n";
        let lines = lines(onbuild);
        assert_eq!(lines, expected(&[("FROM", 1, 1), ("ONBUILD", 2, 4), ("RUN", 5, 5), ("RUN", 6, 6), ("RUN", 7, 8)]));
    }

    #[test]
    fn more_stages_than_the_limit_are_refused_with_the_line() {
        assert_eq!(read(&"FROM a\n".repeat(MAX_STAGES)).unwrap().stages.len(), MAX_STAGES);
        let error = read(&"FROM a\n".repeat(100 * MAX_STAGES)).unwrap_err();
        assert_eq!(error, Error::Bound { line: 1001, bound: Bound::Stages });
    }

    #[test]
    fn a_here_document_without_an_end_is_said_to_have_none() {
        let error = read("FROM a\nRUN <<EOF\nEOF x\n").unwrap_err();
        assert_eq!(error, Error::Heredoc { line: 2, name: "EOF".to_owned() });
    }

    #[test]
    fn directives_count_only_at_the_top() {
        let file = read("# Syntax = docker/dockerfile:1\n#escape=`\nFROM a\nRUN a `\n b\n").unwrap();
        assert_eq!((file.syntax.as_deref(), file.escape), (Some("docker/dockerfile:1"), '`'));
        assert_eq!(file.stages[0].instructions[0].last_line, 5);
        assert_eq!(read("# hello\n# escape=`\nFROM a\n").unwrap().escape, '\\');
        assert_eq!(read("# escape=x\nFROM a\n").unwrap_err(), Error::Escape { line: 1, value: "x".to_owned() });
        let twice = Error::Directive { line: 2, name: "syntax".to_owned() };
        assert_eq!(read("# syntax=a\n# syntax=b\nFROM a\n").unwrap_err(), twice);
    }

    #[test]
    fn a_stage_has_a_base_a_name_and_a_platform() {
        let file = read("ARG V=1\nFROM --platform=$BUILDPLATFORM \\\n a:$V AS Builder\nRUN x\nFROM builder\n").unwrap();
        let stage = &file.stages[0];
        assert_eq!((stage.base.as_str(), stage.name.as_deref()), ("a:$V", Some("builder")));
        assert_eq!(
            (stage.platform.as_deref(), stage.from.last_line, stage.from.head.as_str()),
            (Some("$BUILDPLATFORM"), 3, "FROM --platform=$BUILDPLATFORM \\")
        );
        assert_eq!((file.preamble.len(), file.stages[1].name.as_deref()), (1, None));
        assert_eq!(read("FROM a b\n").unwrap_err(), Error::From { line: 1 });
        assert_eq!(read("ARG A\n").unwrap_err(), Error::NoStage);
        // A line that is continued by nothing.
        for text in ["FROM a\n\\", "FROM a\n  \\\n\n# b\n"] {
            assert_eq!(read(text).unwrap_err(), Error::Empty { line: 2 }, "{text:?}");
        }
    }
}
