//! What is pulled from Amazon ECR besides images of the destination.

/// What is pulled from a repository that is not the destination's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// A base image of the build.
    BaseImage,
    /// A database that trivy judges by.
    Database,
}
