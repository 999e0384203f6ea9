//! GitHub's service of id tokens alone, for a job that has no account at AWS.

use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::issuer::Issuer;
use super::secrets::Secrets;

/// A service; it ends when this is dropped.
pub struct TokenService {
    address: String,
    issuer: Arc<Issuer>,
    secrets: Arc<Secrets>,
    runtime: Option<Runtime>,
}

impl TokenService {
    pub(super) fn start(issuer: Issuer, secrets: Secrets) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (issuer, secrets) = (Arc::new(issuer), Arc::new(secrets));
        runtime.spawn(serve(listener, issuer.clone(), secrets.clone()));
        Self { address, issuer, secrets, runtime: Some(runtime) }
    }

    /// What the job finds in its environment.
    pub fn variables(&self) -> Vec<(String, String)> {
        self.issuer.variables(&self.address)
    }

    /// A token of the job for someone, without asking.
    pub fn token(&self, audience: &str) -> String {
        self.secrets.keep(self.issuer.token(audience))
    }

    /// What must not be found anywhere.
    pub fn secrets(&self) -> Vec<String> {
        self.secrets.all()
    }
}

async fn serve(listener: std::net::TcpListener, issuer: Arc<Issuer>, secrets: Arc<Secrets>) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((client, _)) = listener.accept().await {
        let (issuer, secrets) = (issuer.clone(), secrets.clone());
        tokio::spawn(async move {
            let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
                let answer = issuer.id_token(&request.into_parts().0, &secrets);
                async move { Ok::<_, std::io::Error>(answer) }
            });
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service).await.ok();
        });
    }
}

impl Drop for TokenService {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}
