//! The repositories of a registry of Amazon ECR, with their main settings.

use std::fmt;

use serde::Serialize;

use super::state::{said_of_encryption, said_of_scan, said_of_tags};
use super::table;
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
        let mut repositories: Vec<_> = of.all_of_registry().await?.into_iter().map(Line::of).collect();
        repositories.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { repositories })
    }
}

impl Line {
    fn of((name, settings): (String, Result<Settings, &'static str>)) -> Self {
        match settings {
            Ok(settings) => Self {
                name,
                scan_on_push: said_of_scan(settings.scan_on_push),
                tags: said_of_tags(&settings.mutability),
                encryption: said_of_encryption(&settings.encryption),
            },
            Err(missing) => {
                let unknown = || format!("not known: AWS does not name {missing}");
                Self { name, scan_on_push: unknown(), tags: unknown(), encryption: unknown() }
            }
        }
    }
}

impl fmt::Display for Repositories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["NAME", "SCAN ON PUSH", "ENCRYPTION", "TAGS"].map(str::to_owned);
        let line =
            |one: &Line| [text::words(&one.name).to_string(), one.scan_on_push.clone(), one.encryption.clone(), one.tags.clone()];
        table::columns(f, &[head].into_iter().chain(self.repositories.iter().map(line)).collect::<Vec<_>>())?;
        writeln!(f, "\nRepositories in the registry: {}.", self.repositories.len())
    }
}
