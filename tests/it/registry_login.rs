//! What Docker's client is told of registries (certificates, passwords, credential helpers) holds here too.

use std::fs;

use doubles::registry::{Options, Registry, USER};
use serde_json::json;

use crate::support::job::clean;
use crate::support::{Delivery, Source, part, script};

fn deliver(source: &Source, registry: &Registry) -> Delivery {
    source.deliver().flag("--destination", &format!("{}/team/app", registry.address)).flag("--tags", "v1")
}

/// Writes what `docker login` leaves at home.
fn write_config(source: &Source, config: &serde_json::Value) {
    let folder = source.beside("home/.docker");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

#[test]
fn a_registry_whose_certificate_nobody_knows_is_not_trusted_until_it_is_made_known() {
    let registry = Registry::start(Options { tls: true, ..Options::default() });
    let source = clean();
    deliver(&source, &registry).ends_with(1).says("SSL_CERT_FILE");
    let certificate = registry.certificate();
    deliver(&source, &registry).variable("SSL_CERT_FILE", certificate.to_str().unwrap()).ends_with(0);
}

#[tokio::test]
async fn the_password_of_docker_login_opens_the_registry_and_without_it_nothing_is_published() {
    let registry = Registry::start(Options { password: true, ..Options::default() });
    let source = clean();
    let login = |password: &str| json!({"auths": {(&registry.address): {"username": USER.0, "password": password}}});
    for config in [login("wrong"), json!({})] {
        write_config(&source, &config);
        let ended = deliver(&source, &registry).ends_with(1);
        ended.says("401").says("docker login").does_not_say("publish ");
    }
    write_config(&source, &login(USER.1));
    deliver(&source, &registry).ends_with(0).does_not_say(USER.1);
    assert_eq!(source.record()["publication"]["tags"], json!(["v1"]));
}

#[test]
fn a_credential_helper_is_asked_and_sees_nothing_of_the_environment() {
    let registry = Registry::start(Options { password: true, ..Options::default() });
    let source = clean();
    // The registry lets in whoever has the password, which this helper gives where it sees nothing.
    let text = format!(
        "#!/bin/sh\nread host\n[ \"$1\" = get ] && [ \"$host\" = {} ] || exit 9\n\
         echo \"{{\\\"Username\\\":\\\"{}\\\",\\\"Secret\\\":\\\"${{UNRELATED:-{}}}\\\"}}\"\n",
        registry.address, USER.0, USER.1
    );
    script(&source.beside("bin/docker-credential-tested"), &text);
    write_config(&source, &json!({"credsStore": "tested"}));
    let path = format!("{}:{}:/usr/bin:/bin", source.beside("bin").display(), part("TOOLS"));
    let delivery = deliver(&source, &registry).path(&path).variable("UNRELATED", "leaked");
    delivery.ends_with(0);
    script(&source.beside("bin/docker-credential-tested"), "#!/bin/sh\necho 'the key ring is locked'; exit 1\n");
    delivery.ends_with(1).says("the key ring is locked");
}
