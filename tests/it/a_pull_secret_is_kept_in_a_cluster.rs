//! `pull-secret` has a Secret of the cluster hold a login to Amazon ECR: by the pod's own identity at AWS, with the rights that
//! `examples/pull-secret` gives and no others, in place, and never over what is somebody else's.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doubles::aws::{Call, Times, World};
use doubles::kubernetes::{Cluster, Fault};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::faults::namespace;
use crate::support::processes::signal;
use crate::support::{Ended, binary, part, tool};

const NAMESPACE: &str = "team";
const ACCOUNT: &str = "ecr-pull-secret";
const SECRET: &str = "ecr-pull";

/// The objects of a file of the example.
pub fn example(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pull-secret").join(file);
    let text = fs::read_to_string(path).unwrap();
    text.split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}

/// A pod in a cluster, with a role at AWS.
struct Pod {
    world: World,
    cluster: Cluster,
    folder: TempDir,
    mount: PathBuf,
}

impl Pod {
    /// In a cluster with what the example has.
    fn new() -> Self {
        let pod = Self::without_secret();
        example("secret.yaml").iter().for_each(|object| pod.cluster.apply(object));
        pod
    }

    fn without_secret() -> Self {
        let (world, cluster) = (World::options().start(), Cluster::start());
        example("access.yaml").iter().for_each(|object| cluster.apply(object));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("aws"), world.token("sts.amazonaws.com")).unwrap();
        let mount = cluster.mount(NAMESPACE, ACCOUNT);
        Self { world, cluster, folder, mount }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.env_clear().env("HOME", self.folder.path()).stdin(Stdio::null());
        command.envs(self.variables()).args(["pull-secret", "--secret", SECRET, "--service-account"]).arg(&self.mount);
        command
    }

    /// What a pod has whose service account has a role (IAM roles for service accounts).
    fn variables(&self) -> Vec<(String, String)> {
        let mut variables: Vec<_> = self.world.variables().into_iter().filter(|(name, _)| name.starts_with("AWS_")).collect();
        let token = self.folder.path().join("aws").to_string_lossy().into_owned();
        variables.extend([("AWS_ROLE_ARN".to_owned(), self.world.role()), ("AWS_WEB_IDENTITY_TOKEN_FILE".to_owned(), token)]);
        variables.extend(self.cluster.variables().into_iter().map(|(name, value)| (name.to_owned(), value)));
        variables
    }

    fn ends_with(&self, code: i32) -> Ended {
        ends_with(&mut self.command(), code)
    }

    /// What the Secret holds.
    fn config(&self) -> Value {
        config(&self.cluster.secret(NAMESPACE, SECRET).expect("there is a Secret"))
    }

    /// The password for the world's registry in it.
    fn password(&self) -> Option<String> {
        let auth = STANDARD.decode(self.config()["auths"][self.world.host()]["auth"].as_str()?).unwrap();
        Some(String::from_utf8(auth).unwrap().strip_prefix("AWS:").unwrap().to_owned())
    }

    /// Asserts that the Secret is as it was before anybody wrote a login.
    fn assert_untouched(&self, context: &str) {
        assert_eq!(self.config(), json!({ "auths": {} }), "{context}");
    }
}

fn ends_with(command: &mut Command, code: i32) -> Ended {
    let ended = Ended::from(command.output().unwrap());
    assert_eq!(ended.code, Some(code), "{ended}");
    ended
}

fn config(secret: &Value) -> Value {
    let value = STANDARD.decode(secret["data"][".dockerconfigjson"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&value).unwrap()
}

#[test]
fn a_pod_with_a_role_has_its_secret_hold_a_login_that_pulls() {
    let pod = Pod::new();
    let ended = pod.ends_with(0);
    assert!(ended.stdout.starts_with(&format!("The Secret {NAMESPACE}/{SECRET} is up to date.\n")), "{ended}");
    assert!(ended.stdout.contains(&format!("{}: the login is good until 20", pod.world.host())), "{ended}");
    // Whoever reads the Secret as Docker's clients do gets in.
    fs::write(pod.folder.path().join("config.json"), pod.config().to_string()).unwrap();
    let layer = pod.folder.path().join("layer.tar");
    let made = Command::new("tar").arg("-C").arg(&pod.mount).args(["-cf"]).arg(&layer).arg("namespace").status().unwrap();
    assert!(made.success());
    let image = format!("{}/{}:x", pod.world.host(), pod.world.repository());
    for logged_in in [true, false] {
        let mut crane = Command::new(tool("crane"));
        crane.env_clear().args(["append", "--insecure", "--oci-empty-base", "--new_tag", &image, "--new_layer"]).arg(&layer);
        let home = if logged_in { pod.folder.path() } else { &pod.mount };
        let output = crane.env("DOCKER_CONFIG", home).env("HOME", &pod.mount).output().unwrap();
        assert_eq!(output.status.success(), logged_in, "{}", String::from_utf8_lossy(&output.stderr));
    }
    // Until when it is good stands beside it, and whose it is.
    let secret = pod.cluster.secret(NAMESPACE, SECRET).unwrap();
    assert_eq!(secret["metadata"]["labels"]["app.kubernetes.io/managed-by"], "gp-deliver");
    let expires: jiff::Timestamp = secret["metadata"]["annotations"]["gp-deliver.dev/expires"].as_str().unwrap().parse().unwrap();
    let hours = (expires - jiff::Timestamp::now()).total(jiff::Unit::Hour).unwrap();
    assert!((11.0..12.1).contains(&hours), "{expires}");
}

/// EKS Pod Identity's agent (Amazon EKS User Guide, "Understand how EKS Pod Identity works"): credentials for whoever shows the
/// token of a file.
fn pod_identity_agent(world: &World, token: &str) -> String {
    let secrets = world.secrets();
    let at = secrets.iter().position(|secret| secret.starts_with("ASIA")).expect("somebody has signed in");
    let body = json!({
        "AccessKeyId": secrets[at], "SecretAccessKey": secrets[at + 1], "Token": secrets[at + 2],
        "Expiration": "2099-01-01T00:00:00Z", "AccountId": world.account(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (body, wanted) = (body.to_string(), format!("authorization: {token}\r\n"));
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let count = connection.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..count]);
                if count == 0 {
                    break;
                }
            }
            let shown = String::from_utf8_lossy(&request).contains(&wanted);
            let (status, body) = if shown { ("200 OK", &*body) } else { ("401 Unauthorized", "{}") };
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
            write!(connection, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    format!("http://{address}/v1/credentials")
}

#[test]
fn pod_identity_is_an_identity_too() {
    let pod = Pod::new();
    // A session of the role, as the agent has one.
    pod.ends_with(0);
    let before = pod.password();
    let agent = pod_identity_agent(&pod.world, "token-of-the-pod");
    let file = pod.folder.path().join("eks-pod-identity-token");
    for (token, code) in [("token-of-the-pod", 0), ("token-of-another", 1)] {
        fs::write(&file, token).unwrap();
        let mut command = pod.command();
        command.env_remove("AWS_ROLE_ARN").env_remove("AWS_WEB_IDENTITY_TOKEN_FILE");
        command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent).env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &file);
        let ended = ends_with(&mut command, code);
        if code == 1 {
            ended.says("This pod has no credentials of AWS").says("EKS Pod Identity association");
        }
    }
    assert!(pod.password().is_some() && pod.password() != before);
}

#[test]
fn it_asks_for_nothing_but_its_one_secret_and_replaces_it_without_a_gap() {
    let pod = Pod::new();
    for _ in 0..3 {
        pod.ends_with(0);
    }
    let asked: Vec<_> = pod.cluster.asked().into_iter().map(|asked| (asked.verb, asked.namespace, asked.name)).collect();
    let one = |verb: &str| (verb.to_owned(), NAMESPACE.to_owned(), SECRET.to_owned());
    assert_eq!(asked, (0..3).flat_map(|_| [one("get"), one("patch")]).collect::<Vec<_>>());
    let history = pod.cluster.history(NAMESPACE, SECRET);
    assert_eq!(history.len(), 4, "made, and replaced three times");
    let passwords: Vec<_> = history[1..].iter().map(|state| config(state.as_ref().expect("it was never gone"))).collect();
    assert!(passwords.iter().all(|config| config["auths"][pod.world.host()]["auth"].is_string()), "a login at each moment");
    assert!(passwords[0] != passwords[1] && passwords[1] != passwords[2]);
    // What others have written beside it stays.
    let mut secret = pod.cluster.secret(NAMESPACE, SECRET).unwrap();
    secret["metadata"]["annotations"]["of-others"] = "stays".into();
    pod.cluster.apply(&secret);
    pod.ends_with(0);
    assert_eq!(pod.cluster.secret(NAMESPACE, SECRET).unwrap()["metadata"]["annotations"]["of-others"], "stays");
}

/// The example's role with other rules.
fn role(rules: &Value) -> Value {
    let mut role = example("access.yaml").into_iter().find(|object| object["kind"] == "Role").unwrap();
    role["rules"] = rules.clone();
    role
}

#[test]
fn a_role_that_lacks_something_is_told_the_rules_that_help() {
    let pod = Pod::new();
    let rule = |name: &str, verbs: &[&str]| json!([{ "apiGroups": [""], "resources": ["secrets"], "resourceNames": [name], "verbs": verbs }]);
    for (rules, verb) in [(json!([]), "get"), (rule("another", &["get", "patch"]), "get"), (rule(SECRET, &["get"]), "patch")] {
        pod.cluster.apply(&role(&rules));
        let ended = pod.ends_with(1);
        ended.says(&format!("This service account may not {verb} the Secret {NAMESPACE}/{SECRET}"));
        ended.says(&format!("User \"system:serviceaccount:{NAMESPACE}:{ACCOUNT}\" cannot {verb} resource \"secrets\""));
        pod.assert_untouched(verb);
        // By what it says to copy, it works.
        let (_, rules) = ended.stderr.split_once("  rules:\n").unwrap_or_else(|| panic!("{ended}"));
        let rules: Value = serde_yaml::from_str(&format!("rules:\n{rules}")).unwrap();
        pod.cluster.apply(&role(&rules["rules"]));
        pod.ends_with(0);
        example("secret.yaml").iter().for_each(|object| pod.cluster.apply(object));
    }
}

#[test]
fn a_secret_that_is_not_there_is_created_where_that_is_allowed_and_else_the_manifest_is_told() {
    let pod = Pod::without_secret();
    let ended = pod.ends_with(1);
    ended.says(&format!("There is no Secret {NAMESPACE}/{SECRET}, and this service account may not create one"));
    // What it says to copy is a Secret that serves.
    let (_, manifest) = ended.stderr.split_once("  apiVersion: v1\n").unwrap_or_else(|| panic!("{ended}"));
    let lines: Vec<_> = manifest.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    let manifest: Value = serde_yaml::from_str(&format!("apiVersion: v1\n{}", lines.join("\n"))).unwrap();
    pod.cluster.apply(&manifest);
    pod.assert_untouched("the manifest");
    pod.ends_with(0);
    assert!(pod.password().is_some());

    let pod = Pod::without_secret();
    let mut rules = role(&json!([]))["rules"].clone();
    for (names, verbs) in [(json!([SECRET]), json!(["get", "patch"])), (json!([]), json!(["create"]))] {
        let rule = json!({ "apiGroups": [""], "resources": ["secrets"], "resourceNames": names, "verbs": verbs });
        rules.as_array_mut().unwrap().push(rule);
    }
    pod.cluster.apply(&role(&rules));
    // The answer to the first request is lost, and the second one meets what the first has made.
    pod.cluster.fail("create", Times::Once, Fault::Silence);
    let ended = pod.ends_with(0);
    assert!(ended.stdout.starts_with(&format!("The Secret {NAMESPACE}/{SECRET} was up to date.")), "{ended}");
    assert_eq!(pod.cluster.history(NAMESPACE, SECRET).len(), 1);
    assert_eq!(pod.cluster.secret(NAMESPACE, SECRET).unwrap()["type"], "kubernetes.io/dockerconfigjson");
}

#[test]
fn whoever_writes_between_is_noticed_and_the_secret_is_judged_anew() {
    let pod = Pod::new();
    let held = pod.cluster.hold("patch", 1);
    let running = pod.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    held.arrived();
    // Somebody puts a login of their own there, and takes the label away.
    let mut secret = pod.cluster.secret(NAMESPACE, SECRET).unwrap();
    secret["metadata"]["labels"] = json!({});
    secret["data"][".dockerconfigjson"] = STANDARD.encode(r#"{"auths":{"docker.io":{"auth":"eDp5"}}}"#).into();
    pod.cluster.apply(&secret);
    held.release();
    let ended = Ended::from(running.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(1), "{ended}");
    ended.says("has logins that gp-deliver did not write").says("docker.io");
    assert!(pod.config()["auths"]["docker.io"].is_object());
}

#[test]
fn many_at_once_all_end_well_and_one_login_stays() {
    let pod = Pod::new();
    let running: Vec<_> = (0..4).map(|_| pod.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).collect();
    for one in running {
        let ended = Ended::from(one.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(0), "{ended}");
    }
    assert!(pod.password().is_some());
    assert!(pod.cluster.history(NAMESPACE, SECRET).iter().all(Option::is_some));
}

#[test]
fn a_secret_of_others_is_left_as_it_is() {
    let pod = Pod::new();
    let others = STANDARD.encode(r#"{"auths":{"docker.io":{"auth":"eDp5"}}}"#);
    let secret = |kind: &str, value: &str, more: Value| {
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": NAMESPACE, "name": SECRET },
            "type": kind, "data": { ".dockerconfigjson": value },
        });
        secret.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        secret
    };
    let docker = "kubernetes.io/dockerconfigjson";
    for (secret, says) in [
        (secret("Opaque", &others, Value::Null), "is not a pull secret"),
        (secret(docker, &others, Value::Null), "has logins that gp-deliver did not write"),
        (secret(docker, "e30=", json!({ "immutable": true })), "can't be changed"),
    ] {
        pod.cluster.apply(&secret);
        pod.ends_with(1).says(says);
        assert_eq!(pod.cluster.secret(NAMESPACE, SECRET).unwrap()["data"], secret["data"], "{says}");
    }
    // By the label somebody has said that they may go.
    pod.cluster.apply(&secret(docker, &others, Value::Null));
    let mut labelled = pod.cluster.secret(NAMESPACE, SECRET).unwrap();
    labelled["metadata"]["labels"] = json!({ "app.kubernetes.io/managed-by": "gp-deliver" });
    pod.cluster.apply(&labelled);
    pod.ends_with(0);
    assert!(pod.password().is_some() && pod.config()["auths"]["docker.io"].is_null());
}

#[test]
fn a_token_is_read_anew_each_time_and_one_that_has_expired_is_said() {
    let pod = Pod::new();
    let held = pod.cluster.hold("patch", 1);
    let running = pod.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    held.arrived();
    // The kubelet writes another while a request with the old one is on its way.
    pod.cluster.expire_tokens();
    pod.cluster.rotate(NAMESPACE, ACCOUNT);
    pod.cluster.fail("patch", Times::Once, Fault::Refused);
    held.release();
    let ended = Ended::from(running.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended}");
    let login = pod.password();
    assert!(login.is_some());
    pod.cluster.expire_tokens();
    pod.ends_with(1).says("does not know this service account").says("401 Unauthorized: Unauthorized");
    assert_eq!(pod.password(), login, "it holds what it held");
}

#[test]
fn who_is_not_the_clusters_own_api_server_is_shown_no_token() {
    let (pod, stranger) = (Pod::new(), Cluster::start());
    let ended = ends_with(pod.command().envs(stranger.variables()), 1);
    ended.says("is not the API server of this cluster").says("No token was shown");
    assert!(stranger.connections() > 0 && stranger.asked().is_empty());
    // Nor is one that the machine's own authorities vouch for.
    let ended = ends_with(pod.command().envs(stranger.variables()).env("SSL_CERT_FILE", stranger.certificate()), 1);
    ended.says("is not the API server of this cluster");
    assert!(stranger.asked().is_empty());
    let (before, proxy) = (stranger.connections(), stranger.url().replace("https", "http"));
    ends_with(pod.command().env("HTTPS_PROXY", &proxy).env("ALL_PROXY", &proxy), 0);
    assert_eq!(stranger.connections(), before, "the API server is spoken to without a proxy");
}

#[test]
fn no_fault_of_the_api_server_leaves_half_of_anything() {
    let lasting: Vec<_> = [Fault::Refused, Fault::Cut, Fault::Truncated, Fault::Wrong, Fault::Status(500), Fault::Status(503)]
        .into_iter()
        .flat_map(|fault| [("get", fault), ("patch", fault)])
        .chain([("patch", Fault::Silence), ("patch", Fault::Haste(3600)), ("patch", Fault::Spoilt), ("get", Fault::Hang)])
        .collect();
    thread::scope(|scope| {
        for (verb, fault) in lasting {
            scope.spawn(move || {
                let pod = Pod::new();
                pod.cluster.fail(verb, Times::Once, fault);
                let passing = Ended::from(pod.command().output().unwrap());
                let overcome = !matches!(fault, Fault::Haste(_) | Fault::Spoilt);
                assert_eq!(passing.code, Some(i32::from(!overcome)), "{verb} {fault:?}: {passing}");
                assert!(!overcome || pod.password().is_some(), "{verb} {fault:?}");
                let login = pod.password();
                pod.cluster.mend();
                pod.cluster.fail(verb, Times::Always, fault);
                let ended = Ended::from(pod.command().output().unwrap());
                // A patch whose answer is lost each time is seen when the Secret is read again.
                let seen = verb == "patch" && matches!(fault, Fault::Silence | Fault::Truncated);
                assert!(ended.code == Some(1) || seen && ended.code == Some(0), "{verb} {fault:?}: {ended}");
                let after = pod.password();
                assert!(fault == Fault::Spoilt || after.is_some() || login.is_none(), "{verb} {fault:?}: a gap");
                assert!(pod.cluster.history(NAMESPACE, SECRET).iter().all(Option::is_some), "{verb} {fault:?}");
                pod.cluster.mend();
                pod.ends_with(0);
            });
        }
    });
}

#[test]
fn where_aws_gives_no_login_the_secret_holds_what_it_held() {
    let pod = Pod::new();
    pod.ends_with(0);
    let login = pod.password();
    pod.world.allow(&[]);
    pod.world.set_role_policy(&json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": "*" },
    ] }));
    pod.ends_with(1).says("ecr:GetAuthorizationToken");
    pod.world.set_trust_policy(&pod.world.trust_of("system:serviceaccount:another:one"));
    pod.ends_with(1).says("This pod has no credentials of AWS").says("sts:AssumeRoleWithWebIdentity");
    pod.world.fail(Call::AssumeRole, Times::Always, doubles::aws::Fault::Status(500));
    pod.ends_with(1);
    let before = pod.cluster.asked().len();
    ends_with(pod.command().args(["--registry", "012345678901.dkr.ecr.eu-central-1.amazonaws.com.evil.example"]), 1);
    assert_eq!((pod.password(), pod.cluster.asked().len()), (login, before), "it holds what it held");
}

#[test]
fn a_registry_is_one_that_amazon_names() {
    let pod = Pod::new();
    let ended = ends_with(pod.command().args(["--registry", "registry.example"]), 1);
    ended.says("registry.example is not a registry that AWS gives this identity a login to");
    pod.assert_untouched("another registry");
    ends_with(pod.command().args(["--registry", &pod.world.host(), "--registry", &pod.world.host()]), 0);
    assert_eq!(pod.config()["auths"].as_object().unwrap().len(), 1);
}

#[test]
fn what_is_no_name_is_a_wrong_argument_and_nobody_is_asked() {
    let pod = Pod::new();
    for arguments in [["--secret", "../x"], ["--secret", "a/b"], ["--secret", "Ecr"], ["--namespace", "a.b"], ["--namespace", ""]]
    {
        let mut command = pod.command();
        if arguments[0] == "--secret" {
            command = Command::new(binary());
            command.env_clear().envs(pod.variables()).arg("pull-secret");
        }
        ends_with(command.args(arguments), 2).says("is expected");
    }
    ends_with(Command::new(binary()).env_clear().arg("pull-secret"), 2).says("--secret");
    let ended = ends_with(pod.command().env_remove("KUBERNETES_SERVICE_HOST"), 1);
    ended.says("This is not a pod of a Kubernetes cluster").says("KUBERNETES_SERVICE_HOST");
    fs::remove_file(pod.mount.join("..data/token")).unwrap();
    pod.ends_with(1).says("can't be read").says("automountServiceAccountToken");
    assert!(pod.cluster.asked().is_empty());
    pod.assert_untouched("no names");
}

#[test]
fn nothing_secret_is_told() {
    let pod = Pod::new();
    pod.cluster.fail("patch", Times::Once, Fault::Status(500));
    let mut told = Vec::new();
    told.push(ends_with(pod.command().env("GP_DELIVER_LOG", "trace"), 0));
    pod.cluster.apply(&role(&json!([])));
    told.push(ends_with(pod.command().env("GP_DELIVER_LOG", "trace"), 1));
    let mut secrets = pod.world.secrets();
    secrets.extend(pod.cluster.tokens());
    secrets.push(pod.config()["auths"][pod.world.host()]["auth"].as_str().unwrap().to_owned());
    // The id of a key is none.
    for secret in secrets.iter().filter(|secret| secret.len() > 30) {
        for ended in &told {
            assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{secret}: {ended}");
        }
    }
}

#[test]
fn a_signal_ends_it_and_the_secret_holds_what_it_held_or_what_it_was_to() {
    for (name, code) in [("TERM", Some(143)), ("KILL", None)] {
        let pod = Pod::new();
        let held = pod.cluster.hold("patch", 1);
        let running = pod.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        held.arrived();
        signal(running.id(), name);
        let ended = Ended::from(running.wait_with_output().unwrap());
        assert_eq!(ended.code, code, "{ended}");
        drop(held);
        pod.ends_with(0);
        assert!(pod.password().is_some());
    }
}

/// `pull-secret`, whose clock jumps by so many seconds while a request is held: of the API server's with a verb, of AWS's without.
fn with_jump(pod: &Pod, verb: Option<&str>, seconds: i64) -> Ended {
    let (mut command, clock) = namespace::clocked(pod.folder.path(), &pod.command());
    let at_aws = verb.is_none().then(|| pod.world.hold(Call::GetAuthorizationToken, 2));
    let at_cluster = verb.map(|verb| pod.cluster.hold(verb, 2));
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    if let Some(held) = &at_aws {
        held.arrived();
    }
    if let Some(held) = &at_cluster {
        held.arrived();
    }
    clock.jump(seconds);
    // What is held goes on.
    drop((at_aws, at_cluster));
    running.wait_with_output().unwrap().into()
}

#[test]
fn a_clock_that_jumps_leaves_no_gap_and_no_word_of_a_time_that_is_not_known() {
    const DAY: i64 = 24 * 3600;
    for (verb, seconds, code, says) in [
        (None, DAY, 0, "by this machine's clock the login has expired, so the clock is wrong"),
        // Before its time nobody's certificate is good.
        (None, -DAY, 1, "certificate not valid yet"),
        (Some("get"), DAY, 0, "the login is good until"),
        (Some("get"), -DAY, 0, "the login is good until"),
        (Some("patch"), DAY, 0, "the login is good until"),
        (Some("patch"), -DAY, 0, "the login is good until"),
    ] {
        let pod = Pod::new();
        pod.ends_with(0);
        let before = pod.password();
        let ended = with_jump(&pod, verb, seconds);
        assert_eq!(ended.code, Some(code), "{verb:?} {seconds}: {ended}");
        assert!(ended.to_string().contains(says), "{verb:?} {seconds}: {ended}");
        assert_eq!(pod.password() == before, code == 1, "{verb:?} {seconds}: {ended}");
        let secret = pod.cluster.secret(NAMESPACE, SECRET).unwrap();
        let expires = secret["metadata"]["annotations"]["gp-deliver.dev/expires"].as_str();
        let wrong = expires.is_some_and(|at| {
            let at: jiff::Timestamp = at.parse().unwrap();
            !(0.0..12.1).contains(&(at - jiff::Timestamp::now()).total(jiff::Unit::Hour).unwrap())
        });
        assert!(!wrong, "{verb:?} {seconds}: {expires:?}");
        pod.ends_with(0);
    }
}

#[test]
fn the_image_does_it_with_the_rights_of_the_example() {
    let pod = Pod::new();
    let pod_spec = &example("first-run.yaml")[0]["spec"]["template"]["spec"];
    let container = &pod_spec["containers"][0];
    let security = &container["securityContext"];
    assert_eq!((&security["readOnlyRootFilesystem"], &security["capabilities"]["drop"]), (&json!(true), &json!(["ALL"])));
    let user = pod_spec["securityContext"]["runAsUser"].as_u64().unwrap();
    let mut docker = Command::new("docker");
    docker.env("DOCKER_HOST", part("DOCKER")).args(["run", "--rm", "--read-only", "--cap-drop=ALL"]);
    docker.args(["--security-opt=no-new-privileges", "--network=host", "--memory=256m", "--user", &format!("{user}:{user}")]);
    let folder = pod.folder.path().join("aws");
    // As the kubelet has it: the pod's user may read its tokens.
    let mount = pod.mount.join("..data");
    docker.args(["--volume", &format!("{}:/var/run/secrets/kubernetes.io/serviceaccount:ro", mount.display())]);
    docker.args(["--volume", &format!("{}:/var/run/secrets/aws/token:ro", folder.display())]);
    for (name, value) in pod.variables() {
        let value = if name == "AWS_WEB_IDENTITY_TOKEN_FILE" { "/var/run/secrets/aws/token".to_owned() } else { value };
        docker.args(["--env", &format!("{name}={value}")]);
    }
    docker.arg(part("IMAGE"));
    for argument in container["args"].as_array().unwrap() {
        let argument = argument.as_str().unwrap();
        let registry = format!("--registry={}", pod.world.host());
        docker.arg(if argument.starts_with("--registry=") { &registry } else { argument });
    }
    let ended = ends_with(&mut docker, 0);
    assert!(ended.stdout.starts_with("The Secret team/ecr-pull is up to date."), "{ended}");
    assert!(pod.password().is_some());
}
