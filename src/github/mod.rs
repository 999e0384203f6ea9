//! What GitHub says to us and hears from us.

pub mod commands;
pub mod event;
pub mod oidc;

pub use event::Event;
