//! Where an image goes.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::oci::Reference;
use crate::oci::reference::Repository;

/// Where an image goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// An image layout folder: `oci:PATH`.
    Layout(PathBuf),
    /// A repository: `HOST[:PORT]/NAME`.
    Registry(Repository),
}

/// The text names no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a destination: {reason}")]
pub(crate) struct InvalidDestination {
    /// What was given.
    pub(crate) text: String,
    /// What is wrong with it.
    pub(crate) reason: &'static str,
    /// What was probably meant.
    pub(crate) suggestion: Option<String>,
}

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason, suggestion| InvalidDestination { text: text.to_owned(), reason, suggestion };
        if let Some((scheme, rest)) = text.split_once("://") {
            let suggestion =
                if scheme.starts_with("oci") { format!("oci:{rest}") } else { rest.trim_end_matches('/').to_owned() };
            return Err(invalid("a destination has no scheme", Some(suggestion)));
        }
        if let Some(path) = text.strip_prefix("oci:") {
            return layout(path).map_err(|(reason, suggestion)| invalid(reason, suggestion));
        }
        if text.starts_with(['.', '/', '~']) {
            return Err(invalid("a folder is written with oci: before it", Some(format!("oci:{text}"))));
        }
        match text.parse::<Reference>() {
            Ok(Reference { repository, tag: None, digest: None }) => Ok(Self::Registry(repository)),
            Ok(reference) => {
                let reason = "a destination has no tag or digest: the input \"tags\" says which tags are set";
                Err(invalid(reason, Some(reference.repository.to_string())))
            }
            Err(error) => Err(invalid(error.reason, None)),
        }
    }
}

fn layout(path: &str) -> Result<Destination, (&'static str, Option<String>)> {
    if path.is_empty() || path.contains('\0') {
        return Err(("the folder is missing", Some("oci:PATH".to_owned())));
    }
    // skopeo's `oci:PATH:TAG`: taken as a path it would make a folder that nobody looks into.
    match path.rsplit_once(':') {
        Some((folder, tag)) if !tag.contains('/') => {
            let reason = "a destination has no tag: the input \"tags\" says which tags are set";
            Err((reason, Some(format!("oci:{folder}"))))
        }
        _ => Ok(Destination::Layout(path.into())),
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout(path) => write!(f, "oci:{}", path.display()),
            Self::Registry(repository) => repository.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_folder_and_a_repository_are_destinations() {
        assert_eq!("oci:out/image".parse(), Ok(Destination::Layout("out/image".into())));
        let repository = "localhost:5000/team/app".parse().unwrap();
        assert_eq!("localhost:5000/team/app".parse(), Ok(Destination::Registry(repository)));
    }

    #[test]
    fn what_was_probably_meant_is_suggested_and_is_a_destination() {
        for (text, suggestion) in [
            ("https://r.example/app", "r.example/app"),
            ("docker://r.example/app/", "r.example/app"),
            ("oci://out", "oci:out"),
            ("oci:out:v1", "oci:out"),
            ("r.example/app:v1", "r.example/app"),
            ("./out", "oci:./out"),
            ("/srv/out", "oci:/srv/out"),
        ] {
            let error = text.parse::<Destination>().unwrap_err();
            assert_eq!(error.suggestion.as_deref(), Some(suggestion), "{error}");
            assert!(suggestion.parse::<Destination>().is_ok(), "{suggestion}");
        }
    }

    #[test]
    fn what_is_no_destination_is_refused() {
        for text in ["", "oci:", "app", "team/app", "r.example/App"] {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_destination_reads_back_as_it_was_written(text in "(oci:)?.*") {
            if let Ok(destination) = text.parse::<Destination>() {
                prop_assert_eq!(destination.to_string().parse(), Ok(destination));
            }
        }
    }
}
