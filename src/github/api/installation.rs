//! The token that a GitHub App has for one repository, and for no more than is done there (GitHub docs, "Authenticating as a
//! GitHub App installation").

use std::time::{Duration, Instant};

use jiff::Timestamp;
use octocrab::Octocrab;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::{Call, Door, Error, Shown};
use crate::github::app::{App, InstallationId};
use crate::net::RetryPolicy;
use crate::secret::Secret;
use crate::sink::Body;
use crate::text;

/// So long before its end, a token is not shown any more: a request may be on its way for that long.
const SPARE: Duration = Duration::from_mins(1);
/// How long GitHub lets one live.
const LONGEST: Duration = Duration::from_hours(1);
/// A token that came in place of a refused one and is refused so soon itself is not replaced again: GitHub would refuse the
/// next one too.
const SOON: Duration = Duration::from_mins(1);
/// How long its end is waited for: less than whoever ends a run waits for that.
const LEAVE: Duration = Duration::from_secs(2);

/// An App, and the token that it has.
pub(super) struct Installation {
    app: App,
    door: Door,
    /// The repository's address, from the API's.
    path: String,
    /// Its name, without its owner.
    name: String,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// The installation, once it is known.
    id: Option<InstallationId>,
    issued: Option<Issued>,
    /// How many tokens there were.
    count: u64,
    /// When the last one came, where it came in place of one that was refused.
    replaced: Option<Instant>,
    /// Whether the next one comes in place of one that was refused.
    refused: bool,
}

struct Issued {
    shown: Shown,
    /// Until when it is shown. By this machine's clock it would be another time whenever that is set.
    until: Option<Instant>,
}

#[derive(Deserialize)]
struct Found {
    id: u64,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
    expires_at: Timestamp,
}

impl Installation {
    pub(super) fn new(app: App, door: Door, path: &str, name: &str) -> Self {
        Self { app, door, path: path.to_owned(), name: name.to_owned(), held: Mutex::default() }
    }

    /// A client with a token that is good: the one that is there, or a new one.
    pub(super) async fn shown(&self) -> Result<Shown, Error> {
        let mut held = self.held.lock().await;
        if let Some(shown) = held.good() {
            return Ok(shown);
        }
        let issued = self.issue(&mut held).await.map_err(|error| Error::App(Box::new(error)))?;
        let shown = issued.shown.clone();
        held.issued = Some(issued);
        Ok(shown)
    }

    /// Takes note that GitHub refuses a token as none. Whether to ask again: another one is there, or can be asked for.
    pub(super) async fn is_replaced(&self, number: u64) -> bool {
        self.held.lock().await.refuse(number)
    }

    /// Ends the token.
    pub(super) async fn leave(&self) {
        let Some(issued) = self.held.lock().await.issued.take() else { return };
        let revoked = RetryPolicy::GITHUB_API.run(|| revoke(&issued.shown.octocrab));
        match tokio::time::timeout(LEAVE, revoked).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the token of the GitHub App ends by itself"),
            Err(_) => tracing::debug!("the token of the GitHub App ends by itself"),
        }
    }

    /// Asks for a token: for this repository alone, to write files and pull requests.
    async fn issue(&self, held: &mut Held) -> Result<Issued, Error> {
        let assertion = self.app.assertion().map_err(|_| Error::Unsigned)?;
        let octocrab = self.door.with(&assertion)?;
        let id = match self.app.installation.or(held.id) {
            Some(id) => id,
            None => self.find(&octocrab).await?,
        };
        held.id = Some(id);
        let path = format!("/app/installations/{id}/access_tokens");
        let permissions = json!({"contents": "write", "pull_requests": "write"});
        let body = Body::of(&json!({"repositories": [self.name], "permissions": permissions}));
        let answer: Answer = octocrab.post(path, Some(&body)).await.map_err(|error| Error::of(Call::IssueToken, error))?;
        // It is out of everything that is shown from here on.
        let token = Secret::new(answer.token);
        let octocrab = self
            .door
            .with(&token)
            .map_err(|_| Error::Malformed { call: Call::IssueToken, reason: text::words("what it calls a token is none") })?;
        held.count += 1;
        let now = Instant::now();
        held.replaced = std::mem::take(&mut held.refused).then_some(now);
        let until = now.checked_add(left(answer.expires_at).saturating_sub(SPARE));
        Ok(Issued { shown: Shown { octocrab, number: held.count }, until })
    }

    async fn find(&self, octocrab: &Octocrab) -> Result<InstallationId, Error> {
        let found = octocrab.get::<Found, _, ()>(format!("{}/installation", self.path), None).await;
        Ok(found.map_err(|error| Error::of(Call::FindInstallation, error))?.id.into())
    }
}

impl Held {
    fn good(&self) -> Option<Shown> {
        let issued = self.issued.as_ref().filter(|issued| issued.until.is_some_and(|until| Instant::now() < until));
        issued.map(|issued| issued.shown.clone())
    }

    fn refuse(&mut self, number: u64) -> bool {
        if self.issued.as_ref().is_none_or(|issued| issued.shown.number != number) {
            return true;
        }
        if self.replaced.is_some_and(|at| at.elapsed() < SOON) {
            return false;
        }
        (self.issued, self.refused) = (None, true);
        true
    }
}

async fn revoke(shown: &Octocrab) -> Result<(), Error> {
    // There is nothing in the answer.
    let answered = match shown._delete("/installation/token", None::<&()>).await {
        Ok(answer) => octocrab::map_github_error(answer).await,
        Err(error) => Err(error),
    };
    answered.map(|_| ()).map_err(|error| Error::of(Call::RevokeToken, error))
}

/// How long a token lives from now on. Where this machine's clock says that it is over already, that is wrong, and it lives for as
/// long as GitHub lets one live.
fn left(end: Timestamp) -> Duration {
    let left = end.as_second() - Timestamp::now().as_second();
    u64::try_from(left).ok().filter(|left| *left > 0).map_or(LONGEST, Duration::from_secs).min(LONGEST)
}
