//! From the layers of an image back to the lines of its Dockerfile.
//!
//! BuildKit notes each instruction in the image's history, in order, after what the base image brought
//! (`commitToHistory` in `frontend/dockerfile/dockerfile2llb/convert.go`): `RUN |1 A=b /bin/sh -c … # buildkit`. All but
//! `FROM` and `ONBUILD` get an entry; the triggers of a base get theirs before the stage's own.

use std::collections::BTreeMap;

use oci_spec::image::{History, ImageConfiguration};

use super::{Base, Dockerfile, Instruction};
use crate::finding;

/// How BuildKit's exporter marks an entry that it made up, for a layer that the frontend did not tell of.
const MADE_UP: &str = "buildkit.exporter.image.v0";

/// An entry that the history should have, and the instruction that made it.
struct Expected<'a> {
    keyword: String,
    by: &'a Instruction,
    stage: &'a Instruction,
}

impl Dockerfile {
    /// The instruction that each layer of an image came from, in the order of the layers. What the base image brought is
    /// its `FROM`'s, and so is what the history does not tell.
    ///
    /// `file` names the Dockerfile in what is returned, `target` is the stage that was built (the last where none is
    /// given), and `arguments` are those of the build.
    #[must_use]
    pub fn origin(
        &self,
        file: &str,
        target: Option<&str>,
        arguments: &BTreeMap<String, String>,
        config: &ImageConfiguration,
    ) -> Vec<finding::Instruction> {
        let Some(target) = self.target(target) else { return Vec::new() };
        let mut arguments = arguments.clone();
        for (name, value) in [("TARGETOS", config.os().to_string()), ("TARGETARCH", config.architecture().to_string())] {
            arguments.entry(name.to_owned()).or_insert(value);
        }
        let chain = self.chain(target, &arguments);
        let history = config.history().as_deref().unwrap_or_default();
        let layers = config.rootfs().diff_ids().len();
        let mut found: Vec<&Instruction> = self.align(&chain, history);
        found.resize(layers, &self.stages[target].from);
        found.into_iter().map(|instruction| instruction.located(file)).collect()
    }

    /// The stages from `target` down to the one that is built from an image.
    fn chain(&self, target: usize, arguments: &BTreeMap<String, String>) -> Vec<usize> {
        let mut chain = vec![target];
        let mut stage = target;
        // A base stands before what is built from it, so that this ends.
        while let Some(Base::Stage(base)) = self.base(stage, arguments) {
            chain.push(base);
            stage = base;
        }
        chain
    }

    /// The instructions of the entries with a layer, first to last.
    fn align<'a>(&'a self, chain: &[usize], history: &[History]) -> Vec<&'a Instruction> {
        let mut expected = self.expected(chain).into_iter();
        let mut below = chain.last().map_or(&self.stages[0].from, |stage| &self.stages[*stage].from);
        let target = chain.first().map_or(below, |stage| &self.stages[*stage].from);
        let mut matching = true;
        let mut found = Vec::new();
        for entry in history.iter().rev() {
            let made_up = entry.comment().as_deref() == Some(MADE_UP);
            let next = if matching && !made_up { expected.next() } else { None };
            let by = match next {
                _ if made_up => target,
                Some(next) if Some(next.keyword.as_str()) == keyword(entry) => next.by,
                Some(next) => {
                    // Whatever made this image told its story otherwise: from here down nothing is certain.
                    (matching, below) = (false, next.stage);
                    below
                }
                None => below,
            };
            if entry.empty_layer() != Some(true) {
                found.push(by);
            }
        }
        found.reverse();
        found
    }

    /// The entries that the stages of a chain should have, last to first.
    fn expected(&self, chain: &[usize]) -> Vec<Expected<'_>> {
        let mut expected = Vec::new();
        for (place, index) in chain.iter().enumerate() {
            let stage = &self.stages[*index];
            let own = stage.instructions.iter().rev().filter(|instruction| instruction.keyword != "ONBUILD");
            expected.extend(own.map(|by| Expected { keyword: by.keyword.clone(), by, stage: &stage.from }));
            if let Some(base) = chain.get(place + 1) {
                let triggers = self.stages[*base].instructions.iter().rev().filter_map(Instruction::trigger);
                expected.extend(triggers.map(|keyword| Expected { keyword, by: &stage.from, stage: &stage.from }));
            }
        }
        expected
    }
}

impl Instruction {
    fn located(&self, file: &str) -> finding::Instruction {
        finding::Instruction { file: file.to_owned(), line: self.first_line, end_line: self.last_line, text: self.head.clone() }
    }
}

fn keyword(entry: &History) -> Option<&str> {
    entry.created_by().as_deref()?.split_whitespace().next()
}
