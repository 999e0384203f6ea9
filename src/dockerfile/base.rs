//! What a stage is built from.

use std::collections::BTreeMap;

use super::expand::expand;
use super::instruction::Dockerfile;
use super::word::words;

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

/// What a stage is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// Another stage, by its place among [`Dockerfile::stages`].
    Stage(usize),
    /// An image, or `scratch`; as written where its variables have no value.
    Image(String),
}

impl Dockerfile {
    /// What a stage is built from, with the values of the `ARG`s before the first `FROM`: `arguments` are those given to the
    /// build, and what BuildKit sets itself (`TARGETARCH`).
    #[must_use]
    pub(crate) fn base(&self, stage: usize, arguments: &BTreeMap<String, String>) -> Option<Base> {
        let written = &self.stages.get(stage)?.base;
        let values = self.preamble_values(arguments);
        let base = expand(written, &values, self.escape).unwrap_or_else(|| written.clone());
        let earlier = &self.stages[..stage];
        let named = earlier.iter().rposition(|stage| stage.name.as_deref() == Some(&base));
        Some(named.map_or(Base::Image(base), Base::Stage))
    }

    fn preamble_values(&self, arguments: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let automatic = arguments.iter().filter(|(name, _)| AUTOMATIC.contains(&name.as_str()));
        let mut values: BTreeMap<_, _> = automatic.map(|(name, value)| (name.clone(), value.clone())).collect();
        for instruction in self.preamble.iter().filter(|instruction| instruction.keyword == "ARG") {
            for word in words(instruction.arguments(), true).unwrap_or_default() {
                let (name, default) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
                let default = default.and_then(|default| expand(default, &values, self.escape));
                if let Some(value) = arguments.get(name).cloned().or(default) {
                    values.insert(name.to_owned(), value);
                }
            }
        }
        values
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
}
