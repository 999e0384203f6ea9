//! The images that ECR's API says it has. The registry behind has no times of its own, so a test puts here what it wants to have
//! been pushed, pulled and archived, and when.

use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image, an index, or what refers to one. Times are days before now.
#[derive(Clone, Debug)]
pub struct ShelfImage {
    /// The bytes of its manifest, which make its digest.
    pub(super) manifest: String,
    digest: String,
    pub(super) tags: Vec<String>,
    pub(super) size: u64,
    pub(super) pushed: f64,
    pub(super) pulled: Option<f64>,
    pub(super) archived: Option<f64>,
    pub(super) restored: Option<f64>,
    /// The digests that an index names.
    pub(super) children: Vec<String>,
    pub(super) subject: Option<String>,
    artifact_type: Option<String>,
}

impl ShelfImage {
    /// An image that was pushed so many days ago. Its name makes its digest.
    pub fn new(name: &str, tags: &[&str], pushed: f64) -> Self {
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "annotations": {"name": name}}).to_string();
        Self {
            digest: digest_of(&manifest),
            manifest,
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            size: 1_000_000,
            pushed,
            pulled: None,
            archived: None,
            restored: None,
            children: vec![],
            subject: None,
            artifact_type: None,
        }
    }

    /// An index of images.
    pub fn index(tags: &[&str], pushed: f64, children: &[&Self]) -> Self {
        let children: Vec<String> = children.iter().map(|child| child.digest()).collect();
        let manifests: Vec<Value> =
            children.iter().map(|digest| json!({"mediaType": MANIFEST, "size": 1, "digest": digest})).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string();
        Self { digest: digest_of(&manifest), manifest, children, ..Self::new("", tags, pushed) }
    }

    /// It was pulled last so many days ago.
    pub fn pulled(mut self, days: f64) -> Self {
        self.pulled = Some(days);
        self
    }

    /// It is in archive storage since so many days.
    pub fn archived(mut self, days: f64) -> Self {
        self.archived = Some(days);
        self
    }

    /// It was brought back from archive storage so many days ago.
    pub fn restored(mut self, days: f64) -> Self {
        self.restored = Some(days);
        self
    }

    /// It is a signature or the like of another image.
    pub fn of(mut self, subject: &Self) -> Self {
        self.subject = Some(subject.digest());
        self
    }

    /// It says that it is this, by a media type.
    pub fn artifact(mut self, media_type: &str) -> Self {
        self.artifact_type = Some(media_type.to_owned());
        self
    }

    /// It is what the registry has under this digest.
    pub fn under(mut self, digest: &str) -> Self {
        digest.clone_into(&mut self.digest);
        self
    }

    /// Its digest.
    pub fn digest(&self) -> String {
        self.digest.clone()
    }

    pub(super) fn media_type(&self) -> &'static str {
        if self.children.is_empty() { MANIFEST } else { INDEX }
    }

    /// What `DescribeImages` says of it.
    fn described(&self, repository: &str, account: &str) -> Value {
        let mut detail = Map::new();
        let mut add = |name: &str, value: Value| drop(detail.insert(name.to_owned(), value));
        add("registryId", account.into());
        add("repositoryName", repository.into());
        add("imageDigest", self.digest().into());
        if !self.tags.is_empty() {
            add("imageTags", self.tags.clone().into());
        }
        add("imageSizeInBytes", self.size.into());
        add("imagePushedAt", seconds_ago(self.pushed).into());
        add("imageManifestMediaType", self.media_type().into());
        add("imageStatus", if self.archived.is_some() { "ARCHIVED" } else { "ACTIVE" }.into());
        for (name, days) in
            [("lastRecordedPullTime", self.pulled), ("lastArchivedAt", self.archived), ("lastActivatedAt", self.restored)]
        {
            if let Some(days) = days {
                add(name, seconds_ago(days).into());
            }
        }
        if let Some(subject) = &self.subject {
            add("subjectManifestDigest", subject.as_str().into());
        }
        if let Some(media_type) = &self.artifact_type {
            add("artifactMediaType", media_type.as_str().into());
        }
        Value::Object(detail)
    }
}

fn digest_of(manifest: &str) -> String {
    let hash = digest(&SHA256, manifest.as_bytes());
    let digits = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(u32::from);
    let hex = digits.filter_map(|digit| char::from_digit(digit, 16));
    ["sha256:"].into_iter().flat_map(str::chars).chain(hex).collect()
}

/// A time as AWS's JSON has it.
pub(super) fn seconds_ago(days: f64) -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    (now - days * 86_400.0).floor()
}

/// A page of a list: as many as are asked for, from the place that the token names.
pub(super) fn page(list: &[Value], parameters: &Value, name: &str, most: usize) -> Value {
    let from = parameters["nextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
    let size = parameters["maxResults"].as_u64().map_or(100, |size| usize::try_from(size).unwrap()).min(most);
    let shown: Vec<Value> = list.iter().skip(from).take(size).cloned().collect();
    let end = from + shown.len();
    let mut said = json!({name: shown});
    if end < list.len() {
        said["nextToken"] = end.to_string().into();
    }
    said
}

/// `DescribeImages`: without a filter of their status, those in archive storage are left out.
pub(super) fn describe(images: &[ShelfImage], parameters: &Value, account: &str) -> Value {
    let repository = parameters["repositoryName"].as_str().unwrap_or_default();
    let any = parameters["filter"]["imageStatus"] == "ANY";
    let shown = images.iter().filter(|image| any || image.archived.is_none());
    let shown: Vec<Value> = shown.map(|image| image.described(repository, account)).collect();
    page(&shown, parameters, "imageDetails", 1000)
}

/// `BatchGetImage`, by digest.
pub(super) fn manifests(images: &[ShelfImage], parameters: &Value) -> Value {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for id in parameters["imageIds"].as_array().into_iter().flatten() {
        match images.iter().find(|image| id["imageDigest"] == image.digest()) {
            Some(image) => found.push(json!({
                "imageId": id, "imageManifest": image.manifest, "imageManifestMediaType": image.media_type(),
            })),
            None => failures.push(json!({
                "imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found",
            })),
        }
    }
    json!({"images": found, "failures": failures})
}
