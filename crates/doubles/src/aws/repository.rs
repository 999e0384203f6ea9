//! A repository of ECR, as far as its tags go.

use serde_json::{Value, json};

use super::lifecycle::Lifecycle;
use super::shelf::ShelfImage;
use super::wildcard::matches_star;

/// Whether a tag can be moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutability {
    /// All tags can be moved.
    #[default]
    Mutable,
    /// No tag can be moved.
    Immutable,
    /// Immutable but for the tags that a filter describes.
    ImmutableWithExclusion,
    /// Mutable but for the tags that a filter describes.
    MutableWithExclusion,
}

impl Mutability {
    /// ECR's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mutable => "MUTABLE",
            Self::Immutable => "IMMUTABLE",
            Self::ImmutableWithExclusion => "IMMUTABLE_WITH_EXCLUSION",
            Self::MutableWithExclusion => "MUTABLE_WITH_EXCLUSION",
        }
    }
}

/// A repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    mutability: String,
    filters: Vec<String>,
    /// What ECR's API says that is in it.
    pub images: Vec<ShelfImage>,
    pub lifecycle: Lifecycle,
}

impl Repository {
    /// Reads what ECR says of one.
    pub fn read(description: &Value) -> Self {
        let filters = description["imageTagMutabilityExclusionFilters"].as_array();
        let filters = filters.into_iter().flatten().filter_map(|filter| filter["filter"].as_str()).map(str::to_owned);
        let mutability = description["imageTagMutability"].as_str().unwrap_or("MUTABLE").into();
        Self { mutability, filters: filters.collect(), ..Self::default() }
    }

    /// The same repository, as ECR says that it is now: what is in it stays.
    pub fn changed(self, description: &Value) -> Self {
        Self { images: self.images, lifecycle: self.lifecycle, ..Self::read(description) }
    }

    /// The parameters of `CreateRepository`.
    pub fn parameters(name: &str, mutability: Mutability, filters: &[&str]) -> Value {
        let filters: Vec<Value> = filters.iter().map(|filter| json!({"filterType": "WILDCARD", "filter": filter})).collect();
        let mut parameters = json!({"repositoryName": name, "imageTagMutability": mutability.word()});
        if !filters.is_empty() {
            parameters["imageTagMutabilityExclusionFilters"] = filters.into();
        }
        parameters
    }

    /// Whether a tag, once there, stays (`PutImageTagMutability`).
    pub fn keeps(&self, tag: &str) -> bool {
        let excluded = self.filters.iter().any(|filter| matches_star(filter, tag));
        match self.mutability.as_str() {
            "IMMUTABLE" => true,
            "IMMUTABLE_WITH_EXCLUSION" => !excluded,
            "MUTABLE_WITH_EXCLUSION" => excluded,
            _ => false,
        }
    }
}
