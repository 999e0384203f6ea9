//! How each service says no.

use hyper::Response;
use serde_json::json;

use super::call::Service;
use super::content::{Answer, full};

/// An answer with a body of some type.
pub fn answer(status: u16, kind: &str, body: impl Into<hyper::body::Bytes>) -> Answer {
    Response::builder().status(status).header("content-type", kind).body(full(body)).unwrap()
}

/// ECR's API (AWS JSON protocol 1.1): the code is `__type`.
pub fn of_ecr(status: u16, code: &str, message: &str) -> Answer {
    let mut answer = answer(status, "application/x-amz-json-1.1", json!({"__type": code, "message": message}).to_string());
    answer.headers_mut().insert("x-amzn-requestid", request_id().parse().unwrap());
    answer
}

/// STS (AWS query protocol).
pub fn of_sts(status: u16, code: &str, message: &str) -> Answer {
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>{kind}</Type>\n    \
         <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  <RequestId>{}</RequestId>\n</ErrorResponse>\n",
        request_id()
    );
    answer(status, "text/xml", body)
}

/// The registry (OCI distribution specification, "Error codes").
pub fn of_registry(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": message}]}).to_string();
    let mut answer = answer(status, "application/json; charset=utf-8", body);
    answer.headers_mut().insert("docker-distribution-api-version", "registry/2.0".parse().unwrap());
    answer
}

/// The store of blobs (Amazon S3 API reference, "REST error responses").
pub fn of_storage(status: u16, code: &str, message: &str) -> Answer {
    let body =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    answer(status, "application/xml", body)
}

/// GitHub's token service.
pub fn of_github(status: u16, message: &str) -> Answer {
    let body = json!({"$id": "1", "message": message, "typeKey": "VssServiceException", "errorCode": 0}).to_string();
    answer(status, "application/json; charset=utf-8; api-version=2.0-preview.1", body)
}

/// A service that has trouble of its own.
pub fn of_trouble(service: Service, status: u16) -> Answer {
    let down = status == 503;
    match service {
        Service::GitHub => of_github(status, "The service is not available."),
        Service::Sts if down => of_sts(503, "ServiceUnavailable", "The request has failed due to a temporary failure."),
        Service::Sts => of_sts(status, "InternalFailure", "The request processing has failed."),
        Service::Ecr if down => of_ecr(503, "ServiceUnavailableException", "Service is unavailable"),
        Service::Ecr => of_ecr(status, "ServerException", "An internal error occurred."),
        Service::Kms => of_ecr(status, "KMSInternalException", "An internal error occurred."),
        Service::Storage if down => of_storage(503, "ServiceUnavailable", "Service is unable to handle request."),
        Service::Storage => of_storage(status, "InternalError", "We encountered an internal error. Please try again."),
        Service::Registry if down => of_registry(503, "UNAVAILABLE", "Service Unavailable"),
        Service::Registry => of_registry(status, "UNKNOWN", "An unknown error occurred"),
    }
}

/// A service that denies a call, in words of its own.
pub fn of_denial(service: Service, message: &str) -> Answer {
    match service {
        Service::GitHub => of_github(403, message),
        Service::Sts => of_sts(403, "AccessDenied", message),
        Service::Ecr | Service::Kms => of_ecr(400, "AccessDeniedException", message),
        Service::Storage => of_storage(403, "AccessDenied", message),
        Service::Registry => of_registry(403, "DENIED", message),
    }
}

/// A service that is asked too often.
pub fn of_haste(service: Service) -> Answer {
    match service {
        Service::GitHub => of_github(429, "Too many requests."),
        Service::Sts => of_sts(400, "Throttling", "Rate exceeded"),
        Service::Ecr | Service::Kms => of_ecr(400, "ThrottlingException", "Rate exceeded"),
        Service::Storage => of_storage(503, "SlowDown", "Please reduce your request rate."),
        Service::Registry => of_registry(429, "TOOMANYREQUESTS", "Rate exceeded"),
    }
}

/// A service that was shown credentials of yesterday.
pub fn of_expiry(service: Service) -> Answer {
    match service {
        Service::GitHub => of_github(401, "The job's token has expired."),
        Service::Sts => of_sts(400, "ExpiredTokenException", "Token expired: current date/time must be before the expiration"),
        Service::Ecr | Service::Kms => {
            of_ecr(400, "ExpiredTokenException", "The security token included in the request is expired")
        }
        Service::Storage => of_storage(403, "AccessDenied", "Request has expired"),
        Service::Registry => of_registry(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again."),
    }
}

/// A number of a request.
pub fn request_id() -> String {
    let number: u128 = rand::random();
    let digits = format!("{number:032x}");
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}
