//! What has to be there before a tag can be seen.

use crate::publish::{BeforeTags, Listed, Ready, Shown, Uploaded};

/// The list, an entry a thing that a reader of a tag relies on besides the content. Each is a value that its stage alone
/// gives; a new one (a signature by the content's digest) is a stage here, a field of [`BeforeTags`], and nothing else.
pub(super) fn complete(uploaded: Uploaded, listed: Listed, shown: Shown) -> Ready {
    uploaded.ready(&BeforeTags {
        // What is in the image: its SBOM is written.
        listed,
        // What was found: the team has it in the Security tab.
        shown,
    })
}
