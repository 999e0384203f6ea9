//! The build: a client of BuildKit's own protocol. It connects, serves the files of the context, solves, shows progress,
//! and brings the image out into a layout.

pub mod account;
pub mod attachables;
pub mod builder;
pub mod context;
pub mod credentials;
pub mod endpoint;
pub mod error;
pub mod export;
pub mod expression;
pub mod filesync;
pub mod filter;
pub mod follow;
pub mod glob;
pub mod health;
pub mod ignore;
pub mod mode;
pub mod progress;
pub mod root;
pub mod secrets;
pub mod sent;
pub mod session;
pub mod solve;
pub mod transfer;
pub mod walk;

pub use attachables::Attachables;
pub use error::Error;

/// A name that nobody else uses: 128 random bits in hexadecimal.
fn random_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}
