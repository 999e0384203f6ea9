//! What the services that the tests play have in common.

#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::panic, reason = "each test uses its part of this")]

pub mod content;
pub mod hold;
