//! A scanner that there is only in a test that asks for it: what goes through the scanners goes through this one too.

use std::cell::Cell;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Driver, Finds, Scanner, Tool};
use crate::environment::Gate;
use crate::stage_name::StageName;

/// The fourth row. It blocks everywhere, also where the others only advise, so that no other's gate can hide it.
pub(crate) const MADE_UP: Tool = Tool(&Scanner {
    program: "made-up",
    version_argument: "say-version",
    // One that runs no other scanner.
    stage: StageName::Checks,
    subject: "rotten spots in the image",
    finds: Some(Finds {
        all: "rotten spots",
        noun: "rotten spot",
        short_noun: "spot",
        gate: |_| Gate::Blocking,
        ignore_file: ".made-up-ignore",
        driver: Driver { name: "Made Up", information_uri: "https://made-up.example/scanner" },
    }),
});

thread_local! {
    static IS_THERE: Cell<bool> = const { Cell::new(false) };
}

/// The fourth row in the tests that asked for it.
pub(super) fn row() -> Option<Tool> {
    IS_THERE.get().then_some(MADE_UP)
}

/// Puts the row into the table for this thread, until it is dropped.
pub(crate) struct MadeUp;

impl MadeUp {
    pub(crate) fn added() -> Self {
        IS_THERE.set(true);
        Self
    }
}

impl Drop for MadeUp {
    fn drop(&mut self) {
        IS_THERE.set(false);
    }
}

impl JsonSchema for Tool {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tool".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = |tool: Tool| {
            let (first, rest) = tool.subject.split_at(1);
            json_schema!({
                "description": format!("{}{rest}.", first.to_uppercase()),
                "type": "string",
                "const": tool.name(),
            })
        };
        let all: Vec<_> = Tool::judging().map(one).collect();
        json_schema!({ "description": "The tool that made a finding.", "oneOf": all })
    }
}
