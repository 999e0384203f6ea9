//! Sigstore: statements are signed so that anyone can check who did it, and what others have signed is checked.
//!
//! A signer has a key for one delivery, and a certificate for it that names the workflow run (Fulcio). Each statement
//! (in-toto, in a DSSE envelope) is signed by that key, written into a log that anyone can read (Rekor), and given a time by
//! somebody else (RFC 3161). All of it together is a bundle (Sigstore bundle specification, version 0.3), which is checked
//! here as anyone else would check it before anybody sees it.
//!
//! Whoever has a key of their own needs none of that: the key signs, and a bundle has its name in place of a certificate, and
//! a time where somebody says one.
//!
//! Whose words count is not decided here: a bundle that holds says who has signed, and no more.

mod bundle;
mod certificate;
mod envelope;
mod error;
mod identity;
mod instance;
mod key;
mod key_signer;
mod log;
mod public_key;
mod root;
mod service;
mod service_name;
mod signed_by;
mod signer;
mod timestamp;
mod timestamp_authority;
mod verifier;
#[cfg(test)]
mod with_parts;

pub(crate) use bundle::{Bundle, MEDIA_TYPE};
pub(crate) use error::{Error, InvalidInstance};
pub(crate) use identity::Identity;
pub(crate) use instance::{Instance, Owner};
pub(crate) use key_signer::KeySigner;
pub(crate) use public_key::{InvalidKey, PublicKey};
pub(crate) use root::Root;
pub(crate) use service_name::ServiceName;
pub(crate) use signed_by::SignedBy;
pub(crate) use signer::Signer;
pub(crate) use timestamp_authority::TimestampAuthority;
pub(crate) use verifier::{Attested, Verifier};
