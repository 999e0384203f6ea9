//! Tests with a registry and crane.

mod cancel;
mod faults;
mod race;
mod registry;
