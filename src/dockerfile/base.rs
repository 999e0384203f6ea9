//! What a stage is built from.

use std::collections::{BTreeMap, HashMap};

use super::error::Error;
use super::expand::{Brought, expand};
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
    /// What each stage is built from, with the values of the `ARG`s before the first `FROM`: `arguments` are those given to
    /// the build, and what BuildKit sets itself (`TARGETARCH`).
    ///
    /// # Errors
    /// Variables go beyond a limit: [`Error::Bound`].
    pub(crate) fn bases(&self, arguments: &BTreeMap<String, String>) -> Result<Vec<Base>, Error> {
        let mut brought = Brought::default();
        let values = self.preamble_values(arguments, &mut brought)?;
        let mut named: HashMap<&str, usize> = HashMap::new();
        let mut bases = Vec::with_capacity(self.stages.len());
        for (place, stage) in self.stages.iter().enumerate() {
            let line = stage.from.first_line;
            let base = expand(&stage.base, &values, self.escape, &mut brought).map_err(|bound| Error::Bound { line, bound })?;
            let base = base.unwrap_or_else(|| stage.base.clone());
            let earlier = named.get(base.as_str()).copied();
            bases.push(earlier.map_or(Base::Image(base), Base::Stage));
            named.extend(stage.name.as_deref().map(|name| (name, place)));
        }
        Ok(bases)
    }

    fn preamble_values(
        &self,
        arguments: &BTreeMap<String, String>,
        brought: &mut Brought,
    ) -> Result<BTreeMap<String, String>, Error> {
        let automatic = arguments.iter().filter(|(name, _)| AUTOMATIC.contains(&name.as_str()));
        let mut values: BTreeMap<_, _> = automatic.map(|(name, value)| (name.clone(), value.clone())).collect();
        for instruction in self.preamble.iter().filter(|instruction| instruction.keyword == "ARG") {
            let line = instruction.first_line;
            for word in words(instruction.arguments(), true).unwrap_or_default() {
                let (name, default) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
                let default = default.map(|default| expand(default, &values, self.escape, brought)).transpose();
                let default = default.map_err(|bound| Error::Bound { line, bound })?.flatten();
                if let Some(value) = arguments.get(name).cloned().or(default) {
                    values.insert(name.to_owned(), value);
                }
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounds::Bound;
    use super::*;

    const TEXT: &str = "ARG V=1 W=$V-x\nARG ARCH\nFROM base:$W AS Base\nFROM base AS two\nFROM base-${TARGETARCH} AS three\nFROM ${N:-two}\nRUN a \\\n b\n";

    fn base(stage: usize, arguments: &[(&str, &str)]) -> Base {
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Dockerfile::parse(TEXT).unwrap().bases(&arguments).unwrap().swap_remove(stage)
    }

    fn beyond(text: &str) -> Error {
        Dockerfile::parse(text).unwrap().bases(&BTreeMap::new()).unwrap_err()
    }

    #[test]
    fn a_limit_is_told_with_the_line_that_goes_beyond_it() {
        let deep = format!("FROM scratch AS s\nCOPY a /a\nFROM \\\n{}s{}\n", "${a:-".repeat(60_000), "}".repeat(60_000));
        assert_eq!(beyond(&deep), Error::Bound { line: 3, bound: Bound::Depth });
        // Each has twice the length of the one before.
        let doubling: Vec<_> = (1..60).map(|n| format!("ARG v{n}=$v{0}$v{0}\n", n - 1)).collect();
        let doubling = format!("ARG v0=12345678\n{}FROM $v59\n", doubling.concat());
        assert!(matches!(beyond(&doubling), Error::Bound { line: 16..24, bound: Bound::Values }), "{:?}", beyond(&doubling));
        let again = format!("ARG v={}\n{}FROM a\n", "1".repeat(1 << 16), "ARG w=${v:+x}\n".repeat(100));
        assert_eq!(beyond(&again), Error::Bound { line: 18, bound: Bound::Values });
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
