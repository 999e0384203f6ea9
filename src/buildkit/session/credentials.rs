//! Credentials for the registries of base images: the builder asks for them, a host at a time, when it pulls
//! (`moby.filesync.v1.Auth`). The newer calls, by which a client fetches tokens itself, are left unimplemented: builders
//! then ask for the credentials.

use std::sync::Arc;

use bollard_buildkit_proto::moby::filesync::v1::auth_server::{Auth, AuthServer};
use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse,
};
use futures_util::future::BoxFuture;
use tonic::{Request, Response, Status};

use crate::oci::registry::credentials::{self, Password, Store};

/// The calls that are announced to the builder.
pub(crate) const METHODS: [&str; 1] = ["/moby.filesync.v1.Auth/Credentials"];

/// Who has credentials for registries that nobody has logged in to.
pub(crate) trait Otherwise: Send + Sync + 'static {
    /// Those for `host` (`HOST[:PORT]`); none where this is no registry for it.
    fn find<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Option<Password>>;
}

/// Answers from what `docker login` left, which comes first, and otherwise from what a delivery has by itself.
pub(crate) struct Credentials {
    store: Store,
    otherwise: Arc<dyn Otherwise>,
}

impl Credentials {
    /// The service that answers from `store`, and for hosts that it does not know from `otherwise`.
    #[must_use]
    pub(crate) fn server(store: Store, otherwise: Arc<dyn Otherwise>) -> AuthServer<Self> {
        AuthServer::new(Self { store, otherwise })
    }
}

#[tonic::async_trait]
impl Auth for Credentials {
    async fn credentials(&self, request: Request<CredentialsRequest>) -> Result<Response<CredentialsResponse>, Status> {
        let host = request.into_inner().host;
        let found = self.store.find(&host).await.map_err(|error| Status::unavailable(error.to_string()))?;
        let (username, secret) = match found.auth {
            credentials::Auth::Basic { username, password } => (username, password.expose().to_owned()),
            credentials::Auth::IdentityToken(token) => (String::new(), token.expose().to_owned()),
            // A delivery's own credentials are for its destination and never in the store.
            credentials::Auth::Anonymous | credentials::Auth::Issued(_) => match self.otherwise.find(&host).await {
                Some(Password { username, password, .. }) => (username, password.expose().to_owned()),
                None => (String::new(), String::new()),
            },
        };
        Ok(Response::new(CredentialsResponse { username, secret }))
    }

    async fn fetch_token(&self, _: Request<FetchTokenRequest>) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unimplemented("fetch_token"))
    }

    async fn get_token_authority(
        &self,
        _: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("get_token_authority"))
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("verify_token_authority"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::secret::Secret;

    /// Has a password for each host, and remembers which were asked for.
    #[derive(Default)]
    struct Any(Mutex<Vec<String>>);

    impl Otherwise for Any {
        fn find<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Option<Password>> {
            self.0.lock().unwrap().push(host.to_owned());
            Box::pin(async { Some(Password { username: "AWS".to_owned(), password: Secret::new("issued"), good_for: None }) })
        }
    }

    #[tokio::test]
    async fn what_docker_login_left_comes_first() {
        let config = tempfile::NamedTempFile::new().unwrap();
        // `me:own` in base64.
        std::fs::write(&config, r#"{"auths":{"r.example":{"auth":"bWU6b3du"}}}"#).unwrap();
        let any = Arc::new(Any::default());
        let service = Credentials { store: Store::at(config.path()), otherwise: any.clone() };
        for (host, username, secret) in [("r.example", "me", "own"), ("other.example", "AWS", "issued")] {
            let asked = CredentialsRequest { host: host.to_owned() };
            let answer = service.credentials(Request::new(asked)).await.unwrap().into_inner();
            assert_eq!((&*answer.username, &*answer.secret), (username, secret));
        }
        assert_eq!(*any.0.lock().unwrap(), ["other.example"]);
    }
}
