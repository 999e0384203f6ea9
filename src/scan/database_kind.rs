//! The kinds of databases that trivy judges by, and what its makers call their parts.

/// A database of trivy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The advisories (`trivy-db`).
    Vulnerabilities,
    /// The index of jars by their checksums (`trivy-java-db`).
    Java,
}

impl Kind {
    /// The version of the schema, which is its tag too.
    #[must_use]
    pub(crate) fn schema(self) -> u32 {
        match self {
            Self::Vulnerabilities => 2,
            Self::Java => 1,
        }
    }

    /// What it is called in reports.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vulnerabilities => "vulnerability database",
            Self::Java => "Java database",
        }
    }

    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Vulnerabilities => "trivy.db",
            Self::Java => "trivy-java.db",
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Vulnerabilities => "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip",
            Self::Java => "application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip",
        }
    }

    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Vulnerabilities => "trivy-db",
            Self::Java => "trivy-java-db",
        }
    }
}
