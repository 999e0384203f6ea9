//! What is promised of a history, and what a registry gives no means to keep.

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Promise {
    /// A tag names nothing but what was cleared for it.
    Cleared,
    /// What a tag names is there, whole.
    Whole,
    /// Who ends as delivered has seen all of its fixed tags name its image, after the last of them was set and as long again
    /// as the slowest took.
    AllTags,
    /// A fixed tag names one image for good.
    OneImage,
    /// Nothing is overwritten or removed of which was known, or could have been, that it is another delivery's.
    OthersStay,
    /// Who ends otherwise has left nothing, or names it.
    NothingUnnamed,
    /// A moving tag is as it was before, where the delivery fails.
    PutBack,
    /// Where a moving tag has moved on, the report says so.
    Told,
    /// A delivery ends, and soon after it is cancelled.
    Ends,
    /// The delivery that follows makes it whole.
    Healed,
}

/// What a registry gives no means to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// One fixed tag in common, and a write that was on its way when the other delivery looked for the last time.
    OneTagInCommon,
    /// A fixed tag was taken away by the delivery that gave way, and free when the next one looked.
    Freed,
    /// A write of a delivery that had crashed, or that had named its tag.
    Late,
    /// A write that was refused for its credentials, after a long way, and was sent again with new ones.
    Renewed,
}
