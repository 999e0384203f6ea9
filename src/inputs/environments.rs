//! The environments that are looked at together, each with what is its own.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::value::{Fault, Value};
use crate::document::yaml;
use crate::environment::Environment;

/// What an environment has in place of what all of them have: the name of an input, and its text.
pub(crate) type Own = Vec<(&'static str, String)>;

/// The environments, the one that requires most first: what is known of several is told where most is required.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environments(pub(crate) Vec<(Environment, Own)>);

/// The value of an input as YAML has it. A number is none: `1.10` is `1.1` to most readers.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text is expected, true or false, or a list of texts; a number stands in quotes")]
enum Given {
    Text(String),
    Switch(bool),
    List(Vec<String>),
}

impl Given {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Switch(on) => on.to_string(),
            Self::List(lines) => lines.join("\n"),
        }
    }
}

impl Value for Environments {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let form = "the environments are expected as keys of YAML, each with the inputs that are its own, or with none";
        let read: BTreeMap<Environment, Option<BTreeMap<String, Given>>> =
            yaml::read_yaml(text).map_err(|error| Fault::new("", format!("{form}: {error}")))?;
        if read.is_empty() {
            return Err(Fault::new(text.trim(), form));
        }
        let own = |(environment, given): (Environment, Option<BTreeMap<String, Given>>)| {
            let given = given.into_iter().flatten();
            let own = given.map(|(name, value)| owned(environment, &name, value.text())).collect::<Result<Own, _>>()?;
            Ok((environment, own))
        };
        read.into_iter().rev().map(own).collect::<Result<_, _>>().map(Self)
    }
}

fn owned(environment: Environment, name: &str, value: String) -> Result<(&'static str, String), Vec<Fault>> {
    let Some(input) = super::of_an_environment().find(|input| input.name == name) else {
        let names: Vec<_> = super::of_an_environment().map(|input| input.name).collect();
        let expected = format!("an input is expected that each environment may have of its own: {}", names.join(", "));
        return Err(Fault::new(&format!("{environment}: {name}"), expected));
    };
    if value.trim().is_empty() {
        return Err(Fault::new(&format!("{environment}: {name}"), "a value is expected"));
    }
    Ok((input.name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::{IGNORE_UNFIXED, TAGS};

    #[test]
    fn environments_are_keys_with_inputs_of_their_own_and_the_strictest_is_first() {
        let text = "dev:\nprod:\n  tags: '{env}'\n  ignore-unfixed: true\n  identity: [a, b]\n";
        let Environments(all) = Environments::read(text).unwrap();
        assert_eq!(all.iter().map(|(environment, _)| environment.name()).collect::<Vec<_>>(), ["prod", "dev"]);
        assert!(all[0].1.contains(&(TAGS.about.name, "{env}".to_owned())) && all[1].1.is_empty());
        assert!(all[0].1.contains(&(IGNORE_UNFIXED.about.name, "true".to_owned())));
        assert!(all[0].1.contains(&("identity", "a\nb".to_owned())));
        assert_eq!(Environments::read(" \n").unwrap(), Environments::default());
    }

    #[test]
    fn what_is_no_environment_and_no_input_of_one_is_refused() {
        for text in [
            "prod",
            "- prod",
            "{}",
            "production:",
            "prod:\nprod:",
            "prod:\n  tag: x",
            "prod:\n  sandbox: off",
            "prod:\n  report-dir: /tmp",
            "prod:\n  environment: dev",
            "prod:\n  tags:",
            "prod:\n  tags: ''",
            "prod:\n  aws-account-id: 112345678901",
            "prod:\n  tags: a\n  tags: b",
        ] {
            assert!(Environments::read(text).is_err(), "{text}");
        }
    }
}
