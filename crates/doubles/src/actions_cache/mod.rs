//! The cache of GitHub Actions, version 2 of its service: reservations, commits and addresses by Twirp, contents by signed
//! addresses of an Azure block blob store. One for each test.
//!
//! It refuses as GitHub's does: a token that is not its own or is no more, an entry that is there already, a scope that the
//! token may only read, content that is not as long as was said, an address that is not signed or for something else. Read are
//! the entries of the run's own ref and those of the refs that its token names; what is over the limit of a repository is
//! forgotten, the longest unused first.

mod blobs;
mod entries;
mod refusal;
mod server;
mod token;

use std::net::TcpListener;
use std::sync::Arc;

pub use server::Fault;
pub use token::Right;

use tokio::runtime::Runtime;

use crate::aws::Times;
use server::Server;

/// A cache; it ends when this is dropped.
pub struct ActionsCache {
    server: Arc<Server>,
    runtime: Option<Runtime>,
}

impl ActionsCache {
    /// How many bytes a repository may have there at GitHub.
    pub const LIMIT: usize = 10 << 30;

    /// Starts one, with nothing in it.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let server = Arc::new(Server::new(listener.local_addr().unwrap()));
        let serving = server.clone();
        runtime.spawn(async move { serving.run(tokio::net::TcpListener::from_std(listener).unwrap()).await });
        Self { server, runtime: Some(runtime) }
    }

    /// What the environment of a job has whose run may use these scopes: a ref, and what may be done with its entries.
    pub fn variables(&self, scopes: &[(&str, Right)]) -> Vec<(&'static str, String)> {
        vec![
            ("ACTIONS_RESULTS_URL", format!("http://{}/", self.server.address)),
            ("ACTIONS_RUNTIME_TOKEN", self.server.tokens.issue(scopes)),
        ]
    }

    /// The keys that are there, with their scopes.
    pub fn keys(&self) -> Vec<(String, String)> {
        self.server.entries.lock().unwrap().keys()
    }

    /// From now on no token that was issued so far is good.
    pub fn expire_tokens(&self) {
        self.server.tokens.expire();
    }

    /// Lets a repository have no more than this.
    pub fn limit(&self, bytes: usize) {
        self.server.entries.lock().unwrap().limit(bytes);
    }

    /// Changes the content of each entry.
    pub fn spoil(&self) {
        self.server.entries.lock().unwrap().spoil();
    }

    /// Lets requests fail whose path has this in it.
    pub fn fail(&self, holds: &str, times: Times, fault: Fault) {
        self.server.faults.lock().unwrap().push((holds.to_owned(), times, fault));
    }

    /// Lets nothing fail any longer.
    pub fn mend(&self) {
        self.server.faults.lock().unwrap().clear();
    }

    /// How many requests came so far whose path has this in it.
    pub fn count(&self, holds: &str) -> usize {
        self.server.seen.lock().unwrap().iter().filter(|path| path.contains(holds)).count()
    }
}

impl Drop for ActionsCache {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}
