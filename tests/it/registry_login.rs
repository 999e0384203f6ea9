//! What Docker's client is told of registries (certificates, credential helpers) holds here too.
//!
//! Both are told by environment variables, so each promise is kept by a process of its own: this program, started anew for
//! one of its ignored tests.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use doubles::registry::{Options, Registry};
use gp_deliver::diagnosis::Diagnosis;
use gp_deliver::oci::registry::credentials::{Auth, Origin};
use gp_deliver::oci::registry::{Client, Credentials, Store};
use gp_deliver::process::Launcher;

/// Runs one of the ignored tests below in a process with these variables.
fn run_apart(test: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--exact", test, "--ignored"]).envs(variables.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn client(address: &str) -> Client {
    Client::new(format!("{address}/app").parse().unwrap(), Credentials::anonymous()).unwrap()
}

#[tokio::test]
async fn a_registry_whose_certificate_nobody_knows_is_not_trusted_until_it_is_made_known() {
    let registry = Registry::start(Options { tls: true, ..Options::default() });
    let error = client(&registry.address).ping().await.unwrap_err();
    assert!(error.is_untrusted(), "{error}");
    assert!(Diagnosis::from(&error).remedy.contains("SSL_CERT_FILE"));
    let certificate = registry.certificate();
    let variables = [("REGISTRY", registry.address.as_str()), ("SSL_CERT_FILE", certificate.to_str().unwrap())];
    run_apart("registry_login::apart_the_registry_is_trusted", &variables);
}

#[tokio::test]
#[ignore = "run by the test above"]
async fn apart_the_registry_is_trusted() {
    client(&std::env::var("REGISTRY").unwrap()).ping().await.unwrap();
}

#[test]
fn a_credential_helper_is_asked_and_sees_nothing_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("docker-credential-tested");
    let script = "#!/bin/sh\nread host || true\n[ \"$1\" = get ] || exit 9\n\
                  case $host in\n\
                  token.example) echo '{\"Username\":\"<token>\",\"Secret\":\"t0ken\"}';;\n\
                  none.example) echo 'credentials not found in native keychain'; exit 1;;\n\
                  broken.example) echo 'the key ring is locked'; exit 1;;\n\
                  *) echo \"{\\\"Username\\\":\\\"$host\\\",\\\"Secret\\\":\\\"${UNRELATED:-hidden}\\\"}\";;\nesac\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let auth = r#"{"credsStore":"tested","auths":{"none.example":{"username":"ann","password":"from-file"}}}"#;
    std::fs::write(folder.path().join("config.json"), auth).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let variables = [("PATH", path.as_str()), ("DOCKER_CONFIG", folder.path().to_str().unwrap()), ("UNRELATED", "leaked")];
    run_apart("registry_login::apart_the_helper_answers", &variables);
}

#[tokio::test]
#[ignore = "run by the test above"]
async fn apart_the_helper_answers() {
    let launcher = Launcher::new(env!("CARGO_BIN_EXE_gp-deliver"), &std::env::var_os("PATH").unwrap());
    let store = Store::from_env().with_launcher(launcher);
    let found = store.find("r.example:5000").await.unwrap();
    let Auth::Basic { username, password } = found.auth else { panic!("{:?}", found.auth) };
    assert_eq!((username.as_str(), password.expose()), ("r.example:5000", "hidden"));
    assert!(matches!(found.origin, Origin::Helper { program, .. } if program == "docker-credential-tested"));
    assert!(matches!(store.find("token.example").await.unwrap().auth, Auth::IdentityToken(token) if token.expose() == "t0ken"));
    assert!(
        matches!(store.find("none.example").await.unwrap().auth, Auth::Basic { password, .. } if password.expose() == "from-file")
    );
    let error = store.find("broken.example").await.unwrap_err();
    assert!(Diagnosis::from(&error).why.contains("the key ring is locked"), "{error}");
}
