//! A Secret, kept as it is to be: replaced in one step and never deleted, so that at each moment a kubelet finds a login in it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::contents::{Contents, KEY, MANAGED_BY, TYPE};
use super::error::{Error, Verb};
use super::name::Place;
use super::server::Server;
use crate::document;
use crate::net::RetryPolicy;
use crate::secret::Secret;
use crate::text;

/// What became of a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It was not there.
    Created,
    /// It held something else.
    Replaced,
    /// It held that already: a request whose answer was lost, say.
    AsItWas,
}

/// A Secret, as far as it is looked at.
#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    immutable: bool,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: String,
    #[serde(rename = "resourceVersion")]
    version: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl Server {
    /// Has a Secret hold this. What somebody else writes meanwhile is read again and judged again.
    ///
    /// # Errors
    /// The API server refuses or can't be reached, or the Secret is one that is not overwritten.
    pub(crate) async fn keep(&self, place: &Place, contents: &Contents) -> Result<Kept, Error> {
        RetryPolicy::KUBERNETES.run_when(|| self.attempt(place, contents), Error::is_undecided).await
    }

    async fn attempt(&self, place: &Place, contents: &Contents) -> Result<Kept, Error> {
        let Some(found) = self.read(place).await? else {
            let metadata = json!({ "name": place.name.as_str(), "namespace": place.namespace.as_str() });
            self.write(Verb::Create, place, contents, &metadata).await?;
            return Ok(Kept::Created);
        };
        let value = found.data.get(KEY).map(String::as_str).unwrap_or_default();
        if found.kind == TYPE && contents.is(value) {
            return Ok(Kept::AsItWas);
        }
        found.may_become(contents, place)?;
        // Only what was judged is replaced (Kubernetes API Concepts, "Resource versions").
        let metadata = json!({ "resourceVersion": found.metadata.version });
        self.write(Verb::Patch, place, contents, &metadata).await?;
        Ok(Kept::Replaced)
    }

    async fn read(&self, place: &Place) -> Result<Option<Object>, Error> {
        match self.ask(Verb::Get, place, None).await {
            Ok(answer) => object(Verb::Get, place, &answer).map(Some),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, verb: Verb, place: &Place, contents: &Contents, metadata: &serde_json::Value) -> Result<(), Error> {
        let sent = Secret::around(contents.object(metadata));
        let answer = self.ask(verb, place, Some(&sent)).await?;
        let kept = object(verb, place, &answer)?;
        if kept.data.get(KEY).is_some_and(|value| contents.is(value)) { Ok(()) } else { Err(Error::NotKept(place.clone())) }
    }
}

/// The Secret in an answer.
fn object(verb: Verb, place: &Place, answer: &[u8]) -> Result<Object, Error> {
    let object = document::read::<Object>(answer).ok();
    let is_it = |object: &Object| {
        (&*object.metadata.name, &*object.metadata.namespace) == (place.name.as_str(), place.namespace.as_str())
    };
    object.filter(is_it).ok_or_else(|| Error::Malformed { verb, place: place.clone() })
}

impl Object {
    /// Whether it may be overwritten: it is a pull secret, and holds no logins of others, or is gp-deliver's by its label.
    fn may_become(&self, contents: &Contents, place: &Place) -> Result<(), Error> {
        if self.kind != TYPE {
            return Err(Error::OtherType { place: place.clone(), found: text::words(&self.kind) });
        }
        if self.immutable {
            return Err(Error::Immutable(place.clone()));
        }
        let [label, value] = MANAGED_BY;
        let is_ours = self.metadata.labels.get(label).is_some_and(|found| found == value);
        let hosts = self.data.get(KEY).map(|value| contents.lost(value)).unwrap_or_default();
        if is_ours || hosts.is_empty() { Ok(()) } else { Err(Error::Foreign { place: place.clone(), hosts }) }
    }
}
