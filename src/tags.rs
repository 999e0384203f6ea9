//! The tags that an image gets.

use crate::oci::Tag;

/// A tag to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTag {
    /// The tag.
    pub tag: Tag,
    /// Whether it names another image after each delivery (`latest`): such tags are set last.
    pub moving: bool,
}
