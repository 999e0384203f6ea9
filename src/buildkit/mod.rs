//! BuildKit's own protocol: what it asks of its client during a build.

pub mod attachables;
pub mod context;
pub mod expression;
pub mod filter;
pub mod follow;
pub mod glob;
pub mod ignore;
pub mod mode;
pub mod root;
pub mod walk;
