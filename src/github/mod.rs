//! What GitHub says to us and hears from us.

mod access;
pub mod api;
pub mod checks;
pub mod code_scanning;
pub mod commands;
pub mod event;
pub mod oidc;

pub use access::Access;
pub use api::Api;
pub use event::Event;
