//! Tests with a registry and crane.

mod faults;
mod registry;
