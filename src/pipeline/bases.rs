//! Where the layers of the image may be already.

use crate::config::Build;
use crate::dockerfile::{Base, Dockerfile};
use crate::oci::Reference;
use crate::oci::reference::Repository;

/// The repositories of the base images: where the destination's registry has them, their layers need not be sent.
pub(super) fn repositories(build: &Build, dockerfile: Option<&Dockerfile>) -> Vec<Repository> {
    let arguments = build.arguments.iter().cloned().collect();
    let bases = dockerfile.and_then(|dockerfile| dockerfile.bases(&arguments).ok());
    let bases = bases.into_iter().flatten().filter_map(|base| match base {
        Base::Image(name) => name.parse::<Reference>().ok(),
        Base::Stage(_) => None,
    });
    bases.map(|reference| reference.repository).collect()
}
