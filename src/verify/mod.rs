//! What is known of an image, looked at from outside: is it signed, and by whom; what is said of it, and does that hold; what
//! was decided about it, and when. A table that a person reads, and the same as JSON.

mod amazon;
mod delivered;
mod deliveries;
mod folder;
mod request;
mod row;
mod table;
mod today;
mod wanted;

pub(crate) use delivered::Delivered;
pub(crate) use deliveries::{Deliveries, Inspector};
pub(crate) use request::{IGNORE_FILE, Question, Request, TodayRequest};
pub(crate) use row::{Row, State};
pub(crate) use table::{Before, Cleared, Table};
pub(crate) use today::{CHECK as TODAY, Known};
pub(crate) use wanted::check;

use std::sync::Arc;

use self::amazon::Amazon;
use self::folder::{Folder, NotFound};
use self::request::{Criteria, Looked};
use self::table::Subject;
use self::wanted::Wanted;
use crate::aws::kms::Key;
use crate::aws::{self, RegistryHost, Session};
use crate::error::Error;
use crate::evidence::Place;
use crate::inputs::Problem;
use crate::oci::reference::{InvalidReference, Repository};
use crate::oci::registry::credentials::{Auth, CachedPassword, Origin};
use crate::oci::registry::{self, Client, Credentials, Manifest, Selector, Store};
use crate::oci::{Digest, Layout, Reference};
use crate::sigstore::{PublicKey, Verifier};

/// With whose credentials an image is looked at. What is absent is what the surroundings have.
#[derive(Clone, Copy, Default)]
pub(crate) struct As<'a> {
    /// The identity at AWS, which the keys of AWS KMS are asked for with.
    pub(crate) session: Option<&'a Session>,
    /// The credentials for the image's registry.
    pub(crate) credentials: Option<&'a Credentials>,
}

/// An image where it is: its manifest or index, and what serves the rest.
pub(crate) enum Found {
    /// In a repository of a registry.
    Repository(Client, Manifest),
    /// In a layout folder.
    Folder(Layout, Manifest),
}

impl Found {
    /// The image's digest.
    #[must_use]
    pub(crate) fn digest(&self) -> Digest {
        let (Self::Repository(_, manifest) | Self::Folder(_, manifest)) = self;
        manifest.digest
    }
}

/// Finds the image that a text names, which is the argument `argument`: `HOST[:PORT]/NAME:TAG`, `…@DIGEST`, or `oci:PATH`.
///
/// # Errors
/// It names none, or the place can't be asked or has no such image.
pub(crate) async fn find(argument: &'static str, text: &str) -> Result<Found, Error> {
    let wrong = |expected: String| Error::Inputs(vec![Problem { input: argument, value: text.to_owned(), expected }]);
    if let Some(folder) = Folder::named(text) {
        let folder = folder.map_err(|expected| wrong(expected.to_owned()))?;
        let (layout, manifest) = folder.find().map_err(|error| match error {
            NotFound::Layout(error) => folder::unreadable(error).into(),
            NotFound::Which(expected) => wrong(expected),
        })?;
        return Ok(Found::Folder(layout, manifest));
    }
    let image: Reference = text.parse().map_err(|error: InvalidReference| wrong(error.reason.to_owned()))?;
    let selector = Selector::of(&image).ok_or_else(|| wrong("a tag or a digest is expected behind the name".to_owned()))?;
    let amazon = Amazon::find(&image.repository, None).await;
    let credentials = credentials(&image.repository, amazon.as_ref()).await?;
    let client = Client::new(image.repository.clone(), credentials)?;
    let manifest = client.pull_manifest(&selector).await?;
    Ok(Found::Repository(client, manifest))
}

/// Looks at an image.
///
/// # Errors
/// The request makes no sense, or the place can't be asked or has no such image.
pub(crate) async fn verify(request: &Request) -> Result<Table, Error> {
    look(request, As::default()).await
}

/// The same with credentials that are at hand.
///
/// # Errors
/// As [`verify`].
pub(crate) async fn look(request: &Request, by: As<'_>) -> Result<Table, Error> {
    match request.looked().map_err(Error::Inputs)? {
        Looked::Image(question) => {
            let Question { image, selector, criteria } = *question;
            let (verifier, wanted) = criteria.settled(by.session).await?;
            let amazon = match by.credentials {
                Some(_) => None,
                None => Amazon::find(&image.repository, wanted.ecr).await,
            };
            let credentials = match by.credentials {
                Some(credentials) => credentials.clone(),
                None => credentials(&image.repository, amazon.as_ref()).await?,
            };
            let client = Client::new(image.repository.clone(), credentials)?;
            let manifest = client.pull_manifest(&selector).await?;
            let place = Place::Repository(&client);
            let rows = match &amazon {
                Some(amazon) => amazon.rows(&selector, manifest.digest, &table::platforms(place, &manifest)?).await,
                None => Vec::new(),
            };
            let subject = Subject { place, name: image.to_string(), said: table::said(&image, manifest.digest), manifest };
            Ok(Table::of(subject, rows, &verifier, &wanted).await?)
        }
        Looked::Folder(folder, criteria) => {
            let (verifier, wanted) = criteria.settled(by.session).await?;
            let (layout, manifest) = folder.find().map_err(|error| match error {
                NotFound::Layout(error) => folder::unreadable(error).into(),
                NotFound::Which(expected) => {
                    Error::Inputs(vec![Problem { input: request::IMAGE, value: folder.to_string(), expected }])
                }
            })?;
            let rows = vec![folder::content(&layout, &manifest)];
            let (place, name, said) = (Place::Folder(&layout), folder.to_string(), folder.said(manifest.digest));
            let subject = Subject { place, name, said, manifest };
            Ok(Table::of(subject, rows, &verifier, &wanted).await?)
        }
    }
}

/// Credentials for a registry: those that `docker login` left, else those that Amazon ECR gives.
async fn credentials(repository: &Repository, amazon: Option<&Amazon>) -> Result<Credentials, registry::Error> {
    let known = Store::from_env().find(repository.registry()).await?;
    let issuer = amazon.and_then(|amazon| amazon.repository.as_ref().ok()).filter(|_| matches!(known.auth, Auth::Anonymous));
    let Some(issuer) = issuer else { return Ok(known) };
    // Who may not log in may be let in all the same.
    let Ok(login) = issuer.login().await else { return Ok(known) };
    // A password is for nobody but the registry that it was issued for.
    let is_there = login.host == repository.registry() || RegistryHost::parse(repository.registry()).is_some();
    let password = CachedPassword::new(Arc::new(issuer.clone()), login.password);
    Ok(if is_there { Credentials { auth: Auth::Issued(password), origin: Origin::Given } } else { known })
}

impl Criteria {
    /// How signers are known, and what is asked, once AWS KMS has said the keys that are its to say: by this session, else by the
    /// credentials that the SDK finds.
    async fn settled(mut self, session: Option<&Session>) -> Result<(Verifier, Wanted), Error> {
        for unread in std::mem::take(&mut self.unread) {
            let session = match session {
                Some(session) => session.clone(),
                None => Session::open(&aws::Settings::of_chain(unread.arn.region()), || None).await?,
            };
            let key = Key::find(&session, &unread.arn).await?;
            let malformed = aws::Error::Malformed { call: aws::Call::GetPublicKey, missing: "an ECDSA key on the curve P-256" };
            let key = PublicKey::of_der(&key.public).map_err(|_| malformed)?;
            self.know(&unread, key).map_err(|problem| Error::Inputs(vec![problem]))?;
        }
        Ok((Verifier::new(&self.root)?.with_keys(self.keys, self.demands_time), self.wanted))
    }
}
