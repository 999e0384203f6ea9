//! The services of an instance.

use std::fmt;

/// What a service is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceName {
    /// It certifies whose key it is.
    CertificateAuthority,
    /// It has all that was signed, for anyone to read.
    Log,
    /// It says when it was.
    TimestampAuthority,
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateAuthority => "certificate authority (Fulcio)",
            Self::Log => "transparency log (Rekor)",
            Self::TimestampAuthority => "timestamp authority",
        })
    }
}
