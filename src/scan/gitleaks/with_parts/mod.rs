//! Tests with gitleaks and git.

mod a_secrets_scan_that_did_not_happen_is_an_error;
mod leaks_are_found;
mod repository;
mod suppressed_leaks_are_counted;
