//! The policy that is looked at.

use std::path::Path;

use crate::aws::ecr::Repository;
use crate::beneath;
use crate::error::Error;
use crate::inputs::Problem;
use crate::lifecycle::{self, Preset};

/// The most that is read of a file, in bytes: four for each character of the longest policy, and no more.
const MAX_BYTES: u64 = 4 * 30_720;

/// A policy, as text and as a value.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    /// Where it is from, in words.
    pub(super) origin: String,
    /// Its text, as AWS is given it.
    pub(super) text: String,
    /// What it says.
    pub(super) value: lifecycle::Policy,
}

impl Policy {
    /// The one that the command line gives, if it gives one.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn given(file: Option<&Path>, preset: Option<&str>) -> Result<Option<Self>, Vec<Problem>> {
        match (file, preset) {
            (Some(_), Some(preset)) => Err(vec![problem("preset", preset, "a file is given too, and one policy is looked at")]),
            (Some(file), None) => Self::of_file(file).map(Some),
            (None, Some(name)) => {
                let preset = self::preset("preset", name).map_err(|problem| vec![problem])?;
                Self::of_preset(preset).map(Some)
            }
            (None, None) => Ok(None),
        }
    }

    /// A preset.
    ///
    /// # Errors
    /// None that a test would not find.
    pub(super) fn of_preset(preset: Preset) -> Result<Self, Vec<Problem>> {
        Self::read(format!("the preset {}", preset.name()), preset.text().to_owned(), "preset")
    }

    /// The one in a file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn of_file(file: &Path) -> Result<Self, Vec<Problem>> {
        let name = file.display().to_string();
        let bytes = beneath::read(file, MAX_BYTES).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
        let text = bytes.ok_or_else(|| vec![problem("policy", &name, "a file that can be read is expected")])?;
        Self::read(name, text, "policy")
    }

    /// The one that the repository has, if it has one.
    pub(super) async fn in_force(repository: &Repository) -> Result<Option<Self>, Error> {
        let Some(text) = repository.lifecycle_policy().await? else { return Ok(None) };
        Self::read("the policy that is in force".to_owned(), text, "policy").map(Some).map_err(Error::Inputs)
    }

    fn read(origin: String, text: String, input: &'static str) -> Result<Self, Vec<Problem>> {
        match lifecycle::read(&text) {
            Ok(value) => Ok(Self { origin, text, value }),
            Err(problems) => Err(problems.iter().map(|fault| problem(input, &origin, &fault.to_string())).collect()),
        }
    }

    /// What is to be looked at in it.
    pub(super) fn warnings(&self, moving: &[String]) -> Vec<String> {
        lifecycle::warnings(&self.value, moving).iter().map(ToString::to_string).collect()
    }
}

/// The preset with a name.
pub(super) fn preset(input: &'static str, name: &str) -> Result<Preset, Problem> {
    let known = Preset::ALL.into_iter().find(|preset| preset.name() == name);
    known.ok_or_else(|| problem(input, name, "simple, environments or environments-safe is expected"))
}

fn problem(input: &'static str, value: &str, expected: &str) -> Problem {
    Problem { input, value: value.to_owned(), expected: expected.to_owned() }
}
