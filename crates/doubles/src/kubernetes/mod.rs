//! The API server of a Kubernetes cluster, as far as Secrets go: TLS by an authority of its own, tokens of service accounts that
//! expire, roles that are bound to names, versions of objects, and refusals as `Status` objects. One for each test.

mod access;
mod authority;
mod fault;
mod objects;
mod refusal;
mod server;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use fault::Fault;
pub use server::Asked;

use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::aws::Times;
use crate::service::hold;
use server::Server;

/// What is held: a verb and the how-many-th request of it, counted from one and from the cluster's beginning.
pub type Held = hold::Held<(String, usize)>;

/// A cluster; it ends when this is dropped.
pub struct Cluster {
    server: Arc<Server>,
    folder: TempDir,
    runtime: Option<Runtime>,
}

impl Cluster {
    /// Starts one, which has no objects.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        authority::certify(folder.path());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let server = Arc::new(Server::new(listener.local_addr().unwrap()));
        let (serving, tls) = (server.clone(), authority::acceptor(folder.path()));
        runtime.spawn(async move { serving.run(tokio::net::TcpListener::from_std(listener).unwrap(), tls).await });
        Self { server, folder, runtime: Some(runtime) }
    }

    /// What the environment of each pod has.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let address = self.server.address;
        vec![("KUBERNETES_SERVICE_HOST", address.ip().to_string()), ("KUBERNETES_SERVICE_PORT", address.port().to_string())]
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("https://{}", self.server.address)
    }

    /// The certificate of its authority.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// Creates or replaces an object as the cluster's administrator: a Role, a `RoleBinding` or a Secret. Other kinds are passed over.
    pub fn apply(&self, object: &Value) {
        self.server.objects.lock().unwrap().apply(object);
    }

    /// A Secret as it is now.
    pub fn secret(&self, namespace: &str, name: &str) -> Option<Value> {
        self.server.objects.lock().unwrap().secret(namespace, name)
    }

    /// All that a Secret has been so far, the oldest first; `None` where it was deleted.
    pub fn history(&self, namespace: &str, name: &str) -> Vec<Option<Value>> {
        self.server.objects.lock().unwrap().history(namespace, name)
    }

    /// The folder that the kubelet gives a pod of a service account, with a token that is good.
    pub fn mount(&self, namespace: &str, name: &str) -> PathBuf {
        let mount = self.folder.path().join(format!("{namespace}-{name}"));
        std::fs::create_dir_all(mount.join("..data")).unwrap();
        std::fs::copy(self.certificate(), mount.join("..data/ca.crt")).unwrap();
        std::fs::write(mount.join("..data/namespace"), namespace).unwrap();
        for file in ["token", "ca.crt", "namespace"] {
            // As the kubelet does it: what is written anew is put in place by one link.
            let _ = std::os::unix::fs::symlink(Path::new("..data").join(file), mount.join(file));
        }
        self.rotate(namespace, name);
        mount
    }

    /// Puts a new token of a service account into its pod's folder; the old one goes on being good.
    pub fn rotate(&self, namespace: &str, name: &str) {
        let token = self.server.issue(&format!("system:serviceaccount:{namespace}:{name}"));
        std::fs::write(self.folder.path().join(format!("{namespace}-{name}/..data/token")), token).unwrap();
    }

    /// From now on no token that was issued so far is good.
    pub fn expire_tokens(&self) {
        self.server.expire();
    }

    /// All tokens that were issued: what must not be found anywhere.
    pub fn tokens(&self) -> Vec<String> {
        self.server.tokens()
    }

    /// Lets requests of a verb fail: `get`, `create`, `patch`, `update` or `delete`.
    pub fn fail(&self, verb: &str, times: Times, fault: Fault) {
        self.server.faults.lock().unwrap().push((verb.to_owned(), times, fault));
    }

    /// Lets nothing fail any longer.
    pub fn mend(&self) {
        self.server.faults.lock().unwrap().clear();
    }

    /// Holds the `nth` request of a verb.
    pub fn hold(&self, verb: &str, nth: usize) -> Held {
        self.server.holds.hold((verb.to_owned(), nth))
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.server.asked.lock().unwrap().clone()
    }

    /// How many connections came so far, those that never became one of TLS too.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}
