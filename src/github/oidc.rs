//! The token by which a workflow run proves who it is (GitHub docs, "OpenID Connect reference").

mod claims;

pub use claims::Claims;
