//! Credentials for the registries of base images: the builder asks for them, a host at a time, when it pulls
//! (`moby.filesync.v1.Auth`). The newer calls, by which a client fetches tokens itself, are left unimplemented: builders
//! then ask for the credentials.

use bollard_buildkit_proto::moby::filesync::v1::auth_server::{Auth, AuthServer};
use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse,
};
use tonic::{Request, Response, Status};

use crate::oci::registry::credentials::{self, Store};

/// The calls that are announced to the builder.
pub(crate) const METHODS: [&str; 1] = ["/moby.filesync.v1.Auth/Credentials"];

/// Answers from what `docker login` left.
pub(crate) struct Credentials {
    store: Store,
}

impl Credentials {
    /// The service that answers from `store`.
    #[must_use]
    pub(crate) fn server(store: Store) -> AuthServer<Self> {
        AuthServer::new(Self { store })
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
            credentials::Auth::Anonymous | credentials::Auth::Issued(_) => (String::new(), String::new()),
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
