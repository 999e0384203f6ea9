//! The secrets service: a build step asks for a secret by its id when it runs (`RUN --mount=type=secret`), and gets it
//! straight from where it is kept (`session/secrets` of `github.com/moby/buildkit`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::Secrets;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use tonic::{Request, Response, Status};

use super::error::Error;
use super::stats::TransferStats;
use crate::redaction;
use crate::secret::Secret;

/// The most bytes of a secret, as in Docker's own client (`MaxSecretSize`).
const MAX_BYTES: u64 = 500 * 1024;

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// A value that is known already.
    Value(Secret),
    /// A file, read when the secret is asked for.
    File(PathBuf),
}

/// The secrets of one build, by their ids.
#[derive(Clone, Debug)]
pub(crate) struct SecretsService {
    sources: Arc<BTreeMap<String, SecretSource>>,
    stats: Arc<TransferStats>,
}

impl SecretsService {
    /// Gives out `sources`, and notes in `stats` what could not be given.
    #[must_use]
    pub(crate) fn new(sources: BTreeMap<String, SecretSource>, stats: Arc<TransferStats>) -> Self {
        Self { sources: Arc::new(sources), stats }
    }
}

#[tonic::async_trait]
impl Secrets for SecretsService {
    async fn get_secret(&self, request: Request<GetSecretRequest>) -> Result<Response<GetSecretResponse>, Status> {
        let id = request.into_inner().id;
        // Not an error here: a step that does not require the secret runs without it.
        let source = self.sources.get(&id).cloned().ok_or_else(|| Status::not_found("not found"))?;
        let read = tokio::task::spawn_blocking(move || read(&id, &source)).await;
        match read.map_err(|error| Status::internal(error.to_string()))? {
            Ok(data) => Ok(Response::new(GetSecretResponse { data })),
            Err(error) => {
                let status = Status::failed_precondition(error.to_string());
                self.stats.note(error);
                Err(status)
            }
        }
    }
}

/// The bytes of a secret. Errors never quote it.
fn read(id: &str, source: &SecretSource) -> Result<Vec<u8>, Error> {
    let bytes = match source {
        SecretSource::Value(secret) => secret.expose().as_bytes().to_vec(),
        SecretSource::File(path) => {
            read_file(path).map_err(|source| Error::SecretFile { id: id.to_owned(), path: path.clone(), source })?
        }
    };
    // A file may have changed since the build began.
    redaction::remember_structured(&bytes);
    if bytes.len() as u64 > MAX_BYTES { Err(Error::SecretTooLarge { id: id.to_owned(), limit: MAX_BYTES }) } else { Ok(bytes) }
}

/// The bytes of a file with a secret, and of one that is too large as many as show that.
pub(crate) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(source: SecretSource, id: &str) -> (Result<Vec<u8>, Status>, Option<Error>) {
        let stats = Arc::new(TransferStats::default());
        let service = SecretsService::new(BTreeMap::from([("token".to_owned(), source)]), Arc::clone(&stats));
        let answer = service.get_secret(Request::new(GetSecretRequest { id: id.to_owned(), ..Default::default() })).await;
        (answer.map(|answer| answer.into_inner().data), stats.take_error())
    }

    #[tokio::test]
    async fn a_secret_comes_from_where_it_is_kept() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, b"\xffbytes\n").unwrap();
        assert_eq!(ask(SecretSource::File(file.path().to_owned()), "token").await.0.unwrap(), b"\xffbytes\n");
        assert_eq!(ask(SecretSource::Value(Secret::new("hunter2")), "token").await.0.unwrap(), b"hunter2");
    }

    #[tokio::test]
    async fn an_unknown_secret_is_not_found_and_no_failure_of_ours() {
        let (answer, error) = ask(SecretSource::Value(Secret::new("hunter2")), "other").await;
        assert_eq!(answer.unwrap_err().code(), tonic::Code::NotFound);
        assert!(error.is_none());
    }

    #[tokio::test]
    async fn a_secret_that_can_not_be_read_is_noted() {
        let (answer, error) = ask(SecretSource::File("/absent/secret".into()), "token").await;
        assert_eq!(answer.unwrap_err().code(), tonic::Code::FailedPrecondition);
        assert!(matches!(error, Some(Error::SecretFile { id, .. }) if id == "token"));
    }

    #[tokio::test]
    async fn a_secret_over_the_limit_is_refused_without_a_word_of_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, vec![b'x'; 500 * 1024]).unwrap();
        assert!(ask(SecretSource::File(file.path().to_owned()), "token").await.0.is_ok());
        std::fs::write(&file, vec![b'x'; 500 * 1024 + 1]).unwrap();
        let (answer, error) = ask(SecretSource::File(file.path().to_owned()), "token").await;
        assert!(!answer.unwrap_err().message().contains("xx"));
        assert!(matches!(error, Some(Error::SecretTooLarge { .. })));
    }
}
