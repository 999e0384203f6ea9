//! A statement: what it is about, and what it says of that.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::predicate::Predicate;
use super::written::Written;
use crate::document;
use crate::oci::Digest;
use crate::text;

/// The version of statements that is written, and the only one that is read.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// An in-toto statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// What it is about; never empty in one that was read.
    pub(crate) subjects: Vec<Subject>,
    /// What it says.
    pub(crate) predicate: Predicate,
}

/// What a statement is about. It is known by its digest alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// What it was called: an image's repository without a tag. No more than a word for people; absent where none was given.
    pub(crate) name: Option<String>,
    /// The digest of the manifest or index.
    pub(crate) digest: Digest,
}

/// A statement as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    #[serde(rename = "_type")]
    version: String,
    subject: Vec<ReadSubject>,
    predicate_type: String,
    /// Read from the bytes.
    #[serde(default, rename = "predicate")]
    _predicate: Option<IgnoredAny>,
}

/// A resource (in-toto, `resource_descriptor.md`).
#[derive(Deserialize)]
struct ReadSubject {
    #[serde(default)]
    name: Option<String>,
    digest: BTreeMap<String, String>,
}

/// What comes before the predicate.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(rename = "_type")]
    version: &'static str,
    subject: Vec<WrittenSubject<'a>>,
    predicate_type: &'a str,
}

#[derive(Serialize)]
struct WrittenSubject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    digest: BTreeMap<&'static str, String>,
}

impl Statement {
    /// The statement as it is signed. It is in memory as a whole, beside what it was made of.
    ///
    /// # Errors
    /// It can't be written, which can't happen to one of the forms here.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let subject = self.subjects.iter().map(|subject| WrittenSubject {
            name: subject.name.as_deref(),
            digest: BTreeMap::from([("sha256", subject.digest.hex())]),
        });
        let head = Head { version: STATEMENT, subject: subject.collect(), predicate_type: self.predicate.uri() };
        let head = serde_json::to_string(&head).map_err(|error| Error::Unwritable(error.to_string()))?;
        let head = head.strip_suffix('}').unwrap_or_default();
        let predicate = self.predicate.document()?;
        let mut bytes = Vec::with_capacity(head.len() + predicate.bytes().len() + 16);
        for part in [head.as_bytes(), b",\"predicate\":", predicate.bytes(), b"}"] {
            bytes.extend_from_slice(part);
        }
        Ok(bytes)
    }

    /// Reads a statement, whoever wrote it. The predicate of an SBOM shares these bytes.
    ///
    /// # Errors
    /// It has two readings, is of another version, or does not say by one digest each what it is about; or what it says is not
    /// of the form of its type.
    pub(crate) fn read(bytes: &Bytes) -> Result<Self, Error> {
        let statement: Read = document::read_shared(bytes).map_err(Error::Document)?;
        if statement.version != STATEMENT {
            return Err(Error::Version(text::words(&statement.version)));
        }
        let subjects: Vec<_> = statement.subject.into_iter().map(Subject::try_from).collect::<Result<_, _>>()?;
        if subjects.is_empty() {
            return Err(Error::NoSubject);
        }
        let predicate = document::member(bytes, "predicate").filter(|predicate| *predicate != b"null");
        // One that is not there is an empty one (`statement.md`, "predicate").
        let predicate = predicate.map_or(Ok(Written::empty()), |predicate| Written::part(bytes.slice_ref(predicate)))?;
        Ok(Self { subjects, predicate: Predicate::read(&statement.predicate_type, predicate)? })
    }

    /// Whether it is about this image.
    #[must_use]
    pub(crate) fn is_about(&self, digest: Digest) -> bool {
        self.subjects.iter().any(|subject| subject.digest == digest)
    }
}

impl TryFrom<ReadSubject> for Subject {
    type Error = Error;

    fn try_from(subject: ReadSubject) -> Result<Self, Error> {
        let named = |what: &str| Error::SubjectDigest(text::words(what));
        let mut digests = subject.digest.into_iter();
        match (digests.next(), digests.next()) {
            (Some((algorithm, value)), None) if algorithm == "sha256" => {
                let digest = format!("sha256:{value}").parse().map_err(|_| named("something else under sha256"))?;
                Ok(Self { name: subject.name, digest })
            }
            (None, _) => Err(named("no digest")),
            (Some((algorithm, _)), None) => Err(named(&algorithm)),
            (Some(_), Some(_)) => Err(named("several digests")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::PredicateType;
    use super::*;

    fn read(text: &str) -> Result<Statement, Error> {
        Statement::read(&Bytes::copy_from_slice(text.as_bytes()))
    }

    fn digest() -> Digest {
        Digest::of(b"image")
    }

    fn statement(predicate: Predicate) -> Statement {
        Statement { subjects: vec![Subject { name: Some("registry.example/team/app".to_owned()), digest: digest() }], predicate }
    }

    #[test]
    fn a_signature_is_what_cosign_writes() {
        let hex = digest().hex();
        let written = String::from_utf8(statement(Predicate::Signature).to_bytes().unwrap()).unwrap();
        let expected = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"registry.example/team/app","digest":{{"sha256":"{hex}"}}}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{{}}}}"#
        );
        assert_eq!(written, expected);
        assert_eq!(read(&written).unwrap(), statement(Predicate::Signature));
        // cosign 3's own has annotations, and neither a name nor a predicate has to be there.
        let theirs = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{hex}"}},"annotations":{{"a":"b"}}}}],"predicateType":"https://sigstore.dev/cosign/sign/v1"}}"#
        );
        let theirs = read(&theirs).unwrap();
        assert!(theirs.is_about(digest()) && !theirs.is_about(Digest::of(b"other")));
        assert_eq!((theirs.subjects[0].name.as_deref(), &theirs.predicate), (None, &Predicate::Signature));
    }

    #[test]
    fn an_sbom_is_embedded_and_comes_out_byte_for_byte() {
        let file = "{\n \"spdxVersion\" : \"SPDX-2.3\", \"SPDXID\": \"SPDXRef-DOCUMENT\",\n \"packages\":[ {\"name\":\"\\u00e4 }\",\"size\":1.50} ]}\n";
        let sbom = Predicate::sbom(PredicateType::Spdx, Bytes::from_static(file.as_bytes())).unwrap();
        let written = Bytes::from(statement(sbom).to_bytes().unwrap());
        serde_json::from_slice::<serde_json::Value>(&written).unwrap();
        let Predicate::Spdx(read) = Statement::read(&written).unwrap().predicate else { panic!("no SBOM") };
        assert_eq!(read.bytes(), file.trim_end());
        // It shares the statement's bytes.
        assert!(written.as_ptr_range().contains(&read.bytes().as_ptr()));
    }

    #[test]
    fn a_statement_that_is_not_known_is_kept_as_it_is() {
        let predicate = Written::read(Bytes::from_static(br#"{"a": [1]}"#)).unwrap();
        let other = statement(Predicate::Other { uri: "https://example.com/other/v1".to_owned(), predicate });
        assert_eq!(read(&String::from_utf8(other.to_bytes().unwrap()).unwrap()).unwrap(), other);
    }

    #[test]
    fn what_has_two_readings_or_does_not_say_what_it_is_about_is_refused() {
        let text = String::from_utf8(statement(Predicate::Signature).to_bytes().unwrap()).unwrap();
        let (hex, other) = (digest().hex(), Digest::of(b"other").hex());
        let subject = format!(r#"[{{"name":"registry.example/team/app","digest":{{"sha256":"{hex}"}}}}]"#);
        for (from, to) in [
            ("Statement/v1", "Statement/v0.1"),
            ("Statement/v1", "Statement/V1"),
            ("\"_type\"", "\"type\""),
            ("{\"_type\"", "{\"_type\":\"https://in-toto.io/Statement/v1\",\"_type\""),
            ("{\"_type\"", "{\"_Type\":\"https://in-toto.io/Statement/v0.1\",\"_type\""),
            ("\"predicate\":{}", "\"predicate\":{},\"predicate\":{}"),
            ("\"predicate\":{}", "\"predicate\":{\"a\":1,\"A\":2}"),
            ("\"predicate\":{}", "\"predicate\":{\"a\":9007199254740993}"),
            ("\"predicate\":{}", "\"predicate\":[]"),
            ("\"predicate\":{}", "\"predicate\":\"{}\""),
            ("\"predicateType\":", "\"PredicateType\":\"https://gp-deliver.dev/verdict/v1\",\"predicateType\":"),
            (&*subject, "[]"),
            (&subject, "{}"),
            (&subject, "[{\"name\":\"a\"}]"),
            (&subject, "[{\"digest\":{}}]"),
            (&format!("\"sha256\":\"{hex}\""), &format!("\"sha256\":\"{hex}\",\"sha512\":\"{hex}\"")),
            (&format!("\"sha256\":\"{hex}\""), &format!("\"sha256\":\"{hex}\",\"sha256\":\"{other}\"")),
            (&format!("\"sha256\":\"{hex}\""), &format!("\"SHA256\":\"{hex}\"")),
            (&format!("\"sha256\":\"{hex}\""), &format!("\"gitCommit\":\"{hex}\"")),
            (&hex, &hex.to_uppercase()),
            (&hex, &hex[1..]),
            (&hex, ""),
        ] {
            let spoilt = text.replacen(from, to, 1);
            assert_ne!(spoilt, text, "{from}");
            assert!(read(&spoilt).is_err(), "{spoilt}");
        }
        for spoilt in
            [format!("{text} {text}"), format!("\u{feff}{text}"), format!("[{text}]"), text[..text.len() - 1].to_owned()]
        {
            assert!(read(&spoilt).is_err(), "{spoilt}");
        }
        assert!(read(&text).is_ok());
    }
}
