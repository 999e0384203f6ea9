//! Where ECR keeps the content of blobs: a store of its own, with links that expire (S3, "Presigned URLs").

use hyper::Request;
use hyper::http::request::Parts;

use super::call::Place;
use super::content::{Answer, forward, full};
use super::refusal::{answer, of_storage};
use super::secrets::random_text;
use super::server::Server;

impl Server {
    /// Says where the content of a blob is, if it is there.
    pub async fn locate(&self, head: &Parts) -> std::io::Result<Answer> {
        let path = head.uri.path();
        let request = Request::head(path).header("host", &self.host).body(full("")).unwrap();
        let found = forward(&self.registry, request).await?;
        if found.status() != 200 {
            let request = Request::get(path).header("host", &self.host).body(full("")).unwrap();
            return forward(&self.registry, request).await;
        }
        let signature = self.secrets.keep(random_text(32));
        self.links.lock().unwrap().insert(signature.clone(), path.to_owned());
        let digest = Place::of(path).map(|place| place.reference).unwrap_or_default();
        let storage = &self.storage;
        let location = format!("http://{storage}/{digest}?X-Amz-Expires=3600&X-Amz-Signature={signature}");
        let mut answer = answer(307, "text/plain", "");
        answer.headers_mut().insert("location", location.parse().unwrap());
        Ok(answer)
    }

    /// Answers a request to the store. Whoever shows it a password is refused, as S3 does.
    pub async fn content(&self, head: &Parts) -> std::io::Result<Answer> {
        if head.headers.contains_key("authorization") {
            let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter \
                           or the Authorization header should be specified";
            return Ok(of_storage(400, "InvalidArgument", message));
        }
        let query = head.uri.query().unwrap_or_default();
        let signature = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "X-Amz-Signature");
        let path = signature.and_then(|(_, signature)| self.links.lock().unwrap().get(&*signature).cloned());
        let Some(path) = path.filter(|_| head.method == "GET") else {
            return Ok(of_storage(403, "AccessDenied", "Access Denied"));
        };
        let mut request = Request::get(path).header("host", &self.host);
        if let Some(range) = head.headers.get("range") {
            request = request.header("range", range);
        }
        forward(&self.registry, request.body(full("")).unwrap()).await
    }
}
