//! The manifests of `examples/` are objects as the API server and the controllers define them, they fit each other, and their pods ask
//! for no right that they do not need.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::a_pull_secret_is_kept_in_a_cluster::example;
use crate::the_policies_for_a_cluster_fit_its_definitions::{complaints, definitions};

/// The documents of all manifests, each with its file.
fn manifests() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files =
        ["pull-secret", "argocd", "flux", "builders"].into_iter().flat_map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let files =
        files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    // The description of the API server is one of an older release, in which a PodDisruptionBudget has the same fields by this name.
    let read = |path: &Path| fs::read_to_string(path).unwrap().replace("apiVersion: policy/v1\n", "apiVersion: policy/v1beta1\n");
    let files = files.map(|path| (path.strip_prefix(&root).unwrap().display().to_string(), read(&path)));
    files.flat_map(|(name, text)| text.split("\n---\n").map(|one| (name.clone(), one.to_owned())).collect::<Vec<_>>()).collect()
}

#[test]
fn each_field_is_one_that_is_known() {
    let definitions = definitions();
    if definitions.is_empty() {
        return;
    }
    let manifests = manifests();
    assert!(manifests.len() >= 17, "{manifests:?}");
    for (file, manifest) in &manifests {
        assert_eq!(complaints(manifest, &definitions), None, "{file}");
    }
    for (file, field, spoilt) in [
        ("pull-secret/secret.yaml", "stringData:", "stringdata:"),
        ("pull-secret/access.yaml", "resourceNames: [ecr-pull]", "resourceName: [ecr-pull]"),
        ("pull-secret/access.yaml", "roleRef:", "role:"),
        ("pull-secret/access.yaml", "automountServiceAccountToken: false", "automountServiceAccountToken: 'no'"),
        ("pull-secret/first-run.yaml", "backoffLimit: 4", "backoffLimit: four"),
        ("pull-secret/first-run.yaml", "drop: [ALL]", "drops: [ALL]"),
        ("pull-secret/schedule.yaml", "concurrencyPolicy:", "concurrency:"),
        ("pull-secret/schedule.yaml", "apiVersion: batch/v1", "apiVersion: batch/v2"),
        ("argocd/application.yaml", "selfHeal:", "selfheal:"),
        ("argocd/application.yaml", "targetRevision: main", "targetRevision: [main]"),
        ("flux/source.yaml", "interval: 1m", "interval: often"),
        ("flux/source.yaml", "provider: aws", "provider: amazon"),
        ("flux/app.yaml", "sourceRef:", "source:"),
        ("builders/amd64.yaml", "clusterIP: None", "clusterIp: None"),
        ("builders/amd64.yaml", "maxUnavailable: 1", "maxUnavailable: [1]"),
        ("builders/amd64.yaml", "volumeClaimTemplates:", "volumeClaims:"),
        ("builders/arm64.yaml", "terminationGracePeriodSeconds: 1800", "terminationGracePeriodSeconds: half an hour"),
        ("builders/arm64.yaml", "preStop:", "beforeStop:"),
        ("builders/namespace.yaml", "podSelector:", "pods:"),
    ] {
        let (_, manifest) = manifests.iter().find(|(name, text)| name == file && text.contains(field)).unwrap();
        assert!(complaints(&manifest.replacen(field, spoilt, 1), &definitions).is_some(), "{file}: {spoilt} is taken");
    }
}

#[test]
fn the_pull_secrets_manifests_fit_each_other() {
    let [secret, job, schedule] = ["secret.yaml", "first-run.yaml", "schedule.yaml"].map(|file| example(file).remove(0));
    let access = example("access.yaml");
    let of_kind = |kind: &str| access.iter().find(|object| object["kind"] == kind).unwrap();
    let (account, role, binding) = (of_kind("ServiceAccount"), of_kind("Role"), of_kind("RoleBinding"));
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(pod, &schedule["spec"]["jobTemplate"]["spec"]["template"]["spec"], "one pod, now and by the schedule");
    let all = [&secret, &job, &schedule, account, role, binding];
    assert!(all.iter().all(|object| object["metadata"]["namespace"] == "team"), "one namespace");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(
        binding["subjects"],
        json!([{ "kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": "team" }])
    );
    assert_eq!(pod["serviceAccountName"], account["metadata"]["name"]);
    let rules = json!([{ "apiGroups": [""], "resources": ["secrets"], "resourceNames": [secret["metadata"]["name"]], "verbs": ["get", "patch"] }]);
    assert_eq!(role["rules"], rules, "one Secret, and no right to create one");
    let written = format!("--secret={}", secret["metadata"]["name"].as_str().unwrap());
    assert!(pod["containers"][0]["args"].as_array().unwrap().contains(&Value::from(written)));
    // Four runs in a day, one at a time: a login lives twice as long as one waits for the next.
    assert_eq!(schedule["spec"]["schedule"], "17 */6 * * *");
    assert_eq!(schedule["spec"]["concurrencyPolicy"], "Forbid");
    // A Secret that Argo CD applies is the one that it leaves alone.
    let application = manifests().into_iter().find(|(name, _)| name == "argocd/application.yaml").unwrap().1;
    let application: Value = serde_yaml::from_str(&application).unwrap();
    let left = &application["spec"]["ignoreDifferences"][0];
    assert_eq!((&left["name"], &left["namespace"]), (&secret["metadata"]["name"], &secret["metadata"]["namespace"]));
}

/// Kubernetes documentation, "Pod Security Standards", "Restricted".
#[test]
fn the_pod_is_one_of_the_restricted_kind() {
    let pod = &example("first-run.yaml").remove(0)["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert!(pod["securityContext"]["runAsUser"].as_u64().is_some_and(|user| user > 0));
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    for absent in ["hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"] {
        assert!(pod[absent].is_null(), "{absent}");
    }
    let volumes = pod["volumes"].as_array().unwrap();
    assert!(volumes.iter().all(|volume| volume["projected"].is_object()), "nothing of the node is mounted");
    for container in pod["containers"].as_array().unwrap() {
        let security = &container["securityContext"];
        let wanted =
            json!({ "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } });
        assert_eq!(security, &wanted);
        assert!(container["image"].as_str().unwrap().contains("@sha256:"), "by digest");
        // No key is among its variables.
        let variables = container["env"].as_array().unwrap();
        assert!(variables.iter().all(|one| !one["name"].as_str().unwrap().contains("SECRET")), "{variables:?}");
    }
}
