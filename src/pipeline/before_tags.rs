//! What has to be there before a tag can be seen.

use crate::publish::{BeforeTags, Listed, Ready, Scanned, Shown, Signed, Uploaded};

/// The list, an entry a thing that a reader of a tag relies on besides the content. Each is a value that its stage alone
/// gives; a new one is a stage here, a field of [`BeforeTags`], and nothing else.
pub(super) fn complete(uploaded: Uploaded, listed: Listed, shown: Shown, scanned: Scanned, signed: Signed) -> Ready {
    uploaded.ready(&BeforeTags {
        // What is in the image: its SBOM is written.
        listed,
        // What was found: the team has it in the Security tab.
        shown,
        // What the registry itself found: it lets the image pass, where that is asked.
        scanned,
        // Who delivered it, what is in it and what was decided: signed, and listed as the image's referrers.
        signed,
    })
}
