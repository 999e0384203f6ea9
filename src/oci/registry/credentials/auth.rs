//! What is shown to a registry.

use std::fmt;
use std::path::PathBuf;

use super::password::CachedPassword;
use crate::secret::Secret;

/// What is shown to a registry.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// The password or token.
    pub(crate) auth: Auth,
    /// The file, variable or helper that gave it.
    pub(crate) origin: Origin,
}

/// What a registry takes as proof of identity.
#[derive(Clone, Debug)]
pub(crate) enum Auth {
    /// Nothing.
    Anonymous,
    /// A name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token that a token server exchanges (distribution, "`OAuth2` token authentication").
    IdentityToken(Secret),
    /// A password that expires, and its issuer.
    Issued(CachedPassword),
}

/// Where credentials came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// There are none for this registry in this file, which may not exist.
    Nowhere(Option<PathBuf>),
    /// The file.
    File(PathBuf),
    /// The program that the file names.
    Helper {
        /// `docker-credential-NAME`.
        program: String,
        /// The file.
        config: PathBuf,
    },
    /// The delivery itself obtained them.
    Given,
}

impl Credentials {
    /// No credentials.
    #[must_use]
    pub(crate) fn anonymous() -> Self {
        Self { auth: Auth::Anonymous, origin: Origin::Nowhere(None) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere(_) => f.write_str("nowhere"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Helper { program, config } => write!(f, "{program}, named in {}", config.display()),
            Self::Given => f.write_str("this delivery"),
        }
    }
}
