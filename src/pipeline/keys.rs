//! The key that a delivery signs with, and those whose word it takes, each bound to the environment that it speaks for.

use std::sync::OnceLock;

use tokio::sync::OnceCell;

use super::Delivery;
use super::mirrors::Mirrors;
use crate::aws::kms::Key;
use crate::aws::{self, Session};
use crate::config::{Signing, SigningKey, Trusted};
use crate::environment::Environment;
use crate::error::Error;
use crate::evidence::{KeyRule, Pattern, SignedStatement};
use crate::github::oidc::TokenSource;
use crate::oci::Digest;
use crate::record::{self, StageLog};
use crate::sigstore::{self, Bundle, InvalidInstance, KeySigner, PublicKey, SignedBy, TimestampAuthority, Verifier};
use crate::text;
use crate::variables;

/// What a delivery has found out at AWS: once, whoever asks first.
#[derive(Default)]
pub(crate) struct AtAws {
    session: OnceCell<Session>,
    keys: OnceCell<Keys>,
    pub(super) mirrors: OnceLock<Mirrors>,
}

/// Keys.
pub(super) struct Keys {
    signs: Key,
    own: Known,
    /// Others, those of this environment among them.
    trusted: Vec<Known>,
    timestamps: Option<TimestampAuthority>,
}

/// A key whose word counts.
struct Known {
    environment: Environment,
    key: PublicKey,
    /// Where it is, as it can be named to others: an ARN or a file.
    source: Option<String>,
}

/// The identity at AWS.
///
/// # Errors
/// There is none.
pub(super) async fn session<'a>(delivery: &'a Delivery, identity: &aws::Settings) -> Result<&'a Session, aws::Error> {
    let event = delivery.event.as_ref();
    let tokens = || event.map(|event| TokenSource::find(variables::text, event.fork));
    delivery.at_aws.session.get_or_try_init(|| Session::open(identity, tokens)).await
}

/// The keys of a delivery.
///
/// # Errors
/// One can't be read, is of another kind, or speaks for several environments.
pub(super) async fn of<'a>(delivery: &'a Delivery, signing: &SigningKey) -> Result<&'a Keys, Error> {
    delivery.at_aws.keys.get_or_try_init(|| Keys::find(delivery, signing)).await
}

/// Looks at the keys, where a delivery signs by one, and whether it may, before anything is built.
///
/// # Errors
/// They can't be used, and the environment's gates block.
pub(super) async fn look(delivery: &Delivery, log: &StageLog) -> Result<(), Error> {
    let Signing::Key(signing) = &delivery.config.signing else { return Ok(()) };
    let looked = async {
        let keys = of(delivery, signing).await?;
        keys.signs.may_sign().await?;
        Ok::<_, Error>(keys)
    };
    match looked.await {
        Ok(keys) => log.line(&format!("signs by {}, {}", keys.signs.arn, keys.own.key.fingerprint())),
        Err(error) if delivery.config.environment.is_blocking() => return Err(error),
        // The signing stage tries again, and says why nothing is signed.
        Err(_) => log.line(&format!("{} can't be used", signing.arn)),
    }
    Ok(())
}

impl Keys {
    async fn find(delivery: &Delivery, signing: &SigningKey) -> Result<Self, Error> {
        let session = session(delivery, &signing.identity).await?;
        let signs = Key::find(session, &signing.arn).await?;
        let own = Known { environment: delivery.config.environment, key: public(&signs)?, source: Some(signs.arn.to_string()) };
        let mut trusted = Vec::new();
        for (environment, named) in &signing.trusted {
            let (key, source) = match named {
                Trusted::Known(key, file) => (key.clone(), file.as_ref().map(|file| file.display().to_string())),
                Trusted::Arn(arn) => {
                    let key = Key::find(session, arn).await?;
                    (public(&key)?, Some(key.arn.to_string()))
                }
            };
            trusted.push(Known { environment: *environment, key, source });
        }
        let keys = Self { signs, own, trusted, timestamps: signing.timestamps.clone() };
        keys.speak_for_one_each()?;
        Ok(keys)
    }

    /// Sees to it that no key speaks for two environments: whoever may use it for one could speak for the other.
    fn speak_for_one_each(&self) -> Result<(), sigstore::Error> {
        for one in self.all() {
            if let Some(other) = self.all().find(|other| other.key == one.key && other.environment != one.environment) {
                let environments = [one, other].map(|known| known.environment.to_string());
                return Err(sigstore::Error::SharedKey {
                    key: one.key.fingerprint(),
                    environments: text::words(&text::list(&environments)),
                });
            }
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &Known> {
        [&self.own].into_iter().chain(&self.trusted)
    }

    /// Whoever checks bundles by them. Where this delivery has times, those of others have to have them too.
    pub(super) fn verifier(&self) -> Result<Verifier, InvalidInstance> {
        let keys = self.all().map(|known| known.key.clone()).collect();
        Verifier::of_keys(keys, self.timestamps.as_ref().map(TimestampAuthority::root))
    }

    /// What each of them may say, of one repository where that is known.
    pub(super) fn rules(&self, repository: Option<&str>) -> Vec<KeyRule> {
        let rule = |known: &Known| KeyRule {
            key: known.key.fingerprint(),
            environments: vec![known.environment],
            repository: repository.map(Pattern::exactly),
        };
        self.all().map(rule).collect()
    }

    /// What the key of this delivery may say.
    pub(super) fn own_rule(&self) -> KeyRule {
        KeyRule { key: self.own.key.fingerprint(), environments: vec![self.own.environment], repository: None }
    }

    /// Has the key sign a statement about what has the digest `subject`.
    pub(super) async fn sign(&self, statement: &[u8], subject: &Digest) -> Result<Bundle, Error> {
        let signature = self.signs.sign(KeySigner::digest(statement)).await?;
        let signer = KeySigner::new(self.own.key.clone(), self.timestamps.clone())?;
        Ok(signer.bundle(statement, subject, &signature).await?)
    }

    /// The signer as the record has it.
    pub(super) fn recorded(&self) -> record::Signer {
        self.known(&self.own)
    }

    /// The same for whoever has signed a statement.
    pub(super) fn signer_of(&self, signed: &SignedStatement) -> Option<record::Signer> {
        let SignedBy::Key(fingerprint) = signed.signer else { return None };
        self.all().find(|known| known.key.fingerprint() == fingerprint).map(|known| self.known(known))
    }

    fn known(&self, known: &Known) -> record::Signer {
        record::Signer::Key(record::KeySigner {
            key: known.key.fingerprint(),
            source: known.source.clone(),
            timestamps: self.timestamps.is_some(),
            trusted_root: self.timestamps.as_ref().and_then(|authority| Some(authority.root_file()?.display().to_string())),
        })
    }
}

/// The public half of a key of AWS KMS.
fn public(key: &Key) -> Result<PublicKey, Error> {
    let read = PublicKey::of_der(&key.public);
    read.map_err(|_| aws::Error::Malformed { call: aws::Call::GetPublicKey, missing: "an ECDSA key on the curve P-256" }.into())
}
