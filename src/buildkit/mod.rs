//! BuildKit's own protocol: what it asks of its client during a build.

pub mod account;
pub mod attachables;
pub mod context;
pub mod expression;
pub mod filesync;
pub mod filter;
pub mod follow;
pub mod glob;
pub mod health;
pub mod ignore;
pub mod mode;
pub mod root;
pub mod secrets;
pub mod sent;
pub mod transfer;
pub mod walk;

pub use attachables::Attachables;
