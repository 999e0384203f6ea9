//! A Dockerfile as text: its instructions with their lines, and which of them brought a layer.
//!
//! Building is the builder's business. What is read here is only where things stand, for people: so a Dockerfile that the
//! builder would refuse is read as far as it goes, and never an error.

use std::collections::HashMap;

use oci_spec::image::{History, ImageConfiguration};

use crate::finding;

/// A Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// The values of `ARG` before the first `FROM`.
    arguments: HashMap<String, String>,
}

/// A stage: a `FROM` and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The name after `AS`, in lower case.
    pub name: Option<String>,
    /// What it starts from, arguments filled in.
    pub base: String,
    /// The `FROM`, and the instructions after it.
    pub instructions: Vec<Instruction>,
}

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// In capitals: `RUN`.
    pub keyword: String,
    /// The first line, counted from 1.
    pub line: u32,
    /// The last line, with continuations and here-documents.
    pub end_line: u32,
    /// All of it on one line, continuations joined, here-documents left out.
    pub text: String,
}

impl Dockerfile {
    /// Reads a Dockerfile (Docker docs, "Dockerfile reference").
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut dockerfile = Self::default();
        for instruction in instructions(text) {
            match (&*instruction.keyword, dockerfile.stages.last_mut()) {
                ("FROM", _) => {
                    let stage = Stage::begin(instruction, &dockerfile.arguments);
                    dockerfile.stages.push(stage);
                }
                ("ARG", None) => dockerfile.arguments.extend(default_of(&instruction)),
                (_, None) => {}
                (_, Some(stage)) => stage.instructions.push(instruction),
            }
        }
        dockerfile
    }

    /// Reads it with the values that the build gives to `ARG`s before the first `FROM`.
    #[must_use]
    pub fn parse_with(text: &str, arguments: &[(String, String)]) -> Self {
        let mut dockerfile = Self::parse(text);
        let given = arguments.iter().filter(|(name, _)| dockerfile.arguments.contains_key(name)).cloned();
        let given: HashMap<_, _> = given.collect();
        dockerfile.arguments.extend(given);
        for stage in &mut dockerfile.stages {
            *stage = Stage {
                instructions: stage.instructions.clone(),
                ..Stage::begin(stage.instructions[0].clone(), &dockerfile.arguments)
            };
        }
        dockerfile
    }

    /// The stage that `target` names, by name or number; the last where none is named.
    #[must_use]
    pub fn stage(&self, target: Option<&str>) -> Option<&Stage> {
        self.position(target).map(|position| &self.stages[position])
    }

    fn position(&self, target: Option<&str>) -> Option<usize> {
        match target {
            None => self.stages.len().checked_sub(1),
            Some(target) => {
                let named = |stage: &Stage| stage.name.as_deref() == Some(&*target.to_lowercase());
                self.stages.iter().rposition(named).or_else(|| target.parse().ok().filter(|number| *number < self.stages.len()))
            }
        }
    }

    /// The stages that a stage is built on, itself last, down to the one whose base is no stage.
    fn chain(&self, position: usize) -> Vec<&Stage> {
        let stage = &self.stages[position];
        // A stage can only start from an earlier one, so this ends.
        let below = self.stages[..position].iter().rposition(|below| below.name.as_deref() == Some(&*stage.base.to_lowercase()));
        let mut chain = below.map_or_else(Vec::new, |below| self.chain(below));
        chain.push(stage);
        chain
    }

    /// The instruction that brought each layer of an image built from stage `target`, the lowest layer first. The layers
    /// of the base image belong to the `FROM` that names it. Where the history does not say, the `FROM` answers.
    ///
    /// The image's history ends with what the Dockerfile did, an entry for each instruction, so the two are laid side by
    /// side from their ends (BuildKit, `frontend/dockerfile/dockerfile2llb`, `commitToHistory`).
    #[must_use]
    pub fn origins(&self, target: Option<&str>, config: &ImageConfiguration, file: &str) -> Vec<Option<finding::Instruction>> {
        let history = config.history().as_deref().unwrap_or_default();
        let layers = config.rootfs().diff_ids().len();
        let Some(position) = self.position(target) else { return vec![None; layers] };
        let chain = self.chain(position);
        let from = chain.first().and_then(|stage| stage.instructions.first());
        let made: Vec<_> = chain.iter().flat_map(|stage| &stage.instructions[1..]).rev().collect();
        // Where they part is the base image, or something unknown: nothing below it can be matched.
        let matched = history.iter().rev().zip(&made).take_while(|(entry, instruction)| instruction.made(entry)).count();
        let origin = |position: usize| if position < matched { Some(made[position]) } else { from };
        let mut origins: Vec<_> = history
            .iter()
            .rev()
            .enumerate()
            .filter(|(_, entry)| !entry.empty_layer().unwrap_or(false))
            .map(|(position, _)| origin(position))
            .collect();
        // A base image may have layers without a history.
        origins.resize(layers, from);
        origins.into_iter().rev().map(|origin| origin.map(|instruction| instruction.place(file))).collect()
    }
}

impl Stage {
    fn begin(from: Instruction, arguments: &HashMap<String, String>) -> Self {
        let mut words = from.text.split_whitespace().skip(1).filter(|word| !word.starts_with("--"));
        let base = words.next().map(|base| expand(base, arguments)).unwrap_or_default();
        let name = words.next().filter(|word| word.eq_ignore_ascii_case("as")).and_then(|_| words.next()).map(str::to_lowercase);
        Self { name, base, instructions: vec![from] }
    }
}

impl Instruction {
    /// Whether a history entry can be this instruction's.
    fn made(&self, entry: &History) -> bool {
        let words = entry.created_by().as_deref().unwrap_or_default();
        words.strip_prefix(&*self.keyword).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }

    fn place(&self, file: &str) -> finding::Instruction {
        finding::Instruction { file: file.to_owned(), line: self.line, end_line: self.end_line, text: self.text.clone() }
    }
}

/// The instructions of a Dockerfile's text.
fn instructions(text: &str) -> Vec<Instruction> {
    let escape = escape_character(text);
    let mut lines = (1..).zip(text.lines().map(|line| line.trim_end_matches('\r')));
    let mut found = Vec::new();
    while let Some((line, first)) = lines.next() {
        if is_blank(first) {
            continue;
        }
        let mut words = String::new();
        let mut end_line = line;
        let mut next = Some(first);
        while let Some(piece) = next.take() {
            let piece = piece.trim();
            match piece.strip_suffix(escape) {
                Some(start) => {
                    words.push_str(start.trim_end());
                    words.push(' ');
                    // Comments and empty lines among continued ones are passed over.
                    next = lines
                        .by_ref()
                        .inspect(|(number, _)| end_line = *number)
                        .map(|(_, line)| line)
                        .find(|line| !is_blank(line));
                }
                None => words.push_str(piece),
            }
        }
        let words = words.trim().to_owned();
        let keyword = words.split_whitespace().next().unwrap_or_default().to_uppercase();
        for document in here_documents(&keyword, &words) {
            let end = lines.by_ref().inspect(|(number, _)| end_line = *number).find(|(_, line)| document.ends(line));
            if end.is_none() {
                break;
            }
        }
        found.push(Instruction { keyword, line, end_line, text: words });
    }
    found
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// The character that continues a line: `# escape=` may change it, among the directives at the very top.
fn escape_character(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#')).map_while(|line| line.split_once('='));
    let escape = directives.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("escape"));
    escape.and_then(|(_, value)| value.trim().chars().next()).unwrap_or('\\')
}

/// A here-document that an instruction opens.
struct HereDocument {
    word: String,
    /// `<<-`: leading tabs do not count.
    tabs: bool,
}

impl HereDocument {
    fn ends(&self, line: &str) -> bool {
        let line = if self.tabs { line.trim_start_matches('\t') } else { line };
        line == self.word
    }
}

fn here_documents(keyword: &str, words: &str) -> Vec<HereDocument> {
    if !matches!(keyword, "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    let opened = |rest: &str| {
        let (tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let rest = rest.trim_start_matches(['"', '\'']);
        let end =
            rest.find(|c: char| quote.map_or(!c.is_ascii_alphanumeric() && c != '_', |quote| c == quote)).unwrap_or(rest.len());
        Some(HereDocument { word: rest[..end].to_owned(), tabs }).filter(|document| !document.word.is_empty())
    };
    // `<<<` is the shell's here-string.
    let pieces: Vec<_> = words.split("<<").collect();
    pieces.iter().skip(1).filter(|rest| !rest.starts_with('<')).filter_map(|rest| opened(rest)).collect()
}

/// `ARG NAME=value`, each.
fn default_of(instruction: &Instruction) -> Vec<(String, String)> {
    let pair = |word: &str| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        (name.to_owned(), value.trim_matches(['"', '\'']).to_owned())
    };
    instruction.text.split_whitespace().skip(1).map(pair).collect()
}

/// Fills in `$NAME`, `${NAME}` and `${NAME:-default}`.
fn expand(text: &str, arguments: &HashMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, default, tail) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((inside, tail)) => {
                let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
                (name, default, tail)
            }
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                (&after[..end], "", &after[end..])
            }
        };
        let value = arguments.get(name).filter(|value| !value.is_empty());
        expanded.push_str(value.map_or(default, |value| value));
        rest = tail;
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn keywords(text: &str) -> Vec<(String, u32, u32)> {
        instructions(text).into_iter().map(|instruction| (instruction.keyword, instruction.line, instruction.end_line)).collect()
    }

    fn found(keyword: &str, line: u32, end_line: u32) -> (String, u32, u32) {
        (keyword.to_owned(), line, end_line)
    }

    #[test]
    fn continuations_comments_and_blank_lines_keep_their_lines() {
        let text = "# syntax=x\n\nFROM a\nrun one \\\n  # comment\n\n  two\n# c\nCMD x\n";
        assert_eq!(keywords(text), [found("FROM", 3, 3), found("RUN", 4, 7), found("CMD", 9, 9)]);
        assert_eq!(instructions(text)[1].text, "run one two");
    }

    #[test]
    fn here_documents_belong_to_their_instruction() {
        let text = "FROM a\nRUN <<EOF\nFROM not this\nEOF\nCOPY <<-\"A\" <<B /x/\n\tA\nrow\nB\nRUN cat <<<word\nENV X=<<Y\n";
        assert_eq!(
            keywords(text),
            [found("FROM", 1, 1), found("RUN", 2, 4), found("COPY", 5, 8), found("RUN", 9, 9), found("ENV", 10, 10)]
        );
    }

    #[test]
    fn another_escape_character_is_obeyed() {
        let text = "# escape=`\nFROM a\nRUN dir c:\\\nRUN a `\n b\n";
        assert_eq!(keywords(text), [found("FROM", 2, 2), found("RUN", 3, 3), found("RUN", 4, 5)]);
    }

    #[test]
    fn stages_have_names_and_bases() {
        let text = "ARG V=1\nARG B=img\nFROM --platform=$BUILDPLATFORM ${B}:$V AS Build\nFROM build\nFROM ${NOPE:-scratch}\n";
        let dockerfile = Dockerfile::parse_with(text, &[("V".to_owned(), "2".to_owned()), ("X".to_owned(), "y".to_owned())]);
        let bases: Vec<_> = dockerfile.stages.iter().map(|stage| (stage.name.as_deref(), &*stage.base)).collect();
        assert_eq!(bases, [(Some("build"), "img:2"), (None, "build"), (None, "scratch")]);
        assert_eq!(dockerfile.stage(Some("BUILD")).unwrap().base, "img:2");
        assert_eq!(dockerfile.stage(Some("1")).unwrap().base, "build");
        assert_eq!(dockerfile.stage(Some("nope")), None);
    }

    fn config(history: &[(&str, bool)]) -> ImageConfiguration {
        let layers = history.iter().filter(|(_, empty)| !empty).count();
        let history: Vec<_> = history.iter().map(|(words, empty)| json!({"created_by": words, "empty_layer": empty})).collect();
        serde_json::from_value(json!({
            "architecture": "amd64", "os": "linux", "history": history,
            "rootfs": {"type": "layers", "diff_ids": vec![format!("sha256:{}", "0".repeat(64)); layers]},
        }))
        .unwrap()
    }

    fn lines(dockerfile: &str, target: Option<&str>, history: &[(&str, bool)]) -> Vec<u32> {
        let origins = Dockerfile::parse(dockerfile).origins(target, &config(history), "Dockerfile");
        origins.into_iter().map(|origin| origin.unwrap().line).collect()
    }

    #[test]
    fn each_layer_is_traced_to_its_instruction_and_the_base_to_its_from() {
        let dockerfile = "FROM debian AS base\nARG A\nRUN one\nFROM base\nENV X=y\nWORKDIR /app\nCOPY . .\nCMD x\n";
        let history = [
            ("/bin/sh -c #(nop) ADD file:x in / ", false),
            ("/bin/sh -c #(nop)  CMD [\"bash\"]", true),
            ("ARG A", true),
            ("RUN |1 A= /bin/sh -c one # buildkit", false),
            ("ENV X=y", true),
            ("WORKDIR /app", false),
            ("COPY . . # buildkit", false),
            ("CMD [\"/bin/sh\" \"-c\" \"x\"]", true),
        ];
        assert_eq!(lines(dockerfile, None, &history), [1, 3, 6, 7]);
    }

    #[test]
    fn a_base_that_buildkit_built_is_not_taken_for_the_dockerfiles_own() {
        let history = [("RUN /bin/sh -c base # buildkit", false), ("COPY a / # buildkit", false), ("COPY b / # buildkit", false)];
        assert_eq!(lines("FROM x\nCOPY b /\n", None, &history), [1, 1, 2]);
    }

    #[test]
    fn what_a_base_adds_by_its_triggers_belongs_to_the_from() {
        let history = [("ADD root", false), ("COPY . /src # buildkit", false), ("RUN /bin/sh -c make # buildkit", false)];
        assert_eq!(lines("FROM onbuild\nRUN make\n", None, &history), [1, 1, 2]);
    }

    #[test]
    fn layers_without_a_history_belong_to_the_from() {
        let mut config = config(&[("COPY b / # buildkit", false)]);
        let rootfs = json!({"type": "layers", "diff_ids": vec![format!("sha256:{}", "0".repeat(64)); 3]});
        config.set_rootfs(serde_json::from_value(rootfs).unwrap());
        let origins = Dockerfile::parse("FROM x\nCOPY b /\n").origins(None, &config, "Dockerfile");
        assert_eq!(origins.into_iter().map(|origin| origin.unwrap().line).collect::<Vec<_>>(), [1, 1, 2]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "([A-Z]{2,5} ?|\\n|\\\\|<<|EOF|#|\\$\\{|\\}|-|\"|.)*") {
            let dockerfile = Dockerfile::parse(&text);
            let total = u32::try_from(text.lines().count()).unwrap();
            for instruction in dockerfile.stages.iter().flat_map(|stage| &stage.instructions) {
                prop_assert!(instruction.line <= instruction.end_line && instruction.end_line <= total);
            }
        }
    }
}
