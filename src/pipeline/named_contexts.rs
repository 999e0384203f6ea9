//! Named contexts of a build, opened: what they are stands fast before the builder is asked for anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Delivery;
use super::place::Place;
use crate::buildkit::Error as BuildError;
use crate::buildkit::builder::Builder;
use crate::buildkit::contexts::{Contexts, Given, Name, Origin};
use crate::buildkit::session::context::Directory;
use crate::buildkit::session::layouts::LayoutFolder;
use crate::config::Build;
use crate::dockerfile::Frontend;
use crate::error::Error;
use crate::source::{Definition, Grounds, Location, NamedFolder};

/// The named contexts of a build.
pub(super) struct NamedContexts {
    /// What the builder is told of each.
    pub(super) given: Contexts,
    /// The layouts among them, by the names that the builder knows them by.
    pub(super) layouts: BTreeMap<String, LayoutFolder>,
}

impl NamedContexts {
    /// Opens those of a delivery.
    ///
    /// # Errors
    /// A layout is not one, or does not have the image.
    pub(super) fn open(delivery: &Delivery) -> Result<Self, Error> {
        let config = &delivery.config;
        let workspace = delivery.event.as_ref().and_then(|event| event.workspace.as_deref());
        let grounds = Grounds::of(&config.context, workspace);
        let mut opened = Self { given: Contexts::new(), layouts: BTreeMap::new() };
        for context in &config.build.contexts {
            let name = context.name.clone();
            let given = match &context.origin {
                Origin::Folder(_) => Given::Folder,
                Origin::Image(reference) => Given::Image(reference.clone()),
                Origin::Layout { folder, tag, digest } => {
                    let layout = LayoutFolder::within(Location::of(folder, &grounds).folder()?, folder);
                    let digest = layout.resolve(tag.as_ref(), *digest).map_err(BuildError::from)?;
                    opened.layouts.insert(name.layout(), layout);
                    Given::Layout(digest)
                }
            };
            opened.given.insert(name, given);
        }
        Ok(opened)
    }

    /// The folders among them, by the names that the builder knows them by, without the host paths `left_out`.
    ///
    /// # Errors
    /// One can't be opened any more.
    pub(super) fn folders(
        &self,
        definition: &Definition,
        place: &Place,
        left_out: &[PathBuf],
    ) -> Result<BTreeMap<String, Directory>, Error> {
        let named = self.given.iter().filter(|(_, given)| **given == Given::Folder).map(|(name, _)| name);
        let open = |name: &Name| {
            let of_name = |folder: &&NamedFolder| folder.name == name.to_string();
            let folder = definition.folders.iter().find(of_name).map(|folder| folder.location.folder()).transpose()?;
            let at = place.named.get(&name.to_string()).map_or(Path::new(""), PathBuf::as_path);
            Ok(folder.map(|folder| (name.folder(), Directory::within(folder, at, left_out.to_vec()))))
        };
        named.filter_map(|name| open(name).transpose()).collect()
    }

    /// What an image says of them: where a folder is in the source, else what was taken.
    pub(super) fn parameters(&self, places: &BTreeMap<String, PathBuf>) -> BTreeMap<String, String> {
        let said = |(name, given): (&Name, &Given)| {
            let name = name.to_string();
            let said = match given {
                Given::Folder => folder(places.get(&name).map_or(Path::new(""), PathBuf::as_path)),
                Given::Image(reference) => format!("docker-image://{reference}"),
                Given::Layout(digest) => format!("oci-layout://{digest}"),
            };
            (name, said)
        };
        self.given.iter().map(said).collect()
    }

    /// Those that nothing in the Dockerfile is called: a name that was mistyped takes an image of a registry instead.
    pub(super) fn idle(&self, build: &Build, definition: &Definition) -> Vec<String> {
        let Some(dockerfile) = &definition.parsed else { return Vec::new() };
        let arguments = build.arguments.iter().cloned().collect();
        let Ok(names) = dockerfile.names(&arguments) else { return Vec::new() };
        let is_idle = |name: &&Name| !names.iter().any(|named| name.is_named_by(named));
        self.given.keys().filter(is_idle).map(ToString::to_string).collect()
    }
}

/// A folder as an image says it.
pub(super) fn folder(place: &Path) -> String {
    if place.as_os_str().is_empty() { ".".to_owned() } else { place.to_string_lossy().into_owned() }
}

/// Refuses a builder, and a reader of Dockerfiles, that would pass over what is asked for in silence.
///
/// # Errors
/// It would.
pub(super) fn admit(build: &Build, definition: &Definition, builder: &Builder) -> Result<(), Error> {
    builder.knows(&build.options, !build.contexts.is_empty())?;
    if build.contexts.is_empty() {
        return Ok(());
    }
    let argument = build.arguments.iter().filter(|(name, _)| name == "BUILDKIT_SYNTAX");
    let argument = argument.map(|(_, value)| Frontend { line: 0, reference: value.trim().to_owned() });
    let asked = Frontend::asked_for(&definition.dockerfile).into_iter().chain(argument);
    match asked.into_iter().find(Frontend::passes_over_contexts) {
        Some(Frontend { line, reference }) => Err(BuildError::OldFrontend { reference, line }.into()),
        None => Ok(()),
    }
}
