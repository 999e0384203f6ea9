//! What is known of an image, looked at from outside: is it signed, and by whom; what is said of it, and does that hold; what
//! was decided about it, and when. A table that a person reads, and the same as JSON.

mod request;
mod row;
mod table;
mod wanted;

pub(crate) use request::{Question, Request};
pub(crate) use table::Table;
pub(crate) use wanted::check;

use crate::error::Error;
use crate::oci::registry::{self, Client, Store};
use crate::sigstore::Verifier;

/// Looks at an image.
///
/// # Errors
/// The request makes no sense, or the registry can't be asked or has no such image.
pub(crate) async fn verify(request: &Request) -> Result<Table, Error> {
    let Question { image, selector, root, wanted } = request.question().map_err(Error::Inputs)?;
    let verifier = Verifier::new(&root)?;
    let credentials = Store::from_env().find(image.repository.registry()).await.map_err(registry::Error::from)?;
    let client = Client::new(image.repository.clone(), credentials)?;
    Ok(Table::of(&client, &image, &selector, &verifier, &wanted).await?)
}
