//! The kinds of statements, and how readers know them.

use std::fmt;

/// A kind of statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PredicateType {
    /// That whoever signed stands for the image: what cosign writes for `cosign sign`.
    Signature,
    /// What is in the image, as SPDX (cosign's `spdxjson`).
    Spdx,
    /// What is in the image, as `CycloneDX` (cosign's `cyclonedx`).
    CycloneDx,
    /// How the image was built, as SLSA has it (cosign's `slsaprovenance1`).
    Provenance,
    /// What a scanner found in the image (cosign's `vuln`).
    Vulnerabilities,
    /// What gp-deliver decided about the image.
    Verdict,
}

impl PredicateType {
    /// All.
    pub(crate) const ALL: [Self; 6] =
        [Self::Signature, Self::Spdx, Self::CycloneDx, Self::Provenance, Self::Vulnerabilities, Self::Verdict];

    /// The URI by which readers know it. That of the verdict is this project's own, and a change of the verdict's form that a
    /// reader could notice changes it.
    #[must_use]
    pub(crate) fn uri(self) -> &'static str {
        match self {
            Self::Signature => "https://sigstore.dev/cosign/sign/v1",
            Self::Spdx => "https://spdx.dev/Document",
            Self::CycloneDx => "https://cyclonedx.org/bom",
            Self::Provenance => "https://slsa.dev/provenance/v1",
            Self::Vulnerabilities => "https://cosign.sigstore.dev/attestation/vuln/v1",
            Self::Verdict => "https://gp-deliver.dev/verdict/v1",
        }
    }

    /// The type of this URI, which is compared to the letter.
    #[must_use]
    pub(crate) fn of(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.uri() == uri)
    }

    /// What it is called in messages.
    #[must_use]
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Spdx => "SPDX document",
            Self::CycloneDx => "CycloneDX document",
            Self::Provenance => "provenance",
            Self::Vulnerabilities => "vulnerability report",
            Self::Verdict => "verdict",
        }
    }
}

impl fmt::Display for PredicateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_uri_which_is_compared_to_the_letter() {
        for one in PredicateType::ALL {
            assert_eq!(PredicateType::of(one.uri()), Some(one));
            for other in [one.uri().to_uppercase(), format!("{}/", one.uri()), one.uri().replace("https", "http")] {
                assert_eq!(PredicateType::of(&other), None, "{other}");
            }
        }
    }
}
