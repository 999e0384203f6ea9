//! The GitHub that a delivery reports to: code scanning, checks, environments, attestations and issues, one server for a test process, one repository for each
//! test. It refuses as GitHub does, and Prism holds both sides against GitHub's own description.

mod alert;
mod app;
mod attestation;
mod call;
mod check_run;
mod checks;
mod code_scanning;
mod environment;
mod fault;
mod git_data;
mod issue;
mod journal;
mod options;
mod prism;
mod pull_request;
mod refusal;
mod repository;
mod sarif;
mod schema;
mod server;
mod storage_record;
pub mod stranger;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use alert::Alert;
pub use app::{App, AppToken};
pub use attestation::Attestation;
pub use call::Call;
pub use check_run::CheckRun;
pub use code_scanning::{Analysis, Upload};
pub use environment::Branches;
pub use fault::{Fault, Times};
pub use issue::Issue;
pub use journal::{Entry, Held, Moment};
pub use options::{CodeScanning, Options};
pub use pull_request::PullRequest;

use crate::service::content;
use rand::distr::{Alphanumeric, SampleString as _};
use server::Server;

/// GitHub, as a test process has it.
#[derive(Clone, Copy)]
pub struct GitHub(&'static Server);

impl GitHub {
    /// Starts it, the first time.
    pub fn start() -> Self {
        Self(Server::get())
    }

    /// A repository of its own for a test.
    pub fn repository(self, options: Options) -> Repository {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let slug = format!("octo-org/{}-{}", options.name, NUMBER.fetch_add(1, Ordering::Relaxed));
        let made_up = || format!("ghs_{}", Alphanumeric.sample_string(&mut rand::rng(), 36));
        let token = options.token.clone().unwrap_or_else(made_up);
        let content = Arc::new(repository::Repository::new(slug, token, options));
        self.0.add(&content);
        Repository { server: self.0, content }
    }

    /// What Prism found wrong with requests to no repository.
    pub fn violations(self) -> Vec<String> {
        self.0.violations.lock().unwrap().clone()
    }
}

/// A repository. When it is dropped, nothing may have been asked or answered that GitHub's description does not allow.
pub struct Repository {
    server: &'static Server,
    content: Arc<repository::Repository>,
}

impl Repository {
    /// `owner/name`.
    pub fn slug(&self) -> String {
        self.content.slug.clone()
    }

    /// The token that is accepted.
    pub fn token(&self) -> String {
        self.content.token.clone()
    }

    /// The address of the API.
    pub fn api(&self) -> String {
        self.server.base(false).api
    }

    /// What a job of it has in its environment, and the action's `github-token`.
    pub fn environment(&self) -> Vec<(String, String)> {
        self.variables(false)
    }

    /// As [`Repository::environment`], on an enterprise server, where Prism is not between.
    pub fn enterprise(&self) -> Vec<(String, String)> {
        self.variables(true)
    }

    fn variables(&self, enterprise: bool) -> Vec<(String, String)> {
        let base = self.server.base(enterprise);
        let pairs = [
            ("GITHUB_API_URL", base.api),
            ("GITHUB_SERVER_URL", base.server),
            ("GITHUB_REPOSITORY", self.slug()),
            ("INPUT_GITHUB-TOKEN", self.token()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What was uploaded and not refused, in order.
    pub fn uploads(&self) -> Vec<Upload> {
        self.content.uploads.lock().unwrap().clone()
    }

    /// The runs of all uploads that could be processed, in order.
    pub fn analyses(&self) -> Vec<Analysis> {
        self.content.analyses()
    }

    /// What the Security tab shows of a ref: `refs/heads/main`.
    pub fn alerts(&self, reference: &str) -> Vec<Alert> {
        alert::alerts(self.analyses().iter().filter(|analysis| analysis.reference == reference))
    }

    /// All attestations, in the order they were made.
    pub fn attestations(&self) -> Vec<Attestation> {
        self.content.attestations.lock().unwrap().clone()
    }

    /// All storage records that its jobs have made, in the order they were made.
    pub fn storage_records(&self) -> Vec<serde_json::Value> {
        self.content.storage_records.lock().unwrap().clone()
    }

    /// All issues, in the order they were made.
    pub fn issues(&self) -> Vec<Issue> {
        self.content.issues.lock().unwrap().clone()
    }

    /// Somebody writes an issue, or changes one: the last word on the issue of its number, which is given where it has none.
    pub fn write_issue(&self, issue: Issue) -> usize {
        let mut issues = self.content.issues.lock().unwrap();
        let number = if issue.number == 0 { issues.len() + 1 } else { issue.number };
        issues.retain(|one| one.number != number);
        issues.push(Issue { number, ..issue });
        issues.sort_by_key(|issue| issue.number);
        number
    }

    /// All pull requests, in the order they were made.
    pub fn pull_requests(&self) -> Vec<PullRequest> {
        self.content.pull_requests.lock().unwrap().clone()
    }

    /// All tokens that its App was given, in order.
    pub fn app_tokens(&self) -> Vec<AppToken> {
        self.content.app_tokens.lock().unwrap().clone()
    }

    /// Somebody ends all of them.
    pub fn revoke_app_tokens(&self) {
        self.content.app_tokens.lock().unwrap().iter_mut().for_each(|token| token.revoked = true);
    }

    /// All check runs, in the order they were made.
    pub fn check_runs(&self) -> Vec<CheckRun> {
        self.content.check_runs.lock().unwrap().clone()
    }

    /// Lets a call fail.
    pub fn fail(&self, call: Call, times: Times, fault: Fault) {
        self.content.faults.add(call, times, fault);
    }

    /// Lets a call fail no longer.
    pub fn mend(&self, call: Call) {
        self.content.faults.clear(call);
    }

    /// Holds the `nth` request of a call, counted from one.
    pub fn hold(&self, call: Call, nth: usize, moment: Moment) -> Held {
        self.content.journal.hold(call, nth, moment)
    }

    /// What was asked so far.
    pub fn journal(&self) -> Vec<Entry> {
        self.content.journal.entries()
    }

    /// How many requests of a call came so far.
    pub fn count(&self, call: Call) -> usize {
        self.journal().iter().filter(|entry| entry.call == call).count()
    }

    /// What Prism found wrong so far.
    pub fn violations(&self) -> Vec<String> {
        self.content.violations.lock().unwrap().clone()
    }

    /// What Prism found wrong so far, which is then forgotten: for a test that does wrong on purpose.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.content.violations.lock().unwrap())
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut found = self.violations();
        found.extend(GitHub(self.server).violations());
        assert!(found.is_empty(), "GitHub's description does not allow this:\n{}", found.join("\n"));
    }
}
