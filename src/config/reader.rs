//! Reads inputs one by one, and remembers what is wrong with them.

use super::Env;
use crate::inputs::{self, About, Input, Inputs, Problem, Value};

/// Reads inputs and collects problems. Where a method gives nothing, its problem is among them, and the reading goes on, so
/// that all are seen.
pub(super) struct Reader<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) env: &'a Env<'a>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Reads by `what`.
    ///
    /// # Errors
    /// All problems, in the order of [`inputs::ALL`].
    pub(super) fn read<T>(
        inputs: &'a Inputs,
        env: &'a Env<'a>,
        what: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Result<T, Vec<Problem>> {
        let mut reader = Self { inputs, env, problems: Vec::new() };
        match what(&mut reader) {
            Some(value) if reader.problems.is_empty() => Ok(value),
            _ => {
                let mut problems = reader.problems;
                problems.sort_by_key(|problem| inputs::ALL.iter().position(|input| input.name == problem.input));
                Err(problems)
            }
        }
    }

    /// Reads one input.
    pub(super) fn get<T: Value>(&mut self, input: &Input<T>) -> Option<T> {
        self.inputs.get(input).map_err(|problems| self.problems.extend(problems)).ok()
    }

    pub(super) fn problem(&mut self, input: &About, value: impl Into<String>, expected: impl Into<String>) {
        self.problems.push(input.problem(value, expected));
    }
}
