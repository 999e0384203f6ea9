//! What the services that the tests play have in common.

pub mod content;
pub mod hold;
