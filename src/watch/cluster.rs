//! What the files name by which a cluster is brought to an image.

use super::images::{Image, Registry};
use super::scope::Scope;
use crate::error::Error;
use crate::gitops::{self, Host};

impl Scope {
    /// Where a cluster is brought to, by the name that goes before that of a file; none where nothing is named.
    pub(super) fn cluster(&self) -> Option<String> {
        self.config.gitops.as_ref().map(|settings| settings.home.to_string())
    }

    /// The images that its files name. Each goes by the file's name: what is read there changes with every delivery.
    ///
    /// # Errors
    /// They can't be read, or one of them without a doubt.
    pub(super) async fn images_of_cluster(&self, registry: &Registry) -> Result<Vec<Image>, Error> {
        let (Some(settings), Some(repository)) = (&self.config.gitops, &registry.repository) else { return Ok(Vec::new()) };
        let unread = |error: gitops::Error| gitops::Error::Unread(Box::new(error));
        let host = Host::open(&settings.home).map_err(unread)?.ok_or_else(|| unread(gitops::Error::NoToken))?;
        let named = gitops::named(&host, settings, repository, self.config.environment).await;
        host.leave().await;
        let slug = settings.home.to_string();
        let image =
            |named: gitops::Named| Image { name: format!("{repository} ({slug}: {})", named.path), reference: named.image };
        Ok(named?.into_iter().map(image).collect())
    }
}
