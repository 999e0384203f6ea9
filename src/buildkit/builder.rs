//! A builder: an engine's embedded BuildKit or a standalone `buildkitd`, and what it can do.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use bollard::Docker;
use bollard::query_parameters::RemoveImageOptions;
use futures_util::StreamExt as _;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;

use super::endpoint::{Address, connect_buildkitd, connect_docker, no_engine};
use super::error::Error;
use super::export::{content, docker_archive, pipe};
use super::id::random_id;
use super::progress::BuildEvent;
use super::session::Session;
use super::solve::{Solve, Solved};
use crate::net::chain;
use crate::oci::image::Parts;
use crate::oci::{Compression, Digest, Layout, Platform};
use crate::text;

/// The API of Docker 20.10, the first whose BuildKit this client can speak to.
const OLDEST_API: (u32, u32) = (1, 41);

/// Where to look for a builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A standalone `buildkitd`, and the folder with its certificates where it wants some.
    Buildkitd(Address, Option<PathBuf>),
    /// A Docker engine at one of these addresses, the first that answers.
    Docker(Vec<Address>),
}

/// A builder that answers.
pub(crate) struct Builder {
    channel: Channel,
    store: Store,
    description: String,
    /// Cleanup tasks, which may outlive the build.
    cleanups: TaskTracker,
}

/// Where the builder keeps images, and thus how they come out.
enum Store {
    /// Unpacked, in the engine's graph driver.
    GraphDriver(Docker),
    /// As blobs.
    Content,
}

/// What is built, apart from the platform.
#[derive(Clone, Debug, Default)]
pub(crate) struct Instructions {
    /// The Dockerfile's name in the folder that the session serves as `dockerfile`.
    pub(crate) dockerfile: String,
    /// The stage to build; the last where none is named.
    pub(crate) target: Option<String>,
    /// `ARG` values.
    pub(crate) arguments: Vec<(String, String)>,
    /// Labels of the image.
    pub(crate) labels: Vec<(String, String)>,
}

impl Builder {
    /// Connects to a builder and finds out what it is. Cleaning up after a dropped build is a task of `cleanups`.
    ///
    /// # Errors
    /// None answers, or it is too old.
    pub(crate) async fn connect(host: &Host, cleanups: &TaskTracker) -> Result<Self, Error> {
        match host {
            Host::Buildkitd(address, certificates) => {
                let channel = connect_buildkitd(address, certificates.as_deref()).await?;
                Ok(Self {
                    channel,
                    store: Store::Content,
                    description: format!("buildkitd at {address}"),
                    cleanups: TaskTracker::new(),
                })
            }
            Host::Docker(addresses) => {
                let mut reason = String::new();
                for address in addresses {
                    match Self::connect_engine(address, cleanups).await {
                        Err(Error::NoEngine { reason: said, .. }) => reason = said,
                        other => return other,
                    }
                }
                Err(Error::NoEngine { tried: addresses.iter().map(ToString::to_string).collect(), reason })
            }
        }
    }

    async fn connect_engine(address: &Address, cleanups: &TaskTracker) -> Result<Self, Error> {
        let no_engine = |error: &(dyn std::error::Error + 'static)| no_engine(address, error);
        let docker = match address {
            Address::Unix(path) => Docker::connect_with_unix(&path.to_string_lossy(), 120, bollard::API_DEFAULT_VERSION),
            Address::Tcp(authority) => {
                Docker::connect_with_http(&format!("tcp://{authority}"), 120, bollard::API_DEFAULT_VERSION)
            }
        };
        let docker = docker.map_err(|error| no_engine(&error))?;
        let version = docker.version().await.map_err(|error| no_engine(&error))?;
        let api = version.api_version.unwrap_or_default();
        let version = version.version.unwrap_or_default();
        if parse_api(&api) < Some(OLDEST_API) {
            return Err(Error::EngineTooOld { version, api });
        }
        let info = docker.info().await.map_err(|error| no_engine(&error))?;
        let status = info.driver_status.unwrap_or_default();
        let keeps_blobs = status.iter().flatten().any(|word| word.starts_with("io.containerd.snapshotter"));
        let driver = info.driver.unwrap_or_default();
        let channel = connect_docker(address).await?;
        let description = format!("Docker {version}, {driver}{}", if keeps_blobs { " in containerd" } else { "" });
        let store = if keeps_blobs { Store::Content } else { Store::GraphDriver(docker) };
        Ok(Self { channel, store, description, cleanups: cleanups.clone() })
    }

    /// The builder's name and version, for the log: `Docker 20.10.24, overlay2`.
    #[must_use]
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// The connection, for a session.
    #[must_use]
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Builds without exporting an image, for check stages.
    ///
    /// # Errors
    /// The build failed.
    pub(crate) async fn check(
        &self,
        session: &Session,
        instructions: &Instructions,
        platform: Option<&Platform>,
        show: &(dyn Fn(BuildEvent) + Send + Sync),
    ) -> Result<Solved, Error> {
        let frontend_attributes = instructions.attributes(platform);
        self.solve(session, Solve { frontend_attributes, exporter: None }, show).await
    }

    /// Builds the image of one platform (the builder's own where none is named) and writes it into `layout`.
    ///
    /// # Errors
    /// The build failed, or the image could not be exported.
    pub(crate) async fn build(
        &self,
        session: &Session,
        instructions: &Instructions,
        platform: Option<&Platform>,
        layout: &Layout,
        compression: Compression,
        show: Arc<dyn Fn(BuildEvent) + Send + Sync>,
    ) -> Result<(Parts, Vec<String>), Error> {
        let frontend_attributes = instructions.attributes(platform);
        let received = {
            let show = show.clone();
            move |bytes: u64| show(BuildEvent::Status(format!("image {}", text::size(bytes))))
        };
        match &self.store {
            Store::GraphDriver(docker) => {
                let name = format!("gp-deliver.invalid/export:{}", random_id());
                let _cleanup = Cleanup { docker: docker.clone(), name: name.clone(), tasks: self.cleanups.clone() };
                let exporter = Some(("moby", HashMap::from([("name".to_owned(), name.clone())])));
                let solved = self.solve(session, Solve { frontend_attributes, exporter }, &*show).await?;
                Ok((save(docker, &name, layout, compression, received).await?, solved.warnings))
            }
            Store::Content => {
                let attributes =
                    [("push", "false"), ("store", "true"), ("oci-mediatypes", "true"), ("compression", "uncompressed")];
                let exporter = Some(("image", attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into()));
                let solved = self.solve(session, Solve { frontend_attributes, exporter }, &*show).await?;
                let manifest = solved.response.get("containerimage.digest").and_then(|digest| digest.parse::<Digest>().ok());
                let manifest = manifest.ok_or_else(|| Error::Protocol("the builder names no image digest".to_owned()))?;
                Ok((content::read(&self.channel, manifest, layout, compression, &received).await?, solved.warnings))
            }
        }
    }
}

impl Builder {
    async fn solve(&self, session: &Session, what: Solve, show: &(dyn Fn(BuildEvent) + Send + Sync)) -> Result<Solved, Error> {
        super::solve::solve(&self.channel, session.id(), what, show).await
    }
}

/// Exports an image from a graph driver.
async fn save(
    docker: &Docker,
    name: &str,
    layout: &Layout,
    compression: Compression,
    received: impl Fn(u64) + Send + 'static,
) -> Result<Parts, Error> {
    let mut archive = docker.export_image(name).boxed();
    let (mut sender, reader) = pipe();
    let layout = layout.clone();
    let reading = tokio::task::spawn_blocking(move || docker_archive::read(reader, &layout, compression, &received));
    while let Some(piece) = archive.next().await {
        let piece = piece.map_err(|error| Error::Lost { reason: chain(&error).into() })?;
        if sender.send(piece).await.is_err() {
            break; // The reader stopped; its error is the one to tell.
        }
    }
    let _ = sender.end().await;
    reading.await.map_err(|error| Error::Protocol(error.to_string()))?
}

/// Removes the temporary name of an exported image, however the export ended; the builder's cache keeps the layers.
struct Cleanup {
    docker: Docker,
    name: String,
    tasks: TaskTracker,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let (docker, name) = (self.docker.clone(), std::mem::take(&mut self.name));
        self.tasks.spawn(async move {
            if let Err(error) = docker.remove_image(&name, None::<RemoveImageOptions>, None).await {
                tracing::debug!(%error, name, "the export's name could not be removed");
            }
        });
    }
}

impl Instructions {
    fn attributes(&self, platform: Option<&Platform>) -> HashMap<String, String> {
        let pairs = |prefix: &'static str, pairs: &[(String, String)]| {
            pairs.iter().map(|(key, value)| (format!("{prefix}:{key}"), value.clone())).collect::<Vec<_>>()
        };
        let mut attributes: HashMap<_, _> = pairs("build-arg", &self.arguments).into_iter().collect();
        attributes.extend(pairs("label", &self.labels));
        attributes.insert("filename".to_owned(), self.dockerfile.clone());
        attributes.extend(self.target.clone().map(|target| ("target".to_owned(), target)));
        attributes.extend(platform.map(|platform| ("platform".to_owned(), platform.to_string())));
        attributes
    }
}

fn parse_api(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_versions_compare_as_numbers() {
        assert!(parse_api("1.100") > Some(OLDEST_API));
        assert!(parse_api("1.9") < Some(OLDEST_API));
        assert!(parse_api("") < Some(OLDEST_API));
    }
}
