//! Whoever may push to a repository puts there what they like.

use doubles::aws::stranger::digest_of;
use doubles::registry::crane;
use serde_json::{Value, json};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Whoever may push to a repository.
pub struct Stranger {
    repository: String,
    http: reqwest::Client,
}

impl Stranger {
    pub fn to(repository: &str) -> Self {
        Self { repository: repository.to_owned(), http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    fn url(&self, path: &str) -> String {
        let (host, name) = self.repository.split_once('/').unwrap();
        format!("http://{host}/v2/{name}/{path}")
    }

    pub async fn push_blob(&self, content: &[u8]) -> String {
        let digest = digest_of(content);
        let begun = self.http.post(self.url("blobs/uploads/")).send().await.unwrap();
        let location = begun.headers()["location"].to_str().unwrap().to_owned();
        let location = if location.starts_with('/') {
            format!("http://{}{location}", self.repository.split_once('/').unwrap().0)
        } else {
            location
        };
        let mark = if location.contains('?') { '&' } else { '?' };
        let sent = self.http.put(format!("{location}{mark}digest={digest}")).body(content.to_vec()).send().await.unwrap();
        assert!(sent.status().is_success(), "{}", sent.status());
        digest
    }

    /// Gives the status, since registries refuse some of it.
    pub async fn push_manifest(&self, name: &str, media_type: &str, content: &[u8]) -> bool {
        let put = self.http.put(self.url(&format!("manifests/{name}"))).header("content-type", media_type);
        put.body(content.to_vec()).send().await.unwrap().status().is_success()
    }

    /// Puts something beside an image; gives how it is listed.
    pub async fn put_beside(&self, digest: &str, predicate: &str, content: &[u8]) -> Value {
        let empty = self.push_blob(b"{}").await;
        let blob = self.push_blob(content).await;
        let subject = crane(&["manifest", "--insecure", &format!("{}@{digest}", self.repository)]).len();
        let annotations = json!({
            "dev.sigstore.bundle.predicateType": predicate,
            "org.opencontainers.image.created": "2999-01-01T00:00:00Z",
        });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE,
            "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2 },
            "layers": [{ "mediaType": BUNDLE, "digest": blob, "size": content.len() }],
            "subject": { "mediaType": MANIFEST, "digest": digest, "size": subject },
            "annotations": annotations.clone(),
        })
        .to_string();
        let digest = digest_of(manifest.as_bytes());
        assert!(self.push_manifest(&digest, MANIFEST, manifest.as_bytes()).await);
        json!({
            "mediaType": MANIFEST, "artifactType": BUNDLE, "digest": digest, "size": manifest.len(), "annotations": annotations,
        })
    }
}
