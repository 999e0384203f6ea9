//! What a registry answers: content within bounds, or a refusal with the registry's own words.

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use reqwest::Response;
use serde::Deserialize;

use super::Error;
use super::error::{Answer, clean};
use super::fault::Fault;
use super::transport::{Ask, IDLE_TIMEOUT, Transport, host_of};

/// The most that is read of a refusal or of a token, in bytes.
pub(super) const MAX_SMALL_ANSWER: u64 = 64 << 10;

#[derive(Deserialize)]
struct Refusals {
    errors: Vec<Refusal>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    code: Option<String>,
    message: Option<String>,
}

impl Transport {
    /// Reads an answer of at most `limit` bytes.
    pub(super) async fn read(&self, mut response: Response, ask: &Ask, limit: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(&mut response, ask).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > limit {
                return Err(Error::TooLarge { host: host_of(response.url()), subject: ask.subject.clone(), limit });
            }
        }
        Ok(bytes)
    }

    /// The next bytes of an answer.
    pub(super) async fn chunk(&self, response: &mut Response, ask: &Ask) -> Result<Option<Bytes>, Error> {
        match tokio::time::timeout(IDLE_TIMEOUT, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| ask.failed(error.into())),
            Err(_) => Err(ask.failed(Fault::Stalled(IDLE_TIMEOUT))),
        }
    }

    /// What a refusal says.
    pub(super) async fn refusal(&self, ask: &Ask, response: Response) -> Error {
        let (status, host) = (response.status(), host_of(response.url()));
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| wait(value.to_str().ok()?));
        // A refusal that can't be read is still a refusal.
        let body = self.read(response, ask, MAX_SMALL_ANSWER).await.unwrap_or_default();
        let first = serde_json::from_slice::<Refusals>(&body).ok().and_then(|refusals| refusals.errors.into_iter().next());
        let said = |text: Option<String>| text.map(|text| clean(&text)).filter(|text| !text.is_empty());
        let Refusal { code, message } = first.unwrap_or_default();
        Error::Answer(Box::new(Answer {
            host,
            repository: self.repository.to_string(),
            method: ask.method.clone(),
            subject: ask.subject.clone(),
            status,
            code: said(code),
            message: said(message),
            retry_after,
            credentials: self.credentials.origin.clone(),
        }))
    }
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn wait(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(Duration::try_from(date.timestamp().duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_says_in_seconds_or_by_a_date_when_to_come_back() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(wait("Wed, 21 Oct 2099 07:28:00 GMT").unwrap() > Duration::from_hours(24));
        assert_eq!(wait("soon"), None);
    }
}
