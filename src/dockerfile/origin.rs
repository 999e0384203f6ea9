//! From the layers of an image back to the lines of its Dockerfile.
//!
//! BuildKit notes each instruction in the image's history, in order, after what the base image brought
//! (`commitToHistory` in `frontend/dockerfile/dockerfile2llb/convert.go`): `RUN |1 A=b /bin/sh -c … # buildkit`. All but
//! `FROM` and `ONBUILD` get an entry; the triggers of a base get theirs before the stage's own.

use std::collections::BTreeMap;

use oci_spec::image::{History, ImageConfiguration};

use super::base::Base;
use super::error::Error;
use super::instruction::{Dockerfile, Instruction};
use crate::finding;

/// How BuildKit's exporter marks an entry that it made up, for a layer that the frontend did not report.
const MADE_UP: &str = "buildkit.exporter.image.v0";

/// An entry that the history should have, and the instruction that made it.
struct Expected<'a> {
    keyword: String,
    by: &'a Instruction,
    stage: &'a Instruction,
}

impl Dockerfile {
    /// The instruction that each layer of an image came from, in the order of the layers. Layers of the base image belong to
    /// its `FROM`, as do layers that the history does not explain.
    ///
    /// `file` names the Dockerfile in what is returned, `target` is the stage that was built (the last where none is
    /// given), and `arguments` are those of the build.
    ///
    /// # Errors
    /// Variables go beyond a limit: [`Error::Bound`].
    pub(crate) fn origin(
        &self,
        file: &str,
        target: Option<&str>,
        arguments: &BTreeMap<String, String>,
        config: &ImageConfiguration,
    ) -> Result<Vec<finding::Instruction>, Error> {
        let Some(target) = self.target(target) else { return Ok(Vec::new()) };
        let mut arguments = arguments.clone();
        for (name, value) in platform_arguments(config) {
            arguments.entry(name.to_owned()).or_insert(value);
        }
        let chain = chain(target, &self.bases(&arguments)?);
        let history = config.history().as_deref().unwrap_or_default();
        let layers = config.rootfs().diff_ids().len();
        let mut found: Vec<&Instruction> = self.align(&chain, history);
        found.resize(layers, &self.stages[target].from);
        Ok(found.into_iter().map(|instruction| instruction.located(file)).collect())
    }

    /// The instructions of the entries with a layer, first to last.
    pub(super) fn align<'a>(&'a self, chain: &[usize], history: &[History]) -> Vec<&'a Instruction> {
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
                    // The history does not follow BuildKit's form: below this, nothing is certain.
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

/// The stages from `target` down to the one that is built from an image.
pub(super) fn chain(target: usize, bases: &[Base]) -> Vec<usize> {
    let mut chain = vec![target];
    let mut stage = target;
    // A base stands before what is built from it, so that this ends.
    while let Some(Base::Stage(base)) = bases.get(stage) {
        chain.push(*base);
        stage = *base;
    }
    chain
}

impl Instruction {
    fn located(&self, file: &str) -> finding::Instruction {
        finding::Instruction { file: file.to_owned(), line: self.first_line, end_line: self.last_line, text: self.head.clone() }
    }
}

/// The platform that the image was built for, as a `FROM` can name it.
pub(super) fn platform_arguments(config: &ImageConfiguration) -> [(&'static str, String); 4] {
    let (os, architecture) = (config.os().to_string(), config.architecture().to_string());
    let variant = config.variant().clone().unwrap_or_default();
    let platform = [os.as_str(), architecture.as_str(), variant.as_str()].into_iter().filter(|part| !part.is_empty());
    let platform = platform.collect::<Vec<_>>().join("/");
    [("TARGETOS", os), ("TARGETARCH", architecture), ("TARGETVARIANT", variant), ("TARGETPLATFORM", platform)]
}

fn keyword(entry: &History) -> Option<&str> {
    entry.created_by().as_deref()?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first lines of the instructions that layers come from, for a history of `L` (with a layer) and `-` entries.
    fn lines(dockerfile: &str, target: Option<&str>, history: &[&str]) -> Vec<u32> {
        let entry = |row: &&str| {
            let created_by = (row.len() > 2).then(|| row[2..].to_owned());
            serde_json::json!({ "created_by": created_by, "empty_layer": row.starts_with('-'), "comment": "buildkit.dockerfile.v0" })
        };
        traced(dockerfile, target, &history.iter().map(entry).collect::<Vec<_>>())
    }

    fn traced(dockerfile: &str, target: Option<&str>, history: &[serde_json::Value]) -> Vec<u32> {
        let layers = history.iter().filter(|entry| entry["empty_layer"] != true).count();
        let config: ImageConfiguration = serde_json::from_value(serde_json::json!({
            "architecture": "amd64", "os": "linux", "history": history,
            "rootfs": { "type": "layers", "diff_ids": vec!["sha256:0"; layers] },
        }))
        .unwrap();
        let arguments = BTreeMap::from([("GIVEN".to_owned(), "base".to_owned())]);
        let found = Dockerfile::parse(dockerfile).unwrap().origin("Dockerfile", target, &arguments, &config).unwrap();
        found.into_iter().map(|instruction| instruction.line).collect()
    }

    const CHAIN: &str = "\
FROM scratch AS root
ADD rootfs.tar /
ENV A=b
FROM root AS base
ARG X=1 Y=2
WORKDIR /app
COPY . /all/
RUN ls /all
ONBUILD RUN echo trigger > /trigger
FROM base
LABEL a=b c=d
COPY --chown=3:4 src/lnk/3 /one/
RUN --mount=type=secret,id=tok \\
  cat /run/secrets/tok
USER 1000
EXPOSE 80 81
CMD [\"x\"]
";

    // The histories below are those that the engines wrote for these Dockerfiles.

    #[test]
    fn layers_are_traced_through_stages_as_docker_20_10_tells_it() {
        let history = [
            "L ADD rootfs.tar / # buildkit",
            "- ENV A=b",
            "- ARG X=1 Y=2",
            "L WORKDIR /app",
            "L COPY . /all/ # buildkit",
            "L RUN |2 X=1 Y=2 /bin/sh -c ls /all # buildkit",
            "L RUN /bin/sh -c echo trigger > /trigger # buildkit",
            "- LABEL a=b c=d",
            "L COPY src/lnk/3 /one/ # buildkit",
            "L RUN /bin/sh -c cat /run/secrets/tok # buildkit",
            "- USER 1000",
            "- EXPOSE map[80/tcp:{} 81/tcp:{}]",
            "- CMD [\"x\"]",
        ];
        assert_eq!(lines(CHAIN, None, &history), [2, 6, 7, 8, 10, 12, 13]);
        assert_eq!(lines(CHAIN, Some("base"), &history[..6]), [2, 6, 7, 8]);
        assert_eq!(lines(CHAIN, Some("0"), &history[..2]), [2]);
    }

    #[test]
    fn layers_are_traced_through_stages_as_buildkit_0_31_tells_it() {
        let history = [
            "L ADD rootfs.tar / # buildkit",
            "- ENV A=b",
            "- ARG X=1 Y=2",
            "L WORKDIR /app",
            "L COPY . /all/ # buildkit",
            "L RUN |2 X=1 Y=2 /bin/sh -c ls /all # buildkit",
            "L RUN |2 X=1 Y=2 /bin/sh -c echo trigger > /trigger # buildkit",
            "- LABEL a=b c=d",
            "L COPY --chown=3:4 src/lnk/3 /one/ # buildkit",
            "L RUN |2 X=1 Y=2 /bin/sh -c cat /run/secrets/tok # buildkit",
            "- USER 1000",
            "- EXPOSE [80/tcp 81/tcp]",
            "- CMD [\"x\"]",
        ];
        assert_eq!(lines(CHAIN, None, &history), [2, 6, 7, 8, 10, 12, 13]);
    }

    #[test]
    fn what_the_base_image_brought_is_its_from_lines() {
        let dockerfile = "\
ARG GIVEN=other
FROM debian AS tool
RUN echo tool > /tool
FROM ${GIVEN:-x}:t AS app
SHELL [\"/bin/sh\", \"-ec\"]
RUN echo one \\
  # comment
  && echo two > /two
COPY --from=tool /tool /tool
HEALTHCHECK CMD true
FROM app AS extra
RUN echo extra > /extra
";
        // An imported image, then a base with two triggers.
        let history = [
            "L",
            "- ENV BASE=1",
            "L RUN /bin/sh -c echo base > /base # buildkit",
            "L COPY f /onbuild # buildkit",
            "- ENV ONB=1",
            "- SHELL [/bin/sh -ec]",
            "L RUN /bin/sh -ec echo one   && echo two > /two # buildkit",
            "L COPY /tool /tool # buildkit",
            "- HEALTHCHECK &{[\"CMD-SHELL\" \"true\"] \"0s\" \"0s\" \"0s\" '\\x00'}",
            "L RUN /bin/sh -ec echo extra > /extra # buildkit",
        ];
        assert_eq!(lines(dockerfile, None, &history), [4, 4, 4, 6, 9, 12]);
        assert_eq!(lines(dockerfile, Some("App"), &history[..9]), [4, 4, 4, 6, 9]);
    }

    #[test]
    fn instructions_with_here_documents_are_traced() {
        let dockerfile = "\
FROM scratch
ADD rootfs.tar /
RUN <<EOF
echo a
EOF
COPY <<a <<\"b\" /h/
1
a
2
b
COPY --link rootfs.tar /l
WORKDIR /
WORKDIR /w
";
        let history = [
            "L ADD rootfs.tar / # buildkit",
            "L RUN /bin/sh -c echo a\n # buildkit",
            "L COPY <<a <<b /h/ # buildkit",
            "L COPY rootfs.tar /l # buildkit",
            "- WORKDIR /",
            "L WORKDIR /w",
        ];
        assert_eq!(lines(dockerfile, None, &history), [2, 3, 6, 11, 13]);
    }

    #[test]
    fn where_the_history_tells_something_else_the_from_line_is_given() {
        let dockerfile = "FROM a AS one\nRUN x\nFROM one\nCOPY a b\nRUN y\n";
        let history = ["L RUN x # buildkit", "L ADD z # buildkit", "L RUN y # buildkit"];
        assert_eq!(lines(dockerfile, None, &history), [3, 3, 5]);
        assert_eq!(lines(dockerfile, None, &["L whatever", "L"]), [3, 3]);
    }

    #[test]
    fn an_entry_that_the_exporter_made_up_moves_nothing() {
        let entry = |by: &str, comment: &str| serde_json::json!({ "created_by": by, "comment": comment });
        let history = [entry("RUN y", "buildkit.dockerfile.v0"), entry("mount / from exec", MADE_UP)];
        assert_eq!(traced("FROM a\nRUN y\n", None, &history), [2, 1]);
    }

    #[test]
    fn a_stage_that_the_platform_chooses_is_found() {
        let dockerfile = "FROM a AS base-arm64\nRUN x\nFROM b AS base-amd64\nRUN y\nFROM base-$TARGETARCH\nRUN z\n";
        assert_eq!(lines(dockerfile, None, &["L", "L RUN y # buildkit", "L RUN z # buildkit"]), [3, 4, 6]);
    }

    #[test]
    fn every_layer_has_an_origin_even_without_a_history() {
        let config = serde_json::json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": ["sha256:0", "sha256:1"] },
        });
        let config: ImageConfiguration = serde_json::from_value(config).unwrap();
        let found =
            Dockerfile::parse("FROM a\nRUN x\n").unwrap().origin("app/Dockerfile", None, &BTreeMap::new(), &config).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].file.as_str(), found[1].line, found[1].text.as_str()), ("app/Dockerfile", 1, "FROM a"));
    }
}
