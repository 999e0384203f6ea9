//! By what the image is signed.

use std::path::{Path, PathBuf};

use super::reader::Reader;
use super::{Publish, RequestedDestination};
use crate::aws::{self, KeyArn};
use crate::beneath;
use crate::environment::Environment;
use crate::github::Demand;
use crate::inputs::{self, Document, Input, KeySource, Lines, Sign, TrustedKey};
use crate::sigstore::{Instance, InvalidInstance, InvalidKey, PublicKey, TimestampAuthority};
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
    /// By a key of AWS KMS.
    Key(Box<SigningKey>),
}

/// A key of AWS KMS to sign with.
#[derive(Clone, Debug)]
pub(crate) struct SigningKey {
    /// The key.
    pub(crate) arn: KeyArn,
    /// The identity that uses it.
    pub(crate) identity: aws::Settings,
    /// Who says when it was; absent where nobody does.
    pub(crate) timestamps: Option<TimestampAuthority>,
    /// Whose keys count besides.
    pub(crate) trusted: Vec<(Environment, Trusted)>,
}

/// A key whose word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trusted {
    /// One that AWS KMS has to be asked for.
    Arn(KeyArn),
    /// One that is known, and where it was named, if that is a file.
    Known(PublicKey, Option<PathBuf>),
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
        let key = self.get(&inputs::KMS_KEY);
        let (asked, key) = (asked?, key?);
        self.contradiction(asked, key.as_ref());
        let key = key.filter(|_| matches!(asked, Sign::Auto | Sign::Kms));
        let trusted = self.trusted_keys();
        let private = if key.is_some() { Ok(None) } else { self.private_instance() };
        let private = private.ok()?;
        let no = |why: &str| Some(Signing::No(why.to_owned()));
        if asked == Sign::Off {
            return no("sign is off");
        }
        if let Publish::No(why) = publish? {
            return Some(Signing::No(why.clone()));
        }
        let may_ask = (self.env.variable)(variables::ACTIONS_ID_TOKEN_REQUEST_URL).is_some_and(|url| !url.is_empty());
        let public = self.env.event.is_some_and(|event| event.public);
        let environment = environment?;
        match asked {
            Sign::Auto if !environment.is_blocking() => {
                Some(Signing::No(format!("{environment} asks for no signature; sign: keyless or kms does")))
            }
            Sign::Auto | Sign::Kms if key.is_some() => {
                self.not_at_github();
                let signing = SigningKey {
                    arn: key?,
                    identity: self.aws_identity(destination?)?,
                    timestamps: self.timestamps().ok()?,
                    trusted: trusted.ok()?,
                };
                Some(Signing::Key(Box::new(signing)))
            }
            Sign::Auto if !may_ask => no("the job has no id-token: write, so there is nobody to sign"),
            Sign::Auto | Sign::Keyless if private.is_some() => private.map(|instance| Signing::Keyless(Box::new(instance))),
            // Nobody who is given a folder has asked for an entry in a log that anyone can read.
            Sign::Auto if !destination?.is_a_registry() => {
                no("the image goes to a folder: a key (kms-key), a private Sigstore, or sign: github or keyless, signs it there")
            }
            Sign::Auto if !public => {
                no("the repository is not public, and what is signed by sigstore.dev can be read by anyone for good: a key \
                 (kms-key), a private Sigstore, or sign: github or keyless, signs it all the same")
            }
            Sign::Auto | Sign::Keyless => self.known(Instance::public_good()),
            Sign::GitHub => self.known(Instance::github()),
            Sign::Kms | Sign::Off => None,
        }
    }

    /// Notes what does not go together.
    fn contradiction(&mut self, asked: Sign, key: Option<&KeyArn>) {
        let trusts = self.inputs.given(&inputs::TRUSTED_KEYS).is_some();
        match (asked, key) {
            (Sign::Kms, None) => self.problem(&inputs::KMS_KEY, "", "sign is kms, and the ARN of the key is expected"),
            (Sign::Keyless | Sign::GitHub, Some(key)) => {
                self.problem(&inputs::KMS_KEY, key.to_string(), "a key signs where sign is kms or auto, and it is neither");
            }
            (Sign::Off, _) | (_, Some(_)) => {}
            (_, None) if trusts => {
                self.problem(&inputs::TRUSTED_KEYS, "", "keys count where this delivery signs by one: kms-key is expected");
            }
            _ => {}
        }
    }

    /// What a key has signed is of no use at GitHub: `gh attestation verify` goes by the identity in a certificate, and has no way to
    /// name a key (its manual, "gh attestation verify").
    fn not_at_github(&mut self) {
        if self.get(&inputs::GITHUB_ATTESTATIONS) == Some(Demand::Required) {
            let expected = "auto or off is expected where a key signs: GitHub's attestations are checked by the workflow that a \
                            certificate names, and a key names none";
            self.problem(&inputs::GITHUB_ATTESTATIONS, "required", expected);
        }
    }

    /// The keys that count besides.
    fn trusted_keys(&mut self) -> Result<Vec<(Environment, Trusted)>, Noted> {
        let Lines(listed) = self.get(&inputs::TRUSTED_KEYS).ok_or(Noted)?;
        let (mut keys, mut noted) = (Vec::new(), false);
        for TrustedKey { environment, source } in listed {
            match source {
                KeySource::Arn(arn) => keys.push((environment, Trusted::Arn(arn))),
                KeySource::Text(text) => match known_key(&text) {
                    Ok((key, file)) => keys.push((environment, Trusted::Known(key, file))),
                    Err(error) => {
                        noted = true;
                        self.problem(
                            &inputs::TRUSTED_KEYS,
                            text,
                            format!("an ARN or a file is expected, and in the file: {error}"),
                        );
                    }
                },
            }
        }
        if noted { Err(Noted) } else { Ok(keys) }
    }

    /// Who says when a key has signed.
    fn timestamps(&mut self) -> Result<Option<TimestampAuthority>, Noted> {
        let of = |configuration: &str, root: &str, file| TimestampAuthority::of(configuration, root, file).map(Some);
        self.sigstore(None, of)
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
        self.sigstore(None, |configuration, root, file| Ok(Some(Instance::private(configuration, root)?.with_root_file(file))))
    }

    /// What `read` makes of the two documents of a private Sigstore, or `nothing` where they are not given.
    fn sigstore<T>(
        &mut self,
        nothing: T,
        read: impl FnOnce(&str, &str, Option<PathBuf>) -> Result<T, InvalidInstance>,
    ) -> Result<T, Noted> {
        let file = match self.get(&inputs::SIGSTORE_TRUSTED_ROOT) {
            Some(Some(Document::File(path))) => Some(path),
            _ => None,
        };
        let configuration = self.document(&inputs::SIGSTORE_SIGNING_CONFIG);
        let root = self.document(&inputs::SIGSTORE_TRUSTED_ROOT);
        match (configuration?, root?) {
            (None, None) => Ok(nothing),
            (Some(configuration), Some(root)) => match read(&configuration, &root, file) {
                Ok(read) => Ok(read),
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

/// A key as it stands in a text: itself, or the name of a file with it.
fn known_key(text: &str) -> Result<(PublicKey, Option<PathBuf>), InvalidKey> {
    if let Ok(key) = PublicKey::read(text) {
        return Ok((key, None));
    }
    let path = Path::new(text);
    let read = beneath::read(path, MAX_DOCUMENT).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
    Ok((PublicKey::read(&read.ok_or(InvalidKey)?)?, Some(path.to_owned())))
}
