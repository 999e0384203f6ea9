//! Sigstore: statements are signed so that anyone can check who did it, and what others have signed is checked.
//!
//! A signer has a key for one delivery, and a certificate for it that names the workflow run (Fulcio). Each statement
//! (in-toto, in a DSSE envelope) is signed by that key, written into a log that anyone can read (Rekor), and given a time by
//! somebody else (RFC 3161). All of it together is a bundle (Sigstore bundle specification, version 0.3), which is checked
//! here as anyone else would check it before anybody sees it.
//!
//! Whose words count is not decided here: a bundle that holds says who has signed, and no more.

mod bundle;
mod certificate;
mod envelope;
mod error;
mod identity;
mod instance;
mod key;
mod log;
mod root;
mod service;
mod service_name;
mod signer;
mod timestamp;
mod verifier;
#[cfg(test)]
mod with_parts;

pub(crate) use bundle::MEDIA_TYPE;
pub(crate) use error::{Error, InvalidInstance};
pub(crate) use identity::Identity;
pub(crate) use instance::{Instance, Owner};
pub(crate) use root::Root;
pub(crate) use service_name::ServiceName;
pub(crate) use signer::{Bundle, Signer};
pub(crate) use verifier::{Attested, SignedBy, Verifier};
