//! BuildKit's own protocol: what it asks of its client during a build.

pub mod expression;
pub mod glob;
pub mod ignore;
