//! How GitHub says no. The words are those that users quote in public issues, where no documentation has them.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::Response;
use serde_json::{Value, json};

use super::call::Call;
use super::content::{Answer, full};

/// A request that is not served.
#[derive(Clone, Debug)]
pub struct Refusal {
    status: u16,
    message: String,
    errors: Option<Value>,
    headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: None, headers: vec![] }
    }

    /// A document that breaks the call's schema, with GitHub's sentences about it.
    pub fn invalid(complaints: &[String]) -> Self {
        Self::new(422, format!("Invalid request.\n\n{}", complaints.join("\n")))
    }

    /// A document that fits the schema and still makes no sense.
    pub fn failed(error: &Value) -> Self {
        Self { errors: Some(json!([error])), ..Self::new(422, "Validation Failed") }
    }

    /// A token without a permission, which the header names as apps do: with an underscore.
    pub fn not_permitted(permission: &str, writes: bool) -> Self {
        let accepted = format!("{}={}", permission.replace('-', "_"), if writes { "write" } else { "read" });
        let headers = vec![("x-accepted-github-permissions", accepted)];
        Self { headers, ..Self::new(403, "Resource not accessible by integration") }
    }

    /// The hour's requests are used up ("Rate limits for the REST API", "Exceeding the rate limit").
    pub fn of_limit(status: u16, reset_in: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let message = format!("API rate limit exceeded for installation ID 5425010. {}", support());
        let headers = vec![
            ("x-ratelimit-limit", "1000".to_owned()),
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-used", "1000".to_owned()),
            ("x-ratelimit-reset", (now + reset_in).to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ];
        Self { headers, ..Self::new(status, message) }
    }

    /// Too much at a time ("About secondary rate limits"); the header may be missing.
    pub fn of_haste(status: u16, retry_after: Option<u64>) -> Self {
        let message = format!(
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. {} \
             For more on scraping GitHub and how it may affect your rights, please review our Terms of Service \
             (https://docs.github.com/en/site-policy/github-terms/github-terms-of-service)",
            support()
        );
        let headers = retry_after.map(|seconds| ("retry-after", seconds.to_string())).into_iter().collect();
        Self { headers, ..Self::new(status, message) }
    }

    /// The answer to a call.
    pub fn answer(self, call: Call) -> Answer {
        let mut body = json!({"message": self.message});
        if let Some(errors) = self.errors {
            body["errors"] = errors;
        }
        body["documentation_url"] = call.documentation().into();
        body["status"] = self.status.to_string().into();
        let mut answer = answer(self.status, &body);
        for (name, value) in self.headers {
            answer.headers_mut().insert(name, value.parse().unwrap());
        }
        answer
    }
}

/// A document as an answer, with the headers that GitHub's answers have.
pub fn answer(status: u16, document: &Value) -> Answer {
    Response::builder()
        .status(status)
        .header("content-type", "application/json; charset=utf-8")
        .header("server", "github.com")
        .header("x-github-media-type", "github.v3; format=json")
        .header(REQUEST_ID, request_id())
        .header("x-ratelimit-limit", "1000")
        .header("x-ratelimit-remaining", "999")
        .header("x-ratelimit-resource", "core")
        .body(full(document.to_string()))
        .unwrap()
}

/// GitHub's page about trouble of its own.
pub fn unicorn(status: u16) -> Answer {
    let sentence = match status {
        503 => "No server is currently available to service your request.",
        _ => "This page is taking too long to load.",
    };
    let page = format!(
        "<!DOCTYPE html>\n<!--\n\nHello future GitHubber! I bet you're here to remove those nasty inline styles,\n\
         DRY up these templates and make 'em nice and re-usable, right?\n\nPlease, don't.\n\n-->\n<html>\n  <head>\n    \
         <title>Unicorn! &middot; GitHub</title>\n    <style type=\"text/css\" media=\"screen\">\n      body {{ margin: 0 }}\n    \
         </style>\n  </head>\n  <body>\n    <div class=\"container\">\n      <p>\n        <strong>{sentence}</strong>\n        \
         <br>\n        Sorry about that. Please try refreshing and contact us if the problem persists.\n      </p>\n    \
         </div>\n  </body>\n</html>\n"
    );
    page_of(status, page)
}

/// What GitHub's gate says to a client without a name ("User agent required").
pub fn nameless() -> Answer {
    let page = "\r\nRequest forbidden by administrative rules. Please make sure your request has a User-Agent header \
                (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). Check \
                https://developer.github.com for other possible causes.\r\n";
    page_of(403, page.to_owned())
}

fn page_of(status: u16, page: String) -> Answer {
    Response::builder()
        .status(status)
        .header("content-type", "text/html; charset=utf-8")
        .header(REQUEST_ID, request_id())
        .body(full(page))
        .unwrap()
}

/// What only GitHub's own answers have.
pub const REQUEST_ID: &str = "x-github-request-id";

fn request_id() -> String {
    let number: u128 = rand::random();
    let digits = format!("{number:032X}");
    format!("{}:{}:{}:{}:{}", &digits[..4], &digits[4..10], &digits[10..17], &digits[17..24], &digits[24..])
}

fn support() -> String {
    format!(
        "If you reach out to GitHub Support for help, please include the request ID {} and timestamp {}.",
        request_id(),
        jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC")
    )
}
