//! Tests with a helper program, which the real binary starts.

use std::os::unix::fs::PermissionsExt as _;

use super::{Auth, Origin, Store};
use crate::diagnosis::Diagnosis;
use crate::process::testing::launcher_before;

#[tokio::test]
async fn a_credential_helper_is_asked_before_the_file_and_its_answer_is_taken_by_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("docker-credential-tested");
    let script = "#!/bin/sh\nread host || true\n[ \"$1\" = get ] || exit 9\n\
                  case $host in\n\
                  token.example) echo '{\"Username\":\"<token>\",\"Secret\":\"t0ken\"}';;\n\
                  none.example) echo 'credentials not found in native keychain'; exit 1;;\n\
                  broken.example) echo 'the key ring is locked'; exit 1;;\n\
                  *) echo \"{\\\"Username\\\":\\\"$host\\\",\\\"Secret\\\":\\\"s3cret\\\"}\";;\nesac\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let auth = r#"{"credsStore":"tested","auths":{"none.example":{"username":"ann","password":"from-file"}}}"#;
    let config = folder.path().join("config.json");
    std::fs::write(&config, auth).unwrap();
    let store = Store::at(config).with_launcher(launcher_before(folder.path()));
    let found = store.find("r.example:5000").await.unwrap();
    let Auth::Basic { username, password } = found.auth else { panic!("{:?}", found.auth) };
    assert_eq!((username.as_str(), password.expose()), ("r.example:5000", "s3cret"));
    assert!(matches!(found.origin, Origin::Helper { program, .. } if program == "docker-credential-tested"));
    assert!(matches!(store.find("token.example").await.unwrap().auth, Auth::IdentityToken(token) if token.expose() == "t0ken"));
    assert!(
        matches!(store.find("none.example").await.unwrap().auth, Auth::Basic { password, .. } if password.expose() == "from-file")
    );
    let error = store.find("broken.example").await.unwrap_err();
    assert!(Diagnosis::from(&error).why.contains("the key ring is locked"), "{error}");
}
