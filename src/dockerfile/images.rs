//! The images that a Dockerfile names as what is pulled.

use std::collections::{BTreeMap, BTreeSet};

use super::base::Base;
use super::error::Error;
use super::instruction::{Dockerfile, Instruction};

impl Dockerfile {
    /// What named contexts can take the place of: what [`Dockerfile::images`] has, and the stages.
    ///
    /// # Errors
    /// Variables go beyond a limit: [`Error::Bound`].
    pub(crate) fn names(&self, arguments: &BTreeMap<String, String>) -> Result<BTreeSet<String>, Error> {
        let stages = self.stages.iter().filter_map(|stage| stage.name.clone());
        Ok(self.images(arguments)?.into_iter().chain(stages).collect())
    }

    /// What `FROM`, `COPY --from` and `RUN --mount=from=` name, with the values of `arguments`, stages and `scratch` among it.
    /// Only `FROM` knows variables.
    ///
    /// # Errors
    /// Variables go beyond a limit: [`Error::Bound`].
    pub(crate) fn images(&self, arguments: &BTreeMap<String, String>) -> Result<BTreeSet<String>, Error> {
        let bases = self.bases(arguments)?.into_iter().filter_map(|base| match base {
            Base::Image(name) => Some(name),
            Base::Stage(_) => None,
        });
        let instructions = self.stages.iter().flat_map(|stage| &stage.instructions);
        Ok(bases.chain(instructions.flat_map(Instruction::sources)).collect())
    }
}

impl Instruction {
    /// What its flags take files from.
    fn sources(&self) -> Vec<String> {
        let flags = self.arguments().split_whitespace().take_while(|word| word.starts_with("--"));
        let named = flags.flat_map(|flag| match (&*self.keyword, flag.split_once('=')) {
            ("COPY", Some(("--from", image))) => vec![image],
            ("RUN", Some(("--mount", mount))) => {
                mount.trim_matches('"').split(',').filter_map(|part| part.strip_prefix("from=")).collect()
            }
            _ => Vec::new(),
        });
        named.map(|image| image.trim_matches(['"', '\'']).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_from_by_copy_and_by_a_mount() {
        let text = "ARG R=r.example\nFROM $R/one:1 AS a\nFROM a\nCOPY --chown=1 --from=r.example/two /x /\nCOPY --from=a /x /\n\
                    COPY /--from=r.example/no /\nRUN --network=none --mount=type=bind,from=r.example/three,target=/x true\n\
                    RUN echo --mount=from=r.example/no\n# FROM r.example/no\n";
        let images = Dockerfile::parse(text).unwrap().images(&BTreeMap::new()).unwrap();
        assert_eq!(Vec::from_iter(images), ["a", "r.example/one:1", "r.example/three", "r.example/two"]);
    }
}
