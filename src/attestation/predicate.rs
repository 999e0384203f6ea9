//! What a statement says of its subjects.

use serde::Deserialize;

use super::error::Error;
use super::predicate_type::PredicateType;
use super::provenance::{BUILD_TYPE, Foreign, Provenance};
use super::verdict::Verdict;
use super::vulnerabilities::Vulnerabilities;
use super::written::Written;

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Predicate {
    /// Nothing more than that it is signed.
    Signature,
    /// An SBOM: [`Written::bytes`] are the file that `trivy sbom` reads.
    Spdx(Written),
    /// An SBOM: [`Written::bytes`] are the file that `trivy sbom` reads.
    CycloneDx(Written),
    /// How the image was built by gp-deliver.
    Provenance(Box<Provenance>),
    /// How something else says that the image was built: another `buildType` than gp-deliver's.
    OtherProvenance {
        /// Its `builder.id`.
        builder: String,
        /// Its `buildType`.
        build_type: String,
        /// All that it says.
        provenance: Written,
    },
    /// What trivy found.
    Vulnerabilities(Box<Vulnerabilities>),
    /// What was decided.
    Verdict(Box<Verdict>),
    /// Something that gp-deliver does not know.
    Other {
        /// Its type.
        uri: String,
        /// What it says.
        predicate: Written,
    },
}

/// SPDX 2.3, "Document Creation Information".
#[derive(Deserialize)]
struct Spdx {
    #[serde(rename = "spdxVersion")]
    version: String,
    #[serde(rename = "SPDXID")]
    id: String,
}

/// `CycloneDX` 1.6, the BOM's own fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CycloneDx {
    bom_format: String,
    spec_version: String,
}

impl Predicate {
    /// An SBOM of either format, as the file has it.
    ///
    /// # Errors
    /// It has two readings, or it is no document of this format.
    pub(crate) fn sbom(format: PredicateType, file: bytes::Bytes) -> Result<Self, Error> {
        let file = Written::read(file)?;
        match format {
            PredicateType::Spdx | PredicateType::CycloneDx => Self::read(format.uri(), file),
            other => Err(Error::Predicate { of: other, why: "it is no SBOM".to_owned() }),
        }
    }

    /// The URI of its type.
    #[must_use]
    pub(crate) fn uri(&self) -> &str {
        match self {
            Self::Other { uri, .. } => uri,
            Self::OtherProvenance { .. } => PredicateType::Provenance.uri(),
            known => known.of_type().map_or("", PredicateType::uri),
        }
    }

    /// Its type; none for one that gp-deliver does not know.
    #[must_use]
    pub(crate) fn of_type(&self) -> Option<PredicateType> {
        Some(match self {
            Self::Signature => PredicateType::Signature,
            Self::Spdx(_) => PredicateType::Spdx,
            Self::CycloneDx(_) => PredicateType::CycloneDx,
            Self::Provenance(_) | Self::OtherProvenance { .. } => PredicateType::Provenance,
            Self::Vulnerabilities(_) => PredicateType::Vulnerabilities,
            Self::Verdict(_) => PredicateType::Verdict,
            Self::Other { .. } => return None,
        })
    }

    /// Reads what a statement of this type says. `document` was looked through.
    pub(super) fn read(uri: &str, document: Written) -> Result<Self, Error> {
        let Some(of) = PredicateType::of(uri) else { return Ok(Self::Other { uri: uri.to_owned(), predicate: document }) };
        Ok(match of {
            // What else stands there is nobody's business: the subject is what is signed.
            PredicateType::Signature => Self::Signature,
            PredicateType::Spdx => {
                let Spdx { version, id } = document.typed(of)?;
                expect(of, version.starts_with("SPDX-2.") && id == "SPDXRef-DOCUMENT")?;
                Self::Spdx(document)
            }
            PredicateType::CycloneDx => {
                let CycloneDx { bom_format, spec_version } = document.typed(of)?;
                expect(of, bom_format == "CycloneDX" && spec_version.starts_with("1."))?;
                Self::CycloneDx(document)
            }
            PredicateType::Provenance => {
                let Foreign { build_definition, run_details } = document.typed(of)?;
                if build_definition.build_type == BUILD_TYPE {
                    Self::Provenance(document.typed(of)?)
                } else {
                    let (builder, build_type) = (run_details.builder.id, build_definition.build_type);
                    Self::OtherProvenance { builder, build_type, provenance: document }
                }
            }
            PredicateType::Vulnerabilities => Self::Vulnerabilities(Box::new(Vulnerabilities::read(&document)?)),
            PredicateType::Verdict => Self::Verdict(document.typed(of)?),
        })
    }

    /// The document of it.
    pub(super) fn document(&self) -> Result<Written, Error> {
        match self {
            Self::Signature => Ok(Written::empty()),
            Self::Spdx(document)
            | Self::CycloneDx(document)
            | Self::OtherProvenance { provenance: document, .. }
            | Self::Other { predicate: document, .. } => Ok(document.clone()),
            Self::Provenance(provenance) => Written::of(provenance),
            Self::Vulnerabilities(report) => report.document(),
            Self::Verdict(verdict) => Written::of(verdict),
        }
    }
}

fn expect(of: PredicateType, holds: bool) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Predicate { of, why: "it is a document of another format or version".to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sbom_is_of_the_format_that_it_is_said_to_be() {
        let spdx = br#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","packages":[]}"#;
        let cyclone_dx = br#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1}"#;
        let sbom = |format, text: &'static [u8]| Predicate::sbom(format, text.into());
        assert!(matches!(sbom(PredicateType::Spdx, spdx), Ok(Predicate::Spdx(file)) if &file.bytes()[..] == spdx));
        assert!(
            matches!(sbom(PredicateType::CycloneDx, cyclone_dx), Ok(Predicate::CycloneDx(file)) if &file.bytes()[..] == cyclone_dx)
        );
        for (format, text) in [
            (PredicateType::CycloneDx, &spdx[..]),
            (PredicateType::Spdx, cyclone_dx),
            (PredicateType::Verdict, spdx),
            (PredicateType::Spdx, br#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","a":1,"a":2}"#),
            (PredicateType::Spdx, br#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT"} {}"#),
            (PredicateType::Spdx, br#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT""#),
            (PredicateType::Spdx, br#"["SPDX-2.3","SPDXRef-DOCUMENT"]"#),
            (PredicateType::CycloneDx, br#"{"bomFormat":"CycloneDX","specVersion":"2.0"}"#),
        ] {
            assert!(sbom(format, text).is_err(), "{format}: {}", String::from_utf8_lossy(text));
        }
    }
}
