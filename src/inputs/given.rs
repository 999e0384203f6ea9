//! What a person gave.

use std::collections::BTreeMap;

use super::value::Value;
use super::{About, Input, Own, Problem, flags};

/// The values that were given, by input name. An empty value is no value: the form in which GitHub passes an input that
/// the workflow leaves out. The line ends after a value are no part of it: YAML's `|` adds one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inputs(BTreeMap<&'static str, String>);

impl Inputs {
    /// Takes the values that `given` knows for the inputs.
    pub(crate) fn collect(given: impl Fn(&About) -> Option<String>) -> Self {
        let value = |input: &About| given(input).filter(|value| !value.trim().is_empty());
        Self(flags().filter_map(|input| Some((input.name, value(input)?))).collect())
    }

    /// The same as if these had not been given.
    #[must_use]
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| !names.contains(*name)).map(|(name, value)| (*name, value.clone())).collect())
    }

    /// The same with these in the place of what was given.
    #[must_use]
    pub(crate) fn with(&self, own: &Own) -> Self {
        let Self(mut all) = self.clone();
        all.extend(own.iter().cloned());
        Self(all)
    }

    /// Reads an input.
    ///
    /// # Errors
    /// All that is wrong with what was given.
    pub(crate) fn get<T: Value>(&self, input: &Input<T>) -> Result<T, Vec<Problem>> {
        input.read(self.text(input))
    }

    /// The text of an input: what was given, else the default.
    pub(crate) fn text(&self, input: &About) -> &str {
        self.given(input).or_else(|| input.default_value()).unwrap_or_default()
    }

    /// The text that was given for an input.
    pub(crate) fn given(&self, input: &About) -> Option<&str> {
        self.0.get(input.name).map(String::as_str)
    }
}

/// The value of a variable without the line ends after it: YAML's `|` leaves one there. A flag is taken as it stands, since a
/// folder's name may end in anything.
#[must_use]
pub(crate) fn without_line_ends(mut value: String) -> String {
    value.truncate(value.trim_end_matches(['\r', '\n']).len());
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    use crate::inputs::{BUILD_TARGET, COMPRESSION, ENVIRONMENT, IGNORE_UNFIXED, REPORT_DIR};

    #[test]
    fn an_empty_value_is_none() {
        let inputs = Inputs::collect(|input| Some(if input.name == "build-target" { " x" } else { " \n" }.to_owned()));
        assert_eq!((inputs.given(&BUILD_TARGET), inputs.given(&ENVIRONMENT)), (Some(" x"), None));
        assert_eq!(inputs.get(&BUILD_TARGET).unwrap().as_deref(), Some("x"));
    }

    #[test]
    fn line_ends_after_the_value_of_a_variable_are_no_part_of_it_and_a_flag_is_taken_as_it_stands() {
        for end in ["\n", "\r\n", "\n\n"] {
            assert_eq!(without_line_ends(format!(" a b {end}")), " a b ");
            assert_eq!(without_line_ends(format!("a\n\nb{end}")), "a\n\nb");
            let flag = format!(" a b {end}");
            let inputs = Inputs::collect(|_| Some(flag.clone()));
            assert_eq!(inputs.get(&REPORT_DIR).unwrap(), PathBuf::from(&flag), "both may be part of a folder's name");
        }
    }

    #[test]
    fn without_a_value_the_default_counts() {
        let inputs = Inputs::default();
        assert_eq!(inputs.get(&COMPRESSION).unwrap(), crate::oci::Compression::Gzip);
        assert_eq!(inputs.get(&BUILD_TARGET).unwrap(), None);
        assert!(!inputs.get(&IGNORE_UNFIXED).unwrap());
    }
}
