//! The repositories of a registry of Amazon ECR, with their main settings.

use std::fmt;

use serde::Serialize;

use super::state::{said_of_encryption, said_of_scan, said_of_tags};
use crate::aws::ecr::{Repository, Settings};
use crate::error::Error;
use crate::text;

/// All of them, by name.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Repositories {
    repositories: Vec<Line>,
}

/// A repository, and what it is set to, in words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    name: String,
    scan_on_push: String,
    tags: String,
    encryption: String,
}

impl Repositories {
    /// Reads them by way of any repository of the registry, which need not be there.
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(super) async fn read(of: &Repository) -> Result<Self, Error> {
        let mut repositories: Vec<_> = of.all_of_registry().await?.iter().map(Line::of).collect();
        repositories.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { repositories })
    }
}

impl Line {
    fn of((name, settings): &(String, Settings)) -> Self {
        Self {
            name: name.clone(),
            scan_on_push: said_of_scan(settings.scan_on_push),
            tags: said_of_tags(&settings.mutability),
            encryption: said_of_encryption(&settings.encryption),
        }
    }
}

impl fmt::Display for Repositories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { name, scan_on_push, tags, encryption } in &self.repositories {
            writeln!(f, "{}\n  scans {scan_on_push}; tags: {tags}; {encryption}", text::words(name))?;
        }
        writeln!(f, "Repositories in the registry: {}.", self.repositories.len())
    }
}
