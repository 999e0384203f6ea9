//! By what Sigstore that which others have signed is checked, where nothing is signed.

use super::Publish;
use super::reader::Reader;
use super::signing::Signing;
use crate::inputs::{self, Sign};
use crate::sigstore::Instance;

impl Reader<'_> {
    /// The instance by which a run that publishes nothing reads what its deliveries have signed: the one that they sign by.
    /// Absent where they sign nothing, or where it is not known.
    pub(super) fn read_by(&mut self, signing: Option<&Signing>, publish: Option<&Publish>) -> Option<Box<Instance>> {
        match signing? {
            Signing::Keyless(instance) => return Some(instance.clone()),
            Signing::No(_) if matches!(publish?, Publish::No(_)) => {}
            // Keys are asked for at AWS, where a run that publishes nothing signs in at no account.
            Signing::No(_) | Signing::Key(_) => return None,
        }
        let public = self.env.event.is_some_and(|event| event.public);
        let private = self.private_instance().ok()?;
        let known = match self.get(&inputs::SIGN)? {
            Sign::Off | Sign::Kms => return None,
            Sign::GitHub => Instance::github(),
            Sign::Auto | Sign::Keyless if private.is_some() => return private.map(Box::new),
            Sign::Auto if !public => return None,
            Sign::Auto | Sign::Keyless => Instance::public_good(),
        };
        known.ok().map(Box::new)
    }
}
