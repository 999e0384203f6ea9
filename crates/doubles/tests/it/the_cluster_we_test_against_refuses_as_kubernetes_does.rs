//! kubectl, which knows nothing of us, reads and changes a Secret of the cluster, and is refused in words that it understands. It is
//! no part of the tests' own: where the machine has none, that is said.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use doubles::kubernetes::Cluster;
use serde_json::{Value, json};

fn kubectl(cluster: &Cluster, mount: &Path, home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("kubectl");
    command.env_clear().env("HOME", home).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.arg(format!("--server={}", cluster.url())).arg("--namespace=team");
    command.arg(format!("--certificate-authority={}", cluster.certificate().display()));
    command.arg(format!("--token={}", std::fs::read_to_string(mount.join("token")).unwrap()));
    command.args(arguments).output().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn kubectl_does_what_a_role_lets_it_and_is_told_what_not() {
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        std::io::stderr()
            .write_all(b"WITHOUT KUBECTL: the double of a cluster is NOT COMPARED with what kubectl expects\n")
            .unwrap();
        return;
    }
    let (cluster, home) = (Cluster::start(), tempfile::tempdir().unwrap());
    let mount = cluster.mount("team", "writer");
    let run = |arguments: &[&str]| kubectl(&cluster, &mount, home.path(), arguments);
    let refused = run(&["get", "secret", "pull"]);
    let forbidden = "Error from server (Forbidden): secrets \"pull\" is forbidden: User \"system:serviceaccount:team:writer\" cannot get \
                     resource \"secrets\" in API group \"\" in the namespace \"team\"";
    assert!(words(&refused).contains(forbidden), "{}", words(&refused));
    cluster.apply(&json!({
        "kind": "Role", "metadata": { "namespace": "team", "name": "writer" },
        "rules": [{ "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["pull"], "verbs": ["get", "patch", "update", "create"] }],
    }));
    cluster.apply(&json!({
        "kind": "RoleBinding", "metadata": { "namespace": "team", "name": "writer" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "writer" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "team", "name": "writer" }],
    }));
    assert!(words(&run(&["get", "secret", "pull"])).contains("Error from server (NotFound): secrets \"pull\" not found"));
    // A rule that is bound to a name lets nobody create.
    let created = run(&["create", "--validate=false", "secret", "generic", "pull"]);
    assert!(words(&created).contains("cannot create resource \"secrets\""), "{}", words(&created));
    cluster.apply(&json!({
        "kind": "Secret", "metadata": { "namespace": "team", "name": "pull" }, "type": "kubernetes.io/dockerconfigjson",
        "stringData": { ".dockerconfigjson": "{}" },
    }));
    let found = run(&["get", "secret", "pull", "--output=json"]);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap_or_else(|_| panic!("{}", words(&found)));
    assert_eq!((&found["type"], &found["data"][".dockerconfigjson"]), (&json!("kubernetes.io/dockerconfigjson"), &json!("e30=")));
    let patched = run(&["patch", "secret", "pull", "--type=merge", r#"--patch={"metadata":{"labels":{"a":"b"}}}"#]);
    assert!(patched.status.success(), "{}", words(&patched));
    assert_eq!(cluster.secret("team", "pull").unwrap()["metadata"]["labels"]["a"], "b");
    for (patch, says) in [
        (r#"{"metadata":{"resourceVersion":"1"}}"#, "(Conflict)"),
        (r#"{"type":"Opaque"}"#, "field is immutable"),
        (r#"{"data":{".dockerconfigjson":"eA=="}}"#, "is invalid"),
    ] {
        let refused = run(&["patch", "secret", "pull", "--type=merge", &format!("--patch={patch}")]);
        assert!(!refused.status.success() && words(&refused).contains(says), "{patch}: {}", words(&refused));
    }
    cluster.expire_tokens();
    let refused = run(&["get", "secret", "pull"]);
    assert!(words(&refused).contains("You must be logged in to the server"), "{}", words(&refused));
}
