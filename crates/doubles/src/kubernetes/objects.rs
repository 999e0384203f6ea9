//! What a cluster has: Secrets with their versions, and who may do what.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::access::Access;
use super::refusal::Refusal;

const PULL_SECRET: &str = "kubernetes.io/dockerconfigjson";
const CONFIG: &str = ".dockerconfigjson";
/// The fields of a Secret (Kubernetes API reference, "Secret v1 core").
const FIELDS: [&str; 7] = ["apiVersion", "kind", "metadata", "type", "data", "stringData", "immutable"];

type Key = (String, String);

/// All of it.
#[derive(Default)]
pub struct Objects {
    pub access: Access,
    secrets: BTreeMap<Key, Value>,
    histories: BTreeMap<Key, Vec<Option<Value>>>,
    version: u64,
}

impl Objects {
    /// Creates or replaces something as an administrator.
    pub fn apply(&mut self, object: &Value) {
        match object["kind"].as_str() {
            Some("Role" | "RoleBinding") => self.access.apply(object),
            Some("Secret") => {
                let part = |name: &str| object["metadata"][name].as_str().unwrap_or("default").to_owned();
                let key = (part("namespace"), part("name"));
                let made = completed(object).unwrap_or_else(|refusal| panic!("{refusal:?}"));
                self.put(key, made);
            }
            _ => {}
        }
    }

    pub fn secret(&self, namespace: &str, name: &str) -> Option<Value> {
        self.secrets.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    pub fn history(&self, namespace: &str, name: &str) -> Vec<Option<Value>> {
        self.histories.get(&(namespace.to_owned(), name.to_owned())).cloned().unwrap_or_default()
    }

    /// Reads one.
    pub fn get(&self, namespace: &str, name: &str) -> Result<Value, Refusal> {
        self.secret(namespace, name).ok_or_else(|| Refusal::not_found(name))
    }

    /// Makes one.
    pub fn create(&mut self, namespace: &str, object: &Value) -> Result<Value, Refusal> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if object["metadata"]["namespace"].as_str().is_some_and(|other| other != namespace) {
            return Err(Refusal::bad("the namespace of the provided object does not match the namespace sent on the request"));
        }
        let key = (namespace.to_owned(), name.clone());
        if self.secrets.contains_key(&key) {
            return Err(Refusal::exists(&name));
        }
        let mut object = completed(object)?;
        object["metadata"]["namespace"] = namespace.into();
        Ok(self.put(key, object))
    }

    /// Changes one by a merge patch (RFC 7396).
    pub fn patch(&mut self, namespace: &str, name: &str, patch: &Value) -> Result<Value, Refusal> {
        let found = self.get(namespace, name)?;
        let mut changed = found.clone();
        merge(&mut changed, patch);
        self.replace(namespace, name, &found, &changed)
    }

    /// Puts another in its place.
    pub fn update(&mut self, namespace: &str, name: &str, object: &Value) -> Result<Value, Refusal> {
        let found = self.get(namespace, name)?;
        self.replace(namespace, name, &found, object)
    }

    /// Takes one away.
    pub fn delete(&mut self, namespace: &str, name: &str) -> Result<Value, Refusal> {
        let key = (namespace.to_owned(), name.to_owned());
        let found = self.secrets.remove(&key).ok_or_else(|| Refusal::not_found(name))?;
        self.histories.entry(key).or_default().push(None);
        Ok(found)
    }

    fn replace(&mut self, namespace: &str, name: &str, found: &Value, changed: &Value) -> Result<Value, Refusal> {
        // An object that names no version is written over whatever is there (Kubernetes API Concepts, "Resource versions").
        let version = &changed["metadata"]["resourceVersion"];
        if !version.is_null() && *version != found["metadata"]["resourceVersion"] {
            return Err(Refusal::conflict(name));
        }
        if changed["metadata"]["name"] != name || changed["metadata"]["namespace"] != namespace {
            return Err(Refusal::bad("the name of the object does not match the name on the URL"));
        }
        let changed = completed(changed)?;
        if changed["type"] != found["type"] {
            return Err(Refusal::invalid(name, &format!("type: Invalid value: {}: field is immutable", changed["type"])));
        }
        if found["immutable"] == true && changed["data"] != found["data"] {
            return Err(Refusal::invalid(name, "data: Forbidden: field is immutable when `immutable` is set"));
        }
        Ok(self.put((namespace.to_owned(), name.to_owned()), changed))
    }

    fn put(&mut self, key: Key, mut object: Value) -> Value {
        self.version += 1;
        (object["metadata"]["namespace"], object["metadata"]["name"]) = (key.0.clone().into(), key.1.clone().into());
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.histories.entry(key.clone()).or_default().push(Some(object.clone()));
        self.secrets.insert(key, object.clone());
        object
    }
}

/// A Secret as it is kept, if it is valid (`ValidateSecret` in `pkg/apis/core/validation`; unknown fields as with
/// `fieldValidation=Strict`).
fn completed(object: &Value) -> Result<Value, Refusal> {
    let mut object = object.clone();
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if let Some(unknown) = object.as_object().into_iter().flatten().find(|(field, _)| !FIELDS.contains(&&***field)) {
        return Err(Refusal::bad(&format!("strict decoding error: unknown field {:?}", unknown.0)));
    }
    if let Some(Value::Object(texts)) = object.as_object_mut().and_then(|object| object.remove("stringData")) {
        for (key, text) in texts {
            object["data"][key] = STANDARD.encode(text.as_str().unwrap_or_default()).into();
        }
    }
    if object["type"].is_null() {
        object["type"] = "Opaque".into();
    }
    if object["type"] == PULL_SECRET {
        let value = object["data"][CONFIG].as_str().map(|value| STANDARD.decode(value));
        let Some(Ok(config)) = value else {
            return Err(Refusal::invalid(&name, "data[.dockerconfigjson]: Required value"));
        };
        if serde_json::from_slice::<BTreeMap<String, Value>>(&config).is_err() {
            let why = "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": invalid character";
            return Err(Refusal::invalid(&name, why));
        }
    }
    (object["apiVersion"], object["kind"]) = (json!("v1"), json!("Secret"));
    Ok(object)
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
