//! ECR's registry, before one that is not ECR: its password, its permissions, its repositories and its habits.

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::http::request::Parts;
use hyper::{Method, Request};
use serde_json::Value;

use super::account::Session;
use super::call::{Call, Place};
use super::content::{Answer, Content, collected, forward, full};
use super::refusal::{answer, of_registry};
use super::server::Server;

/// All that a tag may name.
pub const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json";

impl Server {
    /// Answers a request.
    pub async fn distribution(&self, call: Call, head: Parts, content: Content) -> std::io::Result<Answer> {
        if let Err(refusal) = self.admit(call, &head) {
            // A client that still sends would not read the answer.
            collected(content).await?;
            return Ok(refusal);
        }
        match call {
            Call::Ping => Ok(answer(200, "application/json", "{}")),
            Call::BlobGet => self.locate(&head).await,
            Call::UploadStart => self.start_upload(head, content).await,
            Call::UploadPatch => self.take_part(head, content).await,
            Call::ManifestPutTag => {
                let _one_at_a_time = self.tagging.lock().await;
                match self.kept(&head).await? {
                    Some(refusal) => Ok(refusal),
                    None => self.put_manifest(call, head, content).await,
                }
            }
            Call::ManifestPutByDigest => self.put_manifest(call, head, content).await,
            _ => self.pass(head, content).await,
        }
    }

    /// Lets a request in; the error is what the client is told instead.
    fn admit(&self, call: Call, head: &Parts) -> Result<(), Answer> {
        let session = self.logged_in(head)?;
        let Some(place) = Place::of(head.uri.path()) else {
            return if call == Call::Ping { Ok(()) } else { Err(of_registry(404, "UNSUPPORTED", "Not Found")) };
        };
        if let Some(action) = call.permission() {
            let resource = self.account.repository_arn(place.repository);
            let allowed = self.account.authorize(&session, action, &resource);
            allowed.map_err(|sentence| of_registry(403, "DENIED", &sentence))?;
        }
        if !self.account.content().repositories.contains_key(place.repository) {
            let (name, id) = (place.repository, &self.account.id);
            let message = format!("The repository with name '{name}' does not exist in the registry with id '{id}'");
            return Err(of_registry(404, "NAME_UNKNOWN", &message));
        }
        if head.method == Method::DELETE && call != Call::UploadOther || call == Call::Unknown {
            return Err(of_registry(405, "UNSUPPORTED", "The operation is unsupported."));
        }
        Ok(())
    }

    fn logged_in(&self, head: &Parts) -> Result<Session, Answer> {
        let refusal = || {
            let mut answer = answer(401, "text/plain; charset=utf-8", "Not Authorized\n");
            let challenge = format!("Basic realm=\"http://{}/\",service=\"ecr.amazonaws.com\"", self.host);
            answer.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
            answer.headers_mut().insert("docker-distribution-api-version", "registry/2.0".parse().unwrap());
            answer
        };
        let shown = head.headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
        let pair = shown.and_then(|pair| String::from_utf8(STANDARD.decode(pair).ok()?).ok());
        let password = pair.as_ref().and_then(|pair| pair.strip_prefix("AWS:")).ok_or_else(refusal)?;
        let passwords = self.passwords.lock().unwrap();
        let password = passwords.get(password).ok_or_else(refusal)?;
        if password.expires <= SystemTime::now() {
            let message = "Your authorization token has expired. Reauthenticate and try again.";
            return Err(of_registry(403, "DENIED", message));
        }
        Ok(password.session.clone())
    }

    /// Passes a request on as it is, without the password.
    async fn pass(&self, mut head: Parts, content: Content) -> std::io::Result<Answer> {
        head.headers.remove("authorization");
        head.headers.remove("expect");
        forward(&self.registry, Request::from_parts(head, content)).await
    }

    /// Mounting is a setting of the account, and it is off unless someone asked for it. Where a blob is not mounted, an upload
    /// begins.
    async fn start_upload(&self, mut head: Parts, content: Content) -> std::io::Result<Answer> {
        if !self.mounts || !self.may_mount(&head) {
            head.uri = head.uri.path().parse().unwrap();
        }
        self.pass(head, content).await
    }

    /// Whether the blob's repository is there and may be read.
    fn may_mount(&self, head: &Parts) -> bool {
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let from = url::form_urlencoded::parse(query).find(|(name, _)| name == "from");
        let (Some((_, from)), Ok(session)) = (from, self.logged_in(head)) else { return false };
        let resource = self.account.repository_arn(&from);
        let actions = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"];
        let allowed = actions.iter().all(|action| self.account.authorize(&session, action, &resource).is_ok());
        allowed && self.account.content().repositories.contains_key(&*from)
    }

    /// The first part of an upload is kept, each other is taken and dropped (containers-roadmap#2831). The status is 201.
    async fn take_part(&self, head: Parts, content: Content) -> std::io::Result<Answer> {
        let upload = head.uri.path().to_owned();
        if self.uploads.lock().unwrap().insert(upload) {
            let mut answer = self.pass(head, content).await?;
            if answer.status() == 202 {
                *answer.status_mut() = hyper::StatusCode::CREATED;
            }
            return Ok(answer);
        }
        let length = collected(content).await?.len();
        let begun = head.headers.get("content-range").and_then(|range| range.to_str().ok()?.split('-').next()?.parse().ok());
        let end = begun.unwrap_or(0) + length;
        let mut answer = answer(201, "text/plain", "");
        let location = format!("http://{}{}", self.host, head.uri);
        answer.headers_mut().insert("location", location.parse().unwrap());
        answer.headers_mut().insert("range", format!("0-{}", end.saturating_sub(1)).parse().unwrap());
        Ok(answer)
    }

    /// What is said of a tag that is there and stays, whatever it is to name.
    async fn kept(&self, head: &Parts) -> std::io::Result<Option<Answer>> {
        let Some(Place { repository, reference: tag, .. }) = Place::of(head.uri.path()) else { return Ok(None) };
        let stays = self.account.content().repositories.get(repository).is_some_and(|one| one.keeps(tag));
        if !stays {
            return Ok(None);
        }
        let request =
            Request::head(head.uri.path()).header("host", &self.host).header("accept", MANIFESTS).body(full("")).unwrap();
        if forward(&self.registry, request).await?.status() != 200 {
            return Ok(None);
        }
        let message = format!(
            "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten because the tag is \
             immutable."
        );
        Ok(Some(of_registry(400, "TAG_INVALID", &message)))
    }

    /// What the tags of a repository name, as the registry behind says.
    pub async fn tags_of(&self, repository: &str) -> std::io::Result<BTreeMap<String, String>> {
        let ask = |method: &str, path: String| {
            let request = Request::builder().method(method).uri(path).header("host", &self.host).header("accept", MANIFESTS);
            let request = request.body(full("")).unwrap();
            async { forward(&self.registry, request).await }
        };
        let list = collected(ask("GET", format!("/v2/{repository}/tags/list")).await?.into_body()).await?;
        let list: Value = serde_json::from_slice(&list)?;
        let mut tags = BTreeMap::new();
        for tag in list["tags"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let answer = ask("HEAD", format!("/v2/{repository}/manifests/{tag}")).await?;
            if answer.status() == 200 {
                tags.insert(tag.to_owned(), answer.headers()["docker-content-digest"].to_str().unwrap().to_owned());
            }
        }
        Ok(tags)
    }

    /// Takes a manifest; what it names must be there.
    async fn put_manifest(&self, call: Call, head: Parts, content: Content) -> std::io::Result<Answer> {
        let repository = Place::of(head.uri.path()).map(|place| place.repository.to_owned()).unwrap_or_default();
        let manifest = collected(content).await?;
        let index = serde_json::from_slice::<Value>(&manifest).is_ok_and(|manifest| manifest["manifests"].is_array());
        let mut answer = self.pass(head, full(manifest)).await?;
        if answer.status().is_success() {
            if call == Call::ManifestPutByDigest {
                answer.headers_mut().remove("location");
            }
            return Ok(answer);
        }
        let (head, content) = answer.into_parts();
        let said = collected(content).await?;
        let errors: Value = serde_json::from_slice(&said).unwrap_or_default();
        let errors = errors["errors"].as_array().cloned().unwrap_or_default();
        let missing = errors.iter().filter(|error| error["code"] == "MANIFEST_BLOB_UNKNOWN");
        let missing: Vec<&str> = missing.filter_map(|error| error["detail"].as_str()).collect();
        if missing.is_empty() {
            return Ok(Answer::from_parts(head, full(said)));
        }
        let kind = if index { "Images" } else { "Layers" };
        let message = format!(
            "{kind} with digests '[{}]' required for pushing image into repository with name '{repository}' in the registry with \
             id '{}' do not exist",
            missing.join(", "),
            self.account.id
        );
        Ok(of_registry(head.status.as_u16(), "MANIFEST_BLOB_UNKNOWN", &message))
    }
}
