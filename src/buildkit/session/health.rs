//! The health service (`grpc.health.v1`): an engine asks every few seconds whether its client is still there, and ends the
//! session where nobody answers.

use std::sync::Arc;

use bollard_buildkit_proto::health::health_check_response::ServingStatus;
use bollard_buildkit_proto::health::health_server::Health;
use bollard_buildkit_proto::health::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use tokio_stream::Empty;
use tonic::{Request, Response, Status};

use super::stats::TransferStats;

/// A health service that always answers `SERVING`, and counts the questions.
#[derive(Clone, Debug)]
pub(crate) struct Present(pub(crate) Arc<TransferStats>);

#[tonic::async_trait]
impl Health for Present {
    type WatchStream = Empty<Result<HealthCheckResponse, Status>>;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.0.count_question();
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("List"))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("Watch"))
    }
}
