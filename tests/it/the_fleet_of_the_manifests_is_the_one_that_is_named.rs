//! The fleet of `examples/builders`: the manifests make the builders that the workflow names, nobody reaches one without a certificate,
//! and a pod ends once it has no build.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::each_platform_has_its_builder::{begun, deliver, ended, source};
use crate::support::buildkitd::Buildkitd;
use crate::support::{part, processes, run};

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/builders").join(file)
}

fn text(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap()
}

fn objects(file: &str) -> Vec<Value> {
    text(file).split("\n---\n").map(|one| serde_yaml::from_str(one).unwrap()).collect()
}

fn of_kind(file: &str, kind: &str) -> Value {
    objects(file).into_iter().find(|object| object["kind"] == kind).unwrap()
}

/// The lines of `buildkit-host` that the manifests make, as Kubernetes names the pods of a `StatefulSet`.
fn made() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for file in ["amd64.yaml", "arm64.yaml"] {
        let (set, service) = (of_kind(file, "StatefulSet"), of_kind(file, "Service"));
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let (name, namespace) = (word(&set["metadata"]["name"]), word(&set["metadata"]["namespace"]));
        assert_eq!((&service["spec"]["clusterIP"], &service["metadata"]["name"]), (&json!("None"), &set["spec"]["serviceName"]));
        assert_eq!(service["metadata"]["namespace"], set["metadata"]["namespace"]);
        let port = &service["spec"]["ports"][0]["port"];
        let platform = word(&set["spec"]["template"]["spec"]["nodeSelector"]["kubernetes.io/arch"]);
        for pod in 0..set["spec"]["replicas"].as_u64().unwrap() {
            let service = word(&service["metadata"]["name"]);
            lines.insert(format!("linux/{platform}=tcp://{name}-{pod}.{service}.{namespace}.svc.cluster.local:{port}"));
        }
    }
    lines
}

#[test]
fn the_builders_that_the_manifests_make_are_those_that_the_workflow_names() {
    let workflow: Value = serde_yaml::from_str(&text("delivery.yml")).unwrap();
    let steps = workflow["jobs"]["deliver"]["steps"].as_array().unwrap();
    let inputs =
        &steps.iter().find(|step| step["uses"].as_str().is_some_and(|uses| uses.contains("gp-deliver"))).unwrap()["with"];
    let named = inputs["buildkit-host"].as_str().unwrap();
    assert_eq!(named.lines().map(str::to_owned).collect::<BTreeSet<_>>(), made());
    // They are lines that are taken, and there is one for each platform.
    let source = source("FROM scratch\nCOPY . /\n");
    let plan = source.run("plan").flag("--buildkit-host", named).flag("--platforms", inputs["platforms"].as_str().unwrap());
    let plan: Value = serde_json::from_str(&plan.ends_with(0).stdout).unwrap();
    assert_eq!(plan["builders"].as_array().unwrap().len(), 2);
    // The files are written where the step finds them.
    let (_, folder) = inputs["buildkit-certificates"].as_str().unwrap().rsplit_once('/').unwrap();
    let script = steps.iter().filter_map(|step| step["run"].as_str()).collect::<String>();
    assert!(script.contains(&format!("folder=$RUNNER_TEMP/{folder}\n")), "{script}");
}

#[test]
fn the_two_architectures_differ_in_their_name_alone() {
    assert_eq!(text("arm64.yaml"), text("amd64.yaml").replace("amd64", "arm64"));
}

#[test]
fn a_builder_shows_and_asks_for_certificates_has_no_right_in_the_cluster_and_is_reached_by_the_labelled_runners_alone() {
    let set = of_kind("amd64.yaml", "StatefulSet");
    let (template, labels) = (&set["spec"]["template"], &set["spec"]["template"]["metadata"]["labels"]);
    let pod = &template["spec"];
    assert_eq!((&pod["automountServiceAccountToken"], &pod["securityContext"]["runAsNonRoot"]), (&json!(false), &json!(true)));
    for absent in ["hostNetwork", "hostPID", "hostIPC", "serviceAccountName"] {
        assert!(pod[absent].is_null(), "{absent}");
    }
    let [container] = pod["containers"].as_array().unwrap().as_slice() else { panic!("{pod}") };
    assert!(container["image"].as_str().unwrap().contains("@sha256:"), "by digest");
    assert!(container["securityContext"]["privileged"].is_null());
    let arguments: Vec<_> = container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    for (flag, file) in [("--tlscacert", "ca.pem"), ("--tlscert", "cert.pem"), ("--tlskey", "key.pem")] {
        let at = arguments.iter().position(|word| *word == flag).unwrap();
        assert_eq!(arguments[at + 1], format!("/certificates/{file}"));
    }
    let port = &container["ports"][0]["containerPort"];
    assert!(arguments.contains(&&*format!("tcp://0.0.0.0:{port}")));
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], container["volumeMounts"][0]["name"]);

    let subset = |selector: &Value| selector.as_object().unwrap().iter().all(|(key, value)| &labels[key] == value);
    let [service, budget] = ["Service", "PodDisruptionBudget"].map(|kind| of_kind("amd64.yaml", kind));
    assert!(subset(&service["spec"]["selector"]) && subset(&budget["spec"]["selector"]["matchLabels"]));
    assert!(subset(&set["spec"]["selector"]["matchLabels"]));
    let policy = of_kind("namespace.yaml", "NetworkPolicy");
    assert!(subset(&policy["spec"]["podSelector"]["matchLabels"]), "it is about these pods");
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    let [ingress] = policy["spec"]["ingress"].as_array().unwrap().as_slice() else { panic!("{policy}") };
    let [from] = ingress["from"].as_array().unwrap().as_slice() else { panic!("{policy}") };
    assert!(from["namespaceSelector"].is_object() && from["podSelector"].is_object(), "both, not either");
    assert_eq!(&ingress["ports"], &json!([{ "protocol": "TCP", "port": port }]));
    let open = &policy["spec"]["egress"][1]["to"][0]["ipBlock"];
    let closed = open["except"].as_array().unwrap();
    assert!(["169.254.0.0/16", "10.0.0.0/8"].iter().all(|range| closed.contains(&json!(range))), "{open}");
}

/// The script, run.
fn certificates(folder: &Path, names: &[&str]) {
    run(Command::new(path("certificates.sh")).arg(folder).args(names));
}

#[test]
fn the_certificate_is_for_the_names_of_the_pods_and_for_no_others() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path(), &[]);
    let has = |host: &str| {
        let certificate = folder.path().join("server/cert.pem");
        let said = run(Command::new("openssl").args(["x509", "-noout", "-checkhost", host, "-in"]).arg(certificate));
        said.contains("does match")
    };
    for line in made() {
        let host = line.rsplit_once("://").unwrap().1.rsplit_once(':').unwrap().0.to_owned();
        assert!(has(&host), "{host}");
    }
    assert!(!has("buildkit-amd64-0.buildkit-amd64.others.svc.cluster.local") && !has("localhost"));
    // Run again, the authority stays and the others are new.
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let before = ["authority/ca.pem", "client/cert.pem", "server/key.pem"].map(read);
    certificates(folder.path(), &[]);
    let after = ["authority/ca.pem", "client/cert.pem", "server/key.pem"].map(read);
    assert!(before[0] == after[0] && before[1] != after[1] && before[2] != after[2]);
}

#[test]
fn whoever_has_the_clients_certificate_builds_and_nobody_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let [fleet, other] = ["fleet", "other"].map(|name| folder.path().join(name));
    certificates(&fleet, &["localhost"]);
    certificates(&other, &["localhost"]);
    let [one, two] = [(); 2].map(|()| Buildkitd::with_certificates(&fleet.join("server")));
    let stranger = Buildkitd::with_certificates(&other.join("server"));
    let address = |daemon: &Buildkitd| format!("tcp://localhost:{}", daemon.port());
    let list = format!("linux/amd64={}\nlinux/arm64={}\n", address(&one), address(&two));
    let source = source("FROM scratch\nCOPY . /\n");
    let delivery = |lines: &str, folder: &Path| {
        deliver(&source, "linux/amd64,linux/arm64", lines).flag("--buildkit-certificates", folder.to_str().unwrap())
    };
    delivery(&list, &fleet.join("client")).ends_with(0);
    // By another authority's certificate, and by none.
    let refused = delivery(&list, &other.join("client")).ends_with(1);
    refused.says("No builder of linux/amd64 and linux/arm64 answers").says("`buildkit-certificates`");
    let unshown = folder.path().join("unshown");
    fs::create_dir(&unshown).unwrap();
    fs::copy(fleet.join("client/ca.pem"), unshown.join("ca.pem")).unwrap();
    delivery(&list, &unshown).ends_with(1).says("No builder of linux/amd64 and linux/arm64 answers");
    // A builder of somebody else is not believed, and is passed over where there is another.
    let with_stranger = format!("{}\n{}\n", address(&one), address(&stranger));
    let ended = delivery(&with_stranger, &fleet.join("client")).ends_with(0);
    assert!(
        source.record()["image"]["platforms"].as_array().unwrap().iter().all(|platform| platform["builder"] == address(&one)),
        "{ended}"
    );
    // A certificate that can't be read is this machine's fault, and is said of no builder.
    fs::write(unshown.join("ca.pem"), "nothing").unwrap();
    delivery(&list, &unshown).ends_with(1);
}

#[test]
fn a_pod_ends_once_it_has_no_build() {
    let set = of_kind("amd64.yaml", "StatefulSet");
    let command = &set["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"];
    let script = command[2].as_str().unwrap();
    let (_, asked) = script.split_once("$(").unwrap();
    let asked = asked.split_once(')').unwrap().0;
    let daemon = Buildkitd::start();
    let here = |script: &str| script.replace("unix:///run/user/1000/buildkit/buildkitd.sock", &daemon.address());
    let shell = |script: &str| {
        let path = format!("{}:/usr/bin:/bin", part("TOOLS"));
        Command::new("/bin/sh").args(["-c", script]).env_clear().env("PATH", path).output().unwrap()
    };
    let source = source("FROM debian:bookworm-slim\nRUN echo begun; sleep 100000\n");
    let running = begun(&deliver(&source, "linux/amd64", &format!("linux/amd64={}", daemon.address())));
    let said = shell(&here(asked));
    assert!(!said.stdout.is_empty(), "it has a build: {said:?}");
    processes::signal(running.0.id(), "TERM");
    assert_eq!(ended(running).code, Some(143));
    let whole = shell(&here(script));
    assert!(whole.status.success(), "{whole:?}");
}
