//! Roles and whom they are bound to (Kubernetes documentation, "Using RBAC Authorization").

use serde_json::Value;

/// The roles of all namespaces, and their bindings.
#[derive(Default)]
pub struct Access {
    roles: Vec<Value>,
    bindings: Vec<Value>,
}

impl Access {
    /// Adds or replaces one.
    pub fn apply(&mut self, object: &Value) {
        let list = if object["kind"] == "Role" { &mut self.roles } else { &mut self.bindings };
        let key = |one: &Value| (one["metadata"]["namespace"].clone(), one["metadata"]["name"].clone());
        list.retain(|one| key(one) != key(object));
        list.push(object.clone());
    }

    /// Whether a user may do this with a Secret. `name` is empty where the request has none in its path: what is created, and a
    /// list. No rule that is bound to names allows that.
    pub fn allows(&self, user: &str, verb: &str, namespace: &str, name: &str) -> bool {
        let here = |one: &&Value| one["metadata"]["namespace"] == namespace;
        let bound = self.bindings.iter().filter(here).filter(|binding| names_subject(binding, user));
        let roles = bound.filter_map(|binding| {
            let role = &binding["roleRef"];
            let is_role = role["kind"] == "Role" && role["apiGroup"] == "rbac.authorization.k8s.io";
            self.roles.iter().filter(here).find(|one| is_role && one["metadata"]["name"] == role["name"])
        });
        let allowed = roles.flat_map(|role| role["rules"].as_array().into_iter().flatten());
        allowed.into_iter().any(|rule| {
            has(&rule["apiGroups"], "") && has(&rule["resources"], "secrets") && has(&rule["verbs"], verb) && covers(rule, name)
        })
    }
}

fn names_subject(binding: &Value, user: &str) -> bool {
    let subjects = binding["subjects"].as_array().into_iter().flatten();
    subjects.into_iter().any(|subject| {
        let part = |name: &str| subject[name].as_str().unwrap_or_default();
        let named = format!("system:serviceaccount:{}:{}", part("namespace"), part("name"));
        subject["kind"] == "ServiceAccount" && named == user
    })
}

fn covers(rule: &Value, name: &str) -> bool {
    let names = rule["resourceNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    names.is_empty() || names.iter().any(|one| one == name)
}

fn has(list: &Value, word: &str) -> bool {
    list.as_array().into_iter().flatten().any(|one| one == word || one == "*")
}
