//! Real stores, asked for what they do not have.

use tokio_util::task::TaskTracker;

use super::{Treatment, read};
use crate::buildkit::Error;
use crate::buildkit::builder::Builder;
use crate::layer_store::Packing;
use crate::oci::{Compression, Digest, Layout};

/// The builders that keep images as blobs.
async fn builders() -> [Builder; 2] {
    let address = |part: &str| std::env::var(format!("GP_DELIVER_TEST_{part}")).unwrap().parse().unwrap();
    let docker = Builder::docker(&[address("DOCKER_CONTAINERD")], None, &TaskTracker::new()).await;
    [docker.unwrap(), Builder::buildkitd(&address("BUILDKITD"), None).await.unwrap()]
}

#[tokio::test]
async fn an_image_that_the_store_has_collected_is_told_from_one_that_can_not_be_read() {
    let folder = tempfile::tempdir().unwrap();
    for builder in builders().await {
        let layout = Layout::create(folder.path().join("layout")).unwrap();
        let packing = Packing::alone(Compression::Gzip);
        let said = read(
            &builder.channel(),
            Digest::of(b"collected"),
            Treatment { base: None, dating: None },
            &layout,
            &packing,
            &|_| (),
        )
        .await;
        assert!(matches!(said, Err(Error::ImageGone { .. })), "{}: {:?}", builder.description(), said.err());
    }
}
