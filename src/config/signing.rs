//! By what the image is signed.

use super::reader::Reader;
use super::{Publish, RequestedDestination};
use crate::beneath;
use crate::environment::Environment;
use crate::inputs::{self, Document, Input, Sign};
use crate::sigstore::Instance;
use crate::variables;

/// The most that is read of a signing configuration or a trusted root, in bytes.
const MAX_DOCUMENT: u64 = 1 << 20;

/// Whether the image is signed, and by what.
#[derive(Clone, Debug)]
pub(crate) enum Signing {
    /// It is not, for this reason.
    No(String),
    /// By a certificate of this instance for the run's OIDC token.
    Keyless(Box<Instance>),
}

impl Signing {
    /// Whether anything is signed.
    #[must_use]
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self, Self::No(_))
    }
}

/// What is wrong is among the reader's problems.
pub(super) struct Noted;

impl Reader<'_> {
    /// By what the image is signed, as far as that is known before the network is used.
    pub(super) fn signing(
        &mut self,
        environment: Option<Environment>,
        publish: Option<&Publish>,
        destination: Option<&RequestedDestination>,
    ) -> Option<Signing> {
        let asked = self.get(&inputs::SIGN);
        let private = self.private_instance();
        let (asked, private) = (asked?, private.ok()?);
        let no = |why: &str| Some(Signing::No(why.to_owned()));
        if asked == Sign::Off {
            return no("sign is off");
        }
        if let Publish::No(why) = publish? {
            return Some(Signing::No(why.clone()));
        }
        if !destination?.is_a_registry() {
            return no("the image goes to a folder");
        }
        let may_ask = (self.env.variable)(variables::ACTIONS_ID_TOKEN_REQUEST_URL).is_some_and(|url| !url.is_empty());
        let public = self.env.event.is_some_and(|event| event.public);
        let environment = environment?;
        match asked {
            Sign::Auto if !environment.is_blocking() => {
                Some(Signing::No(format!("{environment} asks for no signature; sign: keyless does")))
            }
            Sign::Auto if !may_ask => no("the job has no id-token: write, so there is nobody to sign"),
            Sign::Auto | Sign::Keyless if private.is_some() => private.map(|instance| Signing::Keyless(Box::new(instance))),
            Sign::Auto if !public => {
                no("the repository is not public, and what is signed by sigstore.dev can be read by anyone for good: a private \
                 Sigstore, or sign: github or keyless, signs it all the same")
            }
            Sign::Auto | Sign::Keyless => self.known(Instance::public_good()),
            Sign::GitHub => self.known(Instance::github()),
            Sign::Off => None,
        }
    }

    /// An instance that is known to this program, which may be older than the instance's keys.
    fn known(&mut self, instance: Result<Instance, crate::sigstore::InvalidInstance>) -> Option<Signing> {
        match instance {
            Ok(instance) => Some(Signing::Keyless(Box::new(instance))),
            Err(error) => {
                let expected = format!("this version of gp-deliver does not know the instance's keys any more ({error})");
                self.problem(&inputs::SIGN, "", expected);
                None
            }
        }
    }

    /// The private instance that the inputs name: one of the two documents is nothing without the other.
    pub(super) fn private_instance(&mut self) -> Result<Option<Instance>, Noted> {
        let file = match self.get(&inputs::SIGSTORE_TRUSTED_ROOT) {
            Some(Some(Document::File(path))) => Some(path),
            _ => None,
        };
        let configuration = self.document(&inputs::SIGSTORE_SIGNING_CONFIG);
        let root = self.document(&inputs::SIGSTORE_TRUSTED_ROOT);
        match (configuration?, root?) {
            (None, None) => Ok(None),
            (Some(configuration), Some(root)) => match Instance::private(&configuration, &root) {
                Ok(instance) => Ok(Some(instance.with_root_file(file))),
                Err(error) => {
                    let input =
                        if error.is_of_root() { &*inputs::SIGSTORE_TRUSTED_ROOT } else { &*inputs::SIGSTORE_SIGNING_CONFIG };
                    self.problem(input, "", format!("a document of Sigstore's is expected ({error})"));
                    Err(Noted)
                }
            },
            (Some(_), None) => {
                self.problem(&inputs::SIGSTORE_TRUSTED_ROOT, "", "sigstore-signing-config is given, which is nothing without it");
                Err(Noted)
            }
            (None, Some(_)) => {
                self.problem(&inputs::SIGSTORE_SIGNING_CONFIG, "", "sigstore-trusted-root is given, which is nothing without it");
                Err(Noted)
            }
        }
    }

    /// The text of a document.
    fn document(&mut self, input: &Input<Option<Document>>) -> Result<Option<String>, Noted> {
        let path = match self.get(input).ok_or(Noted)? {
            None => return Ok(None),
            Some(Document::Text(text)) => return Ok(Some(text)),
            Some(Document::File(path)) => path,
        };
        let read = beneath::read(&path, MAX_DOCUMENT).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
        if read.is_none() {
            self.problem(input, path.display().to_string(), "JSON, or a file with JSON that can be read, is expected");
        }
        read.map(Some).ok_or(Noted)
    }
}
