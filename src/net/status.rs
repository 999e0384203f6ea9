//! The statuses that pass.

use http::StatusCode;

/// The statuses after which the same request may fare better (RFC 9110, section 15; 429: RFC 6585, section 4), each with
/// the reason. All others judge the request: asked again, it is judged again.
const TEMPORARY: [(StatusCode, &str); 6] = [
    (StatusCode::REQUEST_TIMEOUT, "the request took too long to arrive"),
    (StatusCode::TOO_MANY_REQUESTS, "too much was asked in too short a time"),
    (StatusCode::INTERNAL_SERVER_ERROR, "one machine of many failed at it"),
    (StatusCode::BAD_GATEWAY, "a proxy got no sense from the server behind it"),
    (StatusCode::SERVICE_UNAVAILABLE, "the server is overloaded or restarts"),
    (StatusCode::GATEWAY_TIMEOUT, "a proxy got no answer in time"),
];

/// Whether the same request may fare better later.
pub(crate) fn is_temporary(status: StatusCode) -> bool {
    TEMPORARY.iter().any(|(temporary, _)| *temporary == status)
}

/// The table for the documentation.
#[cfg(test)]
pub(super) fn documented() -> String {
    let rows = TEMPORARY.iter().map(|(status, reason)| format!("| {} | {reason} |\n", status.as_u16()));
    format!("| status | why it passes |\n|---|---|\n{}", rows.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_judges_the_request_does_not_pass() {
        for status in [200, 301, 400, 401, 403, 404, 405, 409, 413, 501, 505] {
            assert!(!is_temporary(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(is_temporary(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }
}
