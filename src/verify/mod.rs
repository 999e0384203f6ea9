//! What is known of an image, looked at from outside: is it signed, and by whom; what is said of it, and does that hold; what
//! was decided about it, and when. A table that a person reads, and the same as JSON.

mod folder;
mod request;
mod row;
mod table;
mod today;
mod wanted;

pub(crate) use request::{Question, Request};
pub(crate) use table::Table;
pub(crate) use wanted::check;

use self::folder::NotFound;
use self::request::Looked;
use self::table::Subject;
use crate::error::Error;
use crate::evidence::Place;
use crate::inputs::Problem;
use crate::oci::registry::{self, Client, Store};
use crate::sigstore::Verifier;

/// Looks at an image.
///
/// # Errors
/// The request makes no sense, or the place can't be asked or has no such image.
pub(crate) async fn verify(request: &Request) -> Result<Table, Error> {
    match request.looked().map_err(Error::Inputs)? {
        Looked::Image(question) => {
            let Question { image, selector, root, wanted } = *question;
            let credentials = Store::from_env().find(image.repository.registry()).await.map_err(registry::Error::from)?;
            let client = Client::new(image.repository.clone(), credentials)?;
            let manifest = client.pull_manifest(&selector).await?;
            let place = Place::Repository(&client);
            let subject = Subject { place, name: image.to_string(), said: table::said(&image, manifest.digest), manifest };
            Ok(Table::of(subject, Vec::new(), &Verifier::new(&root)?, &wanted).await?)
        }
        Looked::Folder(folder, root, wanted) => {
            let (layout, manifest) = folder.find().map_err(|error| match error {
                NotFound::Layout(error) => folder::unreadable(error).into(),
                NotFound::Which(expected) => {
                    Error::Inputs(vec![Problem { input: request::IMAGE, value: folder.to_string(), expected }])
                }
            })?;
            let rows = vec![folder::content(&layout, &manifest)];
            let (place, name, said) = (Place::Folder(&layout), folder.to_string(), folder.said(manifest.digest));
            let subject = Subject { place, name, said, manifest };
            Ok(Table::of(subject, rows, &Verifier::new(&root)?, &wanted).await?)
        }
    }
}
