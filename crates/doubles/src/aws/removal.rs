//! `BatchDeleteImage`: ECR removes images by its API only, so it is done in the registry's folder.

use std::fs;
use std::path::{Path, PathBuf};

use hyper::Request;
use serde_json::{Value, json};

use super::content::{forward, full};
use super::server::Server;

/// A repository in the folder of docker-registry.
struct Stored {
    repository: PathBuf,
    blobs: PathBuf,
}

impl Stored {
    fn at(registry: &Path, name: &str) -> Self {
        let root = registry.join("content/docker/registry/v2");
        Self { repository: root.join("repositories").join(name).join("_manifests"), blobs: root.join("blobs") }
    }

    fn tag(&self, tag: &str) -> PathBuf {
        self.repository.join("tags").join(tag)
    }

    /// What a tag names.
    fn named(&self, tag: &str) -> Option<String> {
        fs::read_to_string(self.tag(tag).join("current/link")).ok()
    }

    fn tags_of(&self, digest: &str) -> Vec<String> {
        let tags = names(&self.repository.join("tags"));
        tags.into_iter().filter(|tag| self.named(tag).as_deref() == Some(digest)).collect()
    }

    fn holds(&self, digest: &str) -> bool {
        self.repository.join("revisions").join(digest.replace(':', "/")).join("link").exists()
    }

    /// The indexes that name an image.
    fn indexes_of(&self, digest: &str) -> Vec<String> {
        let digests = names(&self.repository.join("revisions/sha256")).into_iter().map(|hex| format!("sha256:{hex}"));
        let names = |manifest: &Value| {
            manifest["manifests"].as_array().is_some_and(|entries| entries.iter().any(|entry| entry["digest"] == digest))
        };
        digests.filter(|one| self.holds(one) && names(&self.manifest(one))).collect()
    }

    fn manifest(&self, digest: &str) -> Value {
        let hex = digest.trim_start_matches("sha256:");
        let path = self.blobs.join("sha256").join(&hex[..2]).join(hex).join("data");
        fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

impl Server {
    /// Removes images by tag or by digest. An image goes with its last tag.
    pub async fn remove(&self, parameters: &Value) -> std::io::Result<Value> {
        let _one_at_a_time = self.tagging.lock().await;
        let name = parameters["repositoryName"].as_str().unwrap_or_default();
        let stored = Stored::at(&self.registry_folder, name);
        let (mut removed, mut failures) = (Vec::new(), Vec::new());
        for image in parameters["imageIds"].as_array().into_iter().flatten() {
            match self.remove_one(name, &stored, image).await? {
                Ok(images) => removed.extend(images),
                Err((code, reason)) => failures.push(json!({"imageId": image, "failureCode": code, "failureReason": reason})),
            }
        }
        Ok(json!({"imageIds": removed, "failures": failures}))
    }

    async fn remove_one(
        &self,
        name: &str,
        stored: &Stored,
        image: &Value,
    ) -> std::io::Result<Result<Vec<Value>, (&'static str, String)>> {
        let (tag, digest) = (image["imageTag"].as_str(), image["imageDigest"].as_str());
        let named = tag.and_then(|tag| stored.named(tag));
        let Some(digest) = named.or(digest.filter(|_| tag.is_none()).map(str::to_owned)) else {
            return Ok(Err(("ImageNotFound", "Requested image not found".into())));
        };
        if !stored.holds(&digest) {
            return Ok(Err(("ImageNotFound", "Requested image not found".into())));
        }
        let tags = stored.tags_of(&digest);
        let indexes = stored.indexes_of(&digest);
        if let Some(tag) = tag {
            fs::remove_dir_all(stored.tag(tag))?;
            if tags.len() == 1 && indexes.is_empty() {
                self.remove_manifest(name, &digest).await?;
            }
            return Ok(Ok(vec![json!({"imageDigest": digest, "imageTag": tag})]));
        }
        if !indexes.is_empty() {
            let reason = format!("Requested image referenced by manifest list: [{}]", indexes.join(", "));
            return Ok(Err(("ImageReferencedByManifestList", reason)));
        }
        for tag in &tags {
            fs::remove_dir_all(stored.tag(tag))?;
        }
        self.remove_manifest(name, &digest).await?;
        let mut removed: Vec<Value> = tags.iter().map(|tag| json!({"imageDigest": digest, "imageTag": tag})).collect();
        if removed.is_empty() {
            removed.push(json!({"imageDigest": digest}));
        }
        Ok(Ok(removed))
    }

    async fn remove_manifest(&self, name: &str, digest: &str) -> std::io::Result<()> {
        let request = Request::delete(format!("/v2/{name}/manifests/{digest}")).header("host", &self.registry);
        let answer = forward(&self.registry, request.body(full("")).unwrap()).await?;
        assert_eq!(answer.status(), 202, "the registry removes {digest}");
        Ok(())
    }
}
