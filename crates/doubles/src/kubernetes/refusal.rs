//! How an API server says no: a `Status`, in the words of apimachinery (`pkg/api/errors/errors.go`) and of the authorizer.

use hyper::Response;
use serde_json::{Value, json};

use crate::service::content::{Answer, full};

/// A request that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    reason: &'static str,
    message: String,
    name: Option<String>,
    /// What is wrong with a field: its path, and why.
    cause: Option<(String, String)>,
    retry_after: Option<u64>,
}

impl Refusal {
    fn new(status: u16, reason: &'static str, message: String) -> Self {
        Self { status, reason, message, name: None, cause: None, retry_after: None }
    }

    fn of(name: &str, status: u16, reason: &'static str, message: String) -> Self {
        Self { name: Some(name.to_owned()), ..Self::new(status, reason, message) }
    }

    /// The token is not one that is good.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized".to_owned())
    }

    /// No role lets this user do it.
    pub fn forbidden(user: &str, verb: &str, namespace: &str, name: &str) -> Self {
        let what = if name.is_empty() { "secrets".to_owned() } else { format!("secrets {name:?}") };
        let message = format!(
            "{what} is forbidden: User {user:?} cannot {verb} resource \"secrets\" in API group \"\" in the namespace {namespace:?}"
        );
        Self::of(name, 403, "Forbidden", message)
    }

    /// There is none of this name.
    pub fn not_found(name: &str) -> Self {
        Self::of(name, 404, "NotFound", format!("secrets {name:?} not found"))
    }

    /// Somebody has changed it since.
    pub fn conflict(name: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on secrets {name:?}: the object has been modified; please apply your changes to the latest \
             version and try again"
        );
        Self::of(name, 409, "Conflict", message)
    }

    /// There is one already.
    pub fn exists(name: &str) -> Self {
        Self::of(name, 409, "AlreadyExists", format!("secrets {name:?} already exists"))
    }

    /// It would make no object that is valid: `FIELD: WHY`.
    pub fn invalid(name: &str, why: &str) -> Self {
        let cause = why.split_once(": ").map(|(field, why)| (field.to_owned(), why.to_owned()));
        Self { cause, ..Self::of(name, 422, "Invalid", format!("Secret {name:?} is invalid: {why}")) }
    }

    /// The request is none.
    pub fn bad(why: &str) -> Self {
        Self::new(400, "BadRequest", why.to_owned())
    }

    /// The content is of a type that is not read here.
    pub fn unsupported() -> Self {
        Self::new(415, "UnsupportedMediaType", "the body of the request was in an unknown format".to_owned())
    }

    /// Something is wrong inside.
    pub fn trouble(status: u16) -> Self {
        Self::new(status, "InternalError", "an error on the server has prevented the request from succeeding".to_owned())
    }

    /// Too many requests at a time.
    pub fn haste(seconds: u64) -> Self {
        let message = "Too many requests, please try again later.".to_owned();
        Self { retry_after: Some(seconds), ..Self::new(429, "TooManyRequests", message) }
    }

    /// The answer.
    pub fn answer(&self) -> Answer {
        let details = self.name.as_ref().map(|name| match &self.cause {
            Some((field, why)) => json!({
                "name": name, "kind": "Secret", "causes": [{ "reason": reason(why), "message": why, "field": field }],
            }),
            None => json!({ "name": name, "kind": "secrets" }),
        });
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.status,
        });
        if let Some(details) = details {
            status["details"] = details;
        }
        let mut answer = json_answer(self.status, &status);
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert("retry-after", seconds.into());
        }
        answer
    }
}

/// What is wrong with a field, in one word (apimachinery, `pkg/util/validation/field/errors.go`).
fn reason(why: &str) -> &'static str {
    match why.split_once(' ').map(|(first, _)| first) {
        Some("Required") => "FieldValueRequired",
        Some("Forbidden:") => "FieldValueForbidden",
        _ => "FieldValueInvalid",
    }
}

/// An answer of JSON.
pub fn json_answer(status: u16, body: &Value) -> Answer {
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(full(body.to_string())).unwrap()
}
