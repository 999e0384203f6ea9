//! The file sync service: an engine asks for the folders of its client (`session/filesync` of `github.com/moby/buildkit`).

use std::collections::BTreeMap;
use std::sync::Arc;

use bollard_buildkit_proto::fsutil::types::Packet;
use bollard_buildkit_proto::moby::filesync::v1::file_sync_server::FileSync;
use percent_encoding::percent_decode_str;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::context::Directory;
use super::filter::Wanted;
use super::stats::TransferStats;
use super::transfer::Transfer;

/// The most packets buffered for the engine: at 64 KiB each, a megabyte per transfer.
const WAITING: usize = 16;

/// The folders that an engine may ask for, by the names it knows them by.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    directories: Arc<BTreeMap<String, Directory>>,
    stats: Arc<TransferStats>,
}

impl Folders {
    /// Serves `directories`, and counts in `stats` what travels.
    #[must_use]
    pub(crate) fn new(directories: BTreeMap<String, Directory>, stats: Arc<TransferStats>) -> Self {
        Self { directories: Arc::new(directories), stats }
    }
}

#[tonic::async_trait]
impl FileSync for Folders {
    type DiffCopyStream = ReceiverStream<Result<Packet, Status>>;
    type TarStreamStream = ReceiverStream<Result<Packet, Status>>;

    async fn diff_copy(&self, request: Request<Streaming<Packet>>) -> Result<Response<Self::DiffCopyStream>, Status> {
        let name = values(request.metadata(), "dir-name")?.into_iter().next().unwrap_or_default();
        let wanted = wanted(request.metadata())?;
        let directory = self.directories.get(&name).cloned();
        let directory = directory.ok_or_else(|| Status::not_found(format!("no access allowed to dir {name:?}")))?;
        let (outgoing, packets) = mpsc::channel(WAITING);
        let transfer = Transfer::new(directory, outgoing, Arc::clone(&self.stats));
        tokio::spawn(transfer.run(wanted, request.into_inner()));
        Ok(Response::new(ReceiverStream::new(packets)))
    }

    async fn tar_stream(&self, _: Request<Streaming<Packet>>) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("TarStream"))
    }
}

fn wanted(metadata: &MetadataMap) -> Result<Wanted, Status> {
    Ok(Wanted {
        include: values(metadata, "include-patterns")?,
        exclude: values(metadata, "exclude-patterns")?,
        follow: values(metadata, "followpaths")?,
    })
}

/// The values of a key. New engines percent-encode what is not ASCII, and say so; old ones send plain UTF-8.
fn values(metadata: &MetadataMap, key: &str) -> Result<Vec<String>, Status> {
    let encoded = metadata.get(format!("{key}-encoded")).is_some_and(|value| value == "1" || value == "true");
    let decode = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).map_err(|_| Status::invalid_argument(format!("{key} is not UTF-8")))?;
        if !encoded {
            return Ok(text.to_owned());
        }
        let text = text.replace('+', " ");
        let decoded = percent_decode_str(&text).decode_utf8();
        decoded.map(std::borrow::Cow::into_owned).map_err(|_| Status::invalid_argument(format!("{key} is not UTF-8")))
    };
    metadata.get_all(key).iter().map(|value| decode(value.as_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataValue;

    use super::*;

    fn metadata(pairs: &[(&'static str, &str)]) -> MetadataMap {
        let mut headers = http::HeaderMap::new();
        for (key, value) in pairs {
            headers.append(*key, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        MetadataMap::from_headers(headers)
    }

    #[test]
    fn a_repeated_key_is_a_list() {
        let wanted = wanted(&metadata(&[("exclude-patterns", "*"), ("exclude-patterns", "!a"), ("followpaths", "src")])).unwrap();
        let expected = Wanted { include: vec![], exclude: vec!["*".into(), "!a".into()], follow: vec!["src".into()] };
        assert_eq!(wanted, expected);
    }

    #[test]
    fn bare_utf8_and_encoded_utf8_are_both_read() {
        assert_eq!(values(&metadata(&[("followpaths", "é+%41")]), "followpaths").unwrap(), ["é+%41"]);
        let encoded = metadata(&[("followpaths", "%C3%A9+%2B"), ("followpaths", "a"), ("followpaths-encoded", "1")]);
        assert_eq!(values(&encoded, "followpaths").unwrap(), ["é +", "a"]);
    }

    #[test]
    fn what_is_not_utf8_is_refused() {
        let mut metadata = MetadataMap::new();
        metadata.insert("followpaths", MetadataValue::try_from(&b"\xff"[..]).unwrap());
        assert!(values(&metadata, "followpaths").is_err());
        let encoded = self::metadata(&[("followpaths", "%FF"), ("followpaths-encoded", "1")]);
        assert!(values(&encoded, "followpaths").is_err());
    }
}
