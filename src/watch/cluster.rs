//! What the files name by which a cluster is brought to an image.

use super::images::{Image, Registry};
use super::scope::Scope;
use crate::error::Error;
use crate::github::Api;
use crate::gitops;

impl Scope {
    /// Where a cluster is brought to, by the name that goes before that of a file; none where nothing is named.
    pub(super) fn cluster(&self) -> Option<String> {
        self.config.gitops.as_ref().map(|settings| settings.access.slug())
    }

    /// The images that its files name. Each goes by the file's name: what is read there changes with every delivery.
    ///
    /// # Errors
    /// They can't be read, or one of them without a doubt.
    pub(super) async fn images_of_cluster(&self, registry: &Registry) -> Result<Vec<Image>, Error> {
        let (Some(settings), Some(repository)) = (&self.config.gitops, &registry.repository) else { return Ok(Vec::new()) };
        let unread = |error: gitops::Error| gitops::Error::Unread(Box::new(error));
        let api = Api::open(&settings.access).map_err(|error| unread(error.into()))?;
        let api = api.ok_or_else(|| unread(gitops::Error::NoToken))?;
        let named = gitops::named(&api, settings, repository, self.config.environment).await;
        api.leave().await;
        let slug = settings.access.slug();
        let image =
            |named: gitops::Named| Image { name: format!("{repository} ({slug}: {})", named.path), reference: named.image };
        Ok(named?.into_iter().map(image).collect())
    }
}
