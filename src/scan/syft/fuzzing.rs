//! What syft says, as bytes.

use super::{Spdx, packages};
use crate::document;
use crate::scan::packages::Packages;

/// The packages of an SBOM.
///
/// # Errors
/// It is refused.
pub(crate) fn read(spdx: &[u8]) -> Result<Packages, document::Error> {
    document::stream::<Spdx>(spdx).map(packages)
}
