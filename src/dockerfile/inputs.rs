//! What of the source a layer of an image is made from.
//!
//! `COPY` and `ADD` have the files that they name. What `RUN` leaves comes of all that the instructions before it have left: those of
//! its stage, and of each stage that these are built from or copy from; a stage that is copied from counts as a whole. Of these,
//! `COPY`, `ADD` and `RUN --mount=type=bind` read the build context. Where it can't be told what is read, the whole context is; and
//! where something is read that is in no context and may be another each time, nothing can be said.

use std::collections::{BTreeMap, BTreeSet};

use oci_spec::image::ImageConfiguration;

use super::base::Base;
use super::error::Error;
use super::instruction::{Dockerfile, Instruction, Stage};
use super::origin::{chain, platform_arguments};
use super::word::words;
use crate::document;

/// What a layer is made from, besides the Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) inputs: Inputs,
    /// Whether it is nothing but files of the context, whose times say when they were checked out.
    pub(crate) is_copied: bool,
}

/// The parts of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Inputs {
    /// These files and folders of the build context; the context itself is the empty path.
    Paths(BTreeSet<String>),
    /// More than the source: an argument of the build, an image that a tag names, an address.
    Elsewhere,
}

/// The whole context.
const ALL: &str = "";

impl Dockerfile {
    /// What each layer of an image is made from, in the order of the layers; nothing for those of its base image, and for those that
    /// the history does not explain.
    ///
    /// # Errors
    /// Variables go beyond a limit: [`Error::Bound`].
    pub(crate) fn inputs(
        &self,
        target: Option<&str>,
        arguments: &BTreeMap<String, String>,
        config: &ImageConfiguration,
    ) -> Result<Vec<Option<Made>>, Error> {
        let Some(target) = self.target(target) else { return Ok(Vec::new()) };
        let mut known = arguments.clone();
        for (name, value) in platform_arguments(config) {
            known.entry(name.to_owned()).or_insert(value);
        }
        let bases = self.bases(&known)?;
        let chain = chain(target, &bases);
        let reading = Reading { file: self, bases: &bases, arguments };
        let by = self.align(&chain, config.history().as_deref().unwrap_or_default());
        let made = by.into_iter().map(|by| {
            let is_base = self.stages.iter().any(|stage| stage.from.first_line == by.first_line);
            (!is_base).then(|| reading.of(target, by))
        });
        Ok(made.collect())
    }
}

/// A Dockerfile that is read for what it reads.
struct Reading<'a> {
    file: &'a Dockerfile,
    bases: &'a [Base],
    arguments: &'a BTreeMap<String, String>,
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    paths: BTreeSet<String>,
    is_elsewhere: bool,
    /// The stages that are read as a whole, and those of them that are not read yet.
    stages: BTreeSet<usize>,
    unread: Vec<usize>,
}

impl Reading<'_> {
    /// What an instruction of a stage, or of one that it is built from, has made its layer from.
    fn of(&self, stage: usize, by: &Instruction) -> Made {
        let mut found = Found::default();
        let is_alone = is_alone(by);
        match by.keyword.as_str() {
            // An empty folder.
            "WORKDIR" => {}
            "COPY" | "ADD" if is_alone => self.copied(by, &mut found),
            _ => {
                let declares = |instruction: &Instruction| instruction.keyword == "ARG" && self.is_given(instruction);
                found.is_elsewhere = self.file.preamble.iter().any(declares);
                self.up_to(stage, by.first_line, &mut found);
            }
        }
        // What is copied from is read with all that it is built from and copies from.
        while let Some(place) = found.unread.pop() {
            self.whole(place, &mut found);
        }
        let is_copied = by.keyword == "COPY" && is_alone && found.stages.is_empty();
        Made { inputs: if found.is_elsewhere { Inputs::Elsewhere } else { Inputs::Paths(found.paths) }, is_copied }
    }

    /// Reads a stage, and those that it is built from, up to a line.
    fn up_to(&self, stage: usize, line: u32, found: &mut Found) {
        for place in chain(stage, self.bases) {
            self.keeps_nothing(place, found);
            let instructions = self.file.stages[place].instructions.iter();
            instructions.filter(|instruction| instruction.first_line <= line).for_each(|one| self.read(one, found));
        }
    }

    /// Reads a stage that others copy from. What it is built from has to be known too: an image that a tag names may be another one
    /// tomorrow, and this one does not say when that was made.
    fn whole(&self, place: usize, found: &mut Found) {
        let Some(stage) = self.file.stages.get(place) else { return found.is_elsewhere = true };
        self.keeps_nothing(place, found);
        match self.bases.get(place) {
            Some(Base::Stage(base)) => found.add(*base),
            Some(Base::Image(name)) => found.is_elsewhere |= !is_fixed(name),
            None => found.is_elsewhere = true,
        }
        let Stage { instructions, .. } = stage;
        instructions.iter().for_each(|instruction| self.read(instruction, found));
    }

    /// What a stage keeps for those that are built from it (`ONBUILD`) runs there, out of sight.
    fn keeps_nothing(&self, place: usize, found: &mut Found) {
        if let Some(Base::Stage(base)) = self.bases.get(place) {
            let keeps = |instruction: &Instruction| instruction.keyword == "ONBUILD";
            found.is_elsewhere |= self.file.stages[*base].instructions.iter().any(keeps);
        }
    }

    fn read(&self, instruction: &Instruction, found: &mut Found) {
        match instruction.keyword.as_str() {
            "ARG" => found.is_elsewhere |= self.is_given(instruction),
            "COPY" | "ADD" => self.copied(instruction, found),
            "RUN" => self.mounted(instruction, found),
            _ => {}
        }
    }

    /// Whether the build gives a value to what an `ARG` declares.
    fn is_given(&self, instruction: &Instruction) -> bool {
        let declared = words(instruction.arguments(), true).unwrap_or_default();
        declared.iter().any(|word| self.arguments.contains_key(word.split('=').next().unwrap_or_default()))
    }

    /// What `COPY` and `ADD` read.
    fn copied(&self, instruction: &Instruction, found: &mut Found) {
        let (flags, rest) = flags(instruction.arguments());
        found.is_elsewhere |= !flags.iter().all(|flag| is_plain(flag));
        if let Some(from) = flags.iter().find_map(|flag| flag.strip_prefix("--from=")) {
            return self.from(from, found);
        }
        let listed = document::read::<Vec<String>>(rest.as_bytes()).ok();
        let Some(named) = listed.or_else(|| words(rest, false)) else {
            found.paths.insert(ALL.to_owned());
            return;
        };
        let sources = named.split_last().map_or(&[][..], |(_, sources)| sources);
        for source in sources.iter().filter(|source| !source.starts_with("<<")) {
            let may_be_an_address = source.contains(['$', '@']) || source.contains("://");
            found.is_elsewhere |= instruction.keyword == "ADD" && may_be_an_address;
            found.paths.insert(in_context(source));
        }
    }

    /// What the mounts of `RUN` read. What a cache, a secret or the network has is not counted: it is no more in the commit than the
    /// time at which the step is run.
    fn mounted(&self, instruction: &Instruction, found: &mut Found) {
        let (flags, _) = flags(instruction.arguments());
        for mount in flags.iter().filter_map(|flag| flag.strip_prefix("--mount=")) {
            found.is_elsewhere |= !is_plain(mount);
            let fields = mount.split(',').map(|field| field.split_once('=').unwrap_or((field, "")));
            // Their names are the same in all cases.
            let fields: BTreeMap<String, &str> = fields.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
            let is_bind = |kind: &&str| kind.eq_ignore_ascii_case("bind") || kind.contains('$');
            if let Some(from) = fields.get("from") {
                self.from(from, found);
            } else if fields.get("type").is_none_or(is_bind) {
                let sources: Vec<_> = ["source", "src"].iter().filter_map(|name| fields.get(*name).copied()).collect();
                found.paths.extend(sources.iter().map(|source| in_context(source)));
                found.paths.extend(sources.is_empty().then(|| ALL.to_owned()));
            }
        }
    }

    /// What a stage, or an image, has.
    fn from(&self, name: &str, found: &mut Found) {
        let named = self.file.stages.iter().rposition(|stage| stage.name.as_deref() == Some(&*name.to_lowercase()));
        let numbered = || name.parse().ok().filter(|place| *place < self.file.stages.len());
        match named.or_else(numbered) {
            Some(stage) => found.add(stage),
            None => found.is_elsewhere |= !is_fixed(name),
        }
    }
}

impl Found {
    /// A stage is read as a whole, once.
    fn add(&mut self, stage: usize) {
        if self.stages.insert(stage) {
            self.unread.push(stage);
        }
    }
}

/// Whether an instruction that copies needs nothing of what stands before it: what a variable stands for, which may be in a
/// here-document too, and whose number the name of an owner is.
fn is_alone(instruction: &Instruction) -> bool {
    let (flags, _) = flags(instruction.arguments());
    let owners = flags.iter().filter_map(|flag| flag.strip_prefix("--chown="));
    let is_number = |owner: &str| owner.bytes().all(|sign| sign.is_ascii_digit() || sign == b':');
    !instruction.text.contains('$') && !instruction.text.contains("<<") && owners.into_iter().all(is_number)
}

/// Whether the name of an image says all that is in it.
fn is_fixed(image: &str) -> bool {
    image == "scratch" || image.contains("@sha256:")
}

/// The flags of an instruction, and what follows them.
fn flags(arguments: &str) -> (Vec<&str>, &str) {
    let (mut flags, mut rest) = (Vec::new(), arguments.trim_start());
    while rest.starts_with("--") {
        let (flag, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        flags.push(flag);
        rest = after.trim_start();
    }
    (flags, rest)
}

/// Whether a flag is written without what may hide a space or a sign.
fn is_plain(flag: &str) -> bool {
    !flag.contains(['"', '\'', '\\'])
}

/// A path of the context as far as it is written out: the folder of what a pattern matches, and the whole context where a variable or
/// a pattern stands before the end.
fn in_context(source: &str) -> String {
    if source.contains(['$', '\\']) {
        return ALL.to_owned();
    }
    let parts: Vec<_> = source.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let mut path: Vec<&str> = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        if part.contains(['*', '?', '[']) {
            return if place + 1 == parts.len() { path.join("/") } else { ALL.to_owned() };
        }
        if *part == ".." {
            // No path leads out of the context.
            path.pop();
        } else {
            path.push(part);
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What the layers of a Dockerfile's last stage are made from: paths, `?` where something is elsewhere, `-` for the base's. Each
    /// line of its stages but `FROM`, `ARG`, `ENV` and `ONBUILD` has made a layer.
    fn read(text: &str) -> Vec<String> {
        read_with(text, &[])
    }

    fn read_with(text: &str, arguments: &[(&str, &str)]) -> Vec<String> {
        let file = Dockerfile::parse(text).unwrap();
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let bases = file.bases(&arguments).unwrap();
        let stages = chain(file.stages.len() - 1, &bases).into_iter().rev().map(|place| &file.stages[place]);
        let own = stages.flat_map(|stage| &stage.instructions).filter(|instruction| instruction.keyword != "ONBUILD");
        let entry = |instruction: &Instruction| {
            let is_empty = ["ARG", "ENV"].contains(&instruction.keyword.as_str());
            json!({ "created_by": format!("{} x", instruction.keyword), "empty_layer": is_empty })
        };
        let history: Vec<_> = std::iter::once(json!({ "created_by": "base" })).chain(own.map(entry)).collect();
        let layers = history.iter().filter(|entry| entry["empty_layer"] != true).count();
        let config = serde_json::from_value(json!({
            "architecture": "amd64", "os": "linux", "history": history,
            "rootfs": { "type": "layers", "diff_ids": vec!["sha256:0"; layers] },
        }));
        let inputs = file.inputs(None, &arguments, &config.unwrap()).unwrap();
        let told = inputs.into_iter().map(|made| match made.map(|made| made.inputs) {
            None => "-".to_owned(),
            Some(Inputs::Elsewhere) => "?".to_owned(),
            Some(Inputs::Paths(paths)) => paths.iter().flat_map(|path| ["[", path, "]"]).collect(),
        });
        told.collect()
    }

    #[test]
    fn a_layer_is_made_from_what_its_instruction_and_those_before_it_read() {
        let text =
            "FROM debian\nRUN apt-get update\nCOPY package.json ./lock.json /app/\nRUN npm ci\nCOPY src /app/src\nRUN make\n";
        let early = "[lock.json][package.json]";
        assert_eq!(read(text), ["-", "", early, early, "[src]", "[lock.json][package.json][src]"]);
        assert_eq!(read("FROM debian\nCOPY a /\nWORKDIR /x\nENV A=b\nCOPY $A /y\n"), ["-", "[a]", "", "[][a]"]);
    }

    #[test]
    fn it_is_made_from_all_that_the_stages_read_which_it_is_built_from_or_copies_from() {
        let text = "FROM scratch AS tools\nCOPY tools /t\nFROM go@sha256:1 AS build\nCOPY --from=tools /t /t\nRUN --mount=from=deps,target=/d make\n\
                    FROM scratch AS deps\nCOPY deps /d\nFROM debian AS base\nCOPY base /b\nFROM base\nCOPY --from=build /bin /bin\nCOPY own /o\n";
        assert_eq!(read(text), ["-", "[base]", "[deps][tools]", "[own]"]);
        assert_eq!(read(&format!("{text}RUN x\n")).last().unwrap(), "[base][deps][own][tools]");
        // A number, and a name in other letters.
        assert_eq!(read("FROM scratch AS One\nCOPY a /\nFROM scratch\nCOPY --from=0 /a /\n"), ["-", "[a]"]);
        assert_eq!(read("FROM scratch AS One\nCOPY a /\nFROM scratch\nCOPY --from=ONE --chown=1 /a /\n"), ["-", "[a]"]);
    }

    #[test]
    fn mounts_read_the_context_and_the_whole_of_it_where_no_part_is_named() {
        for (mount, expected) in [
            ("type=bind,source=a/b,target=/x", "[a/b]"),
            ("target=/x,src=./a", "[a]"),
            ("type=bind,target=/x", "[]"),
            ("type=cache,target=/x", ""),
            ("type=secret,id=x", ""),
            ("TYPE=Bind,SOURCE=a,target=/x", "[a]"),
            ("type=bind,source=a,src=b,target=/x", "[a][b]"),
            ("\"type=bind,source=a,target=/x\"", "?"),
            ("type=bind,source=a\\ b,target=/x", "?"),
            ("type=bind,source=$A,target=/x", "[]"),
            ("type=bind,from=$A,target=/x", "?"),
            ("type=$A,source=a,target=/x", "[a]"),
        ] {
            assert_eq!(read(&format!("FROM debian\nRUN --network=none --mount={mount} make\n")), ["-", expected], "{mount}");
        }
    }

    #[test]
    fn where_it_is_not_written_out_what_is_read_it_is_all_of_the_folder_or_of_the_context() {
        for (source, expected) in [
            ("a/*.txt", "[a]"),
            ("a/*/b", "[]"),
            ("*.txt", "[]"),
            (".", "[]"),
            ("/a/./b/", "[a/b]"),
            ("../../a", "[a]"),
            ("$A/b", "[]"),
            ("a\\ b", "[a b]"),
            ("\"a b\"", "[a b]"),
            ("a b c", "[a][b][c]"),
            ("<<EOF", ""),
            ("--parents --exclude=x a", "[a]"),
        ] {
            let text = format!("FROM debian\nCOPY {source} /x/\n{}", if source == "<<EOF" { "EOF\n" } else { "" });
            assert_eq!(read(&text), ["-", expected], "{source}");
        }
        assert_eq!(read("FROM debian\nCOPY [\"a b\", \"c\", \"/x/\"]\n"), ["-", "[a b][c]"]);
        assert_eq!(read("FROM debian\nCOPY \"a /x/\n"), ["-", "[]"]);
    }

    #[test]
    fn what_is_in_no_context_and_may_be_another_each_time_is_elsewhere() {
        for line in [
            "ADD https://example.com/x /x",
            "ADD git@example.com:a/b /x",
            "ADD someone@example.com:a/b /x",
            "ADD $A /x",
            "COPY --from=tagged /x /x",
            "COPY --from=of-tagged /x /x",
            "RUN --mount=type=bind,FROM=tagged,target=/x make",
            "COPY --from='one' /x /x",
            "COPY --from=debian:12 /x /x",
            "COPY --from=named /x /x",
            "RUN --mount=type=bind,from=debian:12,target=/x make",
        ] {
            assert_eq!(
                read(&format!("FROM debian\nCOPY a /\n{line}\nRUN make\nCOPY b /\n")),
                ["-", "[a]", "?", "?", "[b]"],
                "{line}"
            );
        }
        let pinned = format!("FROM debian\nCOPY --from=debian@sha256:{} /x /x\n", "0".repeat(64));
        assert_eq!(read(&pinned), ["-", ""]);
        // What a base keeps for those that are built from it.
        assert_eq!(read("FROM a AS one\nONBUILD COPY . /\nFROM two AS three\nFROM one\nRUN y\n").last().unwrap(), "?");
    }

    #[test]
    fn an_argument_that_the_build_gives_is_elsewhere_from_where_it_is_declared() {
        let text = "ARG BASE=a\nFROM debian\nCOPY a /\nARG ONE=1 TWO\nRUN x\n";
        assert_eq!(read_with(text, &[("OTHER", "x")]), ["-", "[a]", "[a]"]);
        assert_eq!(read_with(text, &[("TWO", "x")]), ["-", "[a]", "?"]);
        assert_eq!(read_with(text, &[("BASE", "x")]), ["-", "[a]", "?"]);
        for copied in ["COPY $A /\n", "COPY <<EOF /x\n$A\nEOF\n"] {
            assert_eq!(read_with(&format!("ARG A\nFROM debian\nARG A\n{copied}"), &[("A", "x")]), ["-", "?"], "{copied}");
        }
    }

    #[test]
    fn the_name_of_an_owner_is_looked_up_in_what_is_before() {
        let text = |owner: &str| format!("FROM debian\nCOPY passwd /etc/\nCOPY --chown={owner} a /\n");
        assert_eq!(read(&text("app:1")), ["-", "[passwd]", "[a][passwd]"]);
        assert_eq!(read(&text("11:22")), ["-", "[passwd]", "[a]"]);
    }

    #[test]
    fn stages_that_copy_from_each_other_end() {
        let text =
            "FROM scratch AS one\nCOPY --from=two /x /\nFROM scratch AS two\nCOPY --from=one /x /\nCOPY b /\nFROM one\nRUN x\n";
        assert_eq!(read(text), ["-", "[b]", "[b]"]);
        // However many there are.
        let stage = |place: u32| format!("FROM scratch AS s{place}\nCOPY --from=s{} /x /\n", place.saturating_sub(1));
        let text: String = (0..900).map(stage).collect();
        assert_eq!(read(&format!("{text}FROM scratch\nCOPY --from=s899 /x /\nCOPY --chown=app a /\n")), ["-", "", "[a]"]);
        let stage = |place: u32| format!("FROM s{} AS s{place}\nCOPY a /\n", place - 1);
        let text: String = (1..900).map(stage).collect();
        assert_eq!(read(&format!("FROM scratch AS s0\n{text}FROM scratch\nCOPY --from=s899 /x /\n")), ["-", "[a]"]);
    }
}
