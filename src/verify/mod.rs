//! What is known of an image, looked at from outside: is it signed, and by whom; what is said of it, and does that hold; what
//! was decided about it, and when. A table that a person reads, and the same as JSON.

mod request;
mod row;
mod table;
mod wanted;

pub(crate) use request::{Question, Request};
pub(crate) use table::Table;
pub(crate) use wanted::check;

use crate::aws::kms::Key;
use crate::aws::{self, Session};
use crate::error::Error;
use crate::oci::registry::{self, Client, Store};
use crate::sigstore::{PublicKey, Verifier};

/// Looks at an image.
///
/// # Errors
/// The request makes no sense, or the registry can't be asked or has no such image.
pub(crate) async fn verify(request: &Request) -> Result<Table, Error> {
    let mut question = request.question().map_err(Error::Inputs)?;
    read_keys(&mut question).await?;
    let Question { image, selector, root, wanted, keys, demands_time, .. } = question;
    let verifier = Verifier::new(&root)?.with_keys(keys, demands_time);
    let credentials = Store::from_env().find(image.repository.registry()).await.map_err(registry::Error::from)?;
    let client = Client::new(image.repository.clone(), credentials)?;
    Ok(Table::of(&client, &image, &selector, &verifier, &wanted).await?)
}

/// Asks AWS KMS for the keys that are its to say, with the credentials that the SDK finds.
async fn read_keys(question: &mut Question) -> Result<(), Error> {
    for unread in std::mem::take(&mut question.unread) {
        let session = Session::open(&aws::Settings::of_chain(unread.arn.region()), || None).await?;
        let key = Key::find(&session, &unread.arn).await?;
        let malformed = aws::Error::Malformed { call: aws::Call::GetPublicKey, missing: "an ECDSA key on the curve P-256" };
        question.know(&unread, PublicKey::of_der(&key.public).map_err(|_| malformed)?);
    }
    Ok(())
}
