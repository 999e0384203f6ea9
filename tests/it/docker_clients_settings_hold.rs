//! A build goes where Docker's client would go, as it would go there, with the proxies that it would give.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::door::Door;
use crate::support::{Delivery, Source, engines, part, run};

const BASE: &str = "debian:bookworm-slim";

/// The variables' values that a step has are in the image.
fn showing_proxies() -> Source {
    let dockerfile = format!(
        "FROM {BASE} AS build\nARG N\nRUN : \"$N\"; echo \"$http_proxy|$HTTP_PROXY|$https_proxy|$NO_PROXY\" | tee /o\n\
         FROM scratch\nCOPY --from=build /o /\n"
    );
    Source::in_git(&[("Dockerfile", &dockerfile)])
}

fn write_config(source: &Source, config: &Value) {
    let folder = source.beside("home/.docker");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

/// A delivery of which no variable says where the engine is.
fn unled(source: &Source) -> Delivery {
    source.deliver().variable("DOCKER_HOST", "").flag("--sbom-formats", "spdx-json")
}

/// Writes the context `name`, and makes it the current one.
fn use_context(source: &Source, name: &str, host: &str, certificates: Option<&std::path::Path>) {
    write_config(source, &json!({"currentContext": name}));
    let id = run(Command::new("sh").args(["-c", "printf %s \"$0\" | sha256sum | cut -c1-64", name])).trim().to_owned();
    let contexts = source.beside("home/.docker/contexts");
    let meta = contexts.join("meta").join(&id);
    fs::create_dir_all(&meta).unwrap();
    let endpoints = json!({"docker": {"Host": host, "SkipTLSVerify": false}});
    fs::write(meta.join("meta.json"), json!({"Name": name, "Metadata": {}, "Endpoints": endpoints}).to_string()).unwrap();
    if let Some(certificates) = certificates {
        let tls = contexts.join("tls").join(&id).join("docker");
        fs::create_dir_all(&tls).unwrap();
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            fs::copy(certificates.join(name), tls.join(name)).unwrap();
        }
    }
}

#[test]
fn the_clients_proxies_reach_every_step_and_stay_out_of_the_image_and_their_passwords_out_of_the_log() {
    let password = format!("pass{}word", std::process::id());
    let address = format!("http://ann:{password}@proxy.example:3128");
    for engine in engines() {
        let source = showing_proxies();
        let argument = format!("N={}", source.beside("").display());
        let default = json!({"httpProxy": &address, "httpsProxy": "http://proxy.example:3129", "noProxy": "localhost"});
        write_config(&source, &json!({"proxies": {"default": default}}));
        let deliver = || source.deliver().on(&engine).flag("--build-args", &argument);
        let ended = deliver().ends_with(0);
        ended.does_not_say(&password).says("***");
        let expected = format!("{address}|{address}|http://proxy.example:3129|localhost\n");
        assert_eq!(String::from_utf8(source.image().files()["o"].clone()).unwrap(), expected, "{}", engine.name);
        assert!(!source.image().config().to_string().contains("proxy.example"), "{}", source.image().config());
        assert!(!fs::read_to_string(source.beside("report/record.json")).unwrap().contains(&password));
    }
}

#[test]
fn an_engines_own_proxies_and_the_builds_own_arguments_come_before_the_default_ones() {
    let source = showing_proxies();
    let own = json!({"httpProxy": "http://own.example", "noProxy": "own"});
    write_config(&source, &json!({"proxies": {"default": {"httpProxy": "http://default.example"}, (part("DOCKER")): own}}));
    let arguments = format!("N={}\nNO_PROXY=given", source.beside("").display());
    source.deliver().flag("--build-args", &arguments).ends_with(0);
    assert_eq!(source.image().files()["o"], b"http://own.example|http://own.example||given\n");
}

#[test]
fn the_password_of_a_proxy_that_a_dockerfile_makes_part_of_the_image_is_not_published() {
    let password = format!("pass{}&word", std::process::id());
    for engine in engines() {
        for line in ["ARG http_proxy\nRUN true", "ARG HTTP_PROXY\nENV PROXY=$HTTP_PROXY"] {
            let source = Source::in_git(&[("Dockerfile", &format!("FROM {BASE}\n{line}\nCOPY a /\n")), ("a", "1")]);
            let address = format!("http://ann:{password}@proxy.example:3128");
            write_config(&source, &json!({"proxies": {"default": {"httpProxy": &address}}}));
            let ended = source.deliver().on(&engine).ends_with(1);
            ended.says("The image's configuration holds the credentials of a proxy").does_not_say(&password);
            assert!(!source.beside("image").exists(), "{}", engine.name);
        }
    }
}

#[test]
fn a_build_goes_where_the_current_context_leads() {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")]);
    let elsewhere = source.beside("elsewhere.sock");
    use_context(&source, "elsewhere", &format!("unix://{}", elsewhere.display()), None);
    unled(&source).ends_with(1).says(elsewhere.to_str().unwrap());
    unled(&source).variable("DOCKER_CONTEXT", "missing").ends_with(2).says("missing").says("Docker context");
    // The variable that names the engine comes first, as for Docker's client.
    source.deliver().ends_with(0);
    use_context(&source, "here", &part("DOCKER_CONTAINERD"), None);
    unled(&source).ends_with(0).says("in containerd");
    use_context(&source, "far", "ssh://user@host.example", None);
    unled(&source).ends_with(2).says("ssh -nNT -L").says("far");
    source.deliver().variable("DOCKER_HOST", "ssh://user@host.example").ends_with(2).says("DOCKER_HOST").says("ssh -nNT -L");
}

#[test]
fn an_engine_with_tls_is_spoken_to_by_its_certificates() {
    for address in [part("DOCKER"), part("DOCKER_CONTAINERD")] {
        let door = Door::with_tls(&address);
        let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")]);
        let certificates = door.certificates();
        let led = unled(&source).variable("DOCKER_HOST", &door.address);
        let verified = led.clone().variable("DOCKER_TLS_VERIFY", "1");
        verified.clone().variable("DOCKER_CERT_PATH", certificates.to_str().unwrap()).ends_with(0);
        use_context(&source, "tls", &door.address, Some(&certificates));
        unled(&source).ends_with(0);
    }
}

#[test]
fn what_is_wrong_with_tls_is_said() {
    let (door, other) = (Door::with_tls(&part("DOCKER")), Door::with_tls(&part("DOCKER")));
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")]);
    let led = source.deliver().variable("DOCKER_HOST", &door.address);
    led.ends_with(1).says("The engine speaks TLS there").says("DOCKER_TLS_VERIFY");
    let verified = led.variable("DOCKER_TLS_VERIFY", "1");
    verified.ends_with(1).says("DOCKER_CERT_PATH").says("home/.docker/ca.pem");
    let strange = verified.clone().variable("DOCKER_CERT_PATH", other.certificates().to_str().unwrap());
    strange.ends_with(1).says("TLS").says("does not believe the other");
    // A client that shows nothing.
    let bare = source.beside("bare");
    fs::create_dir_all(&bare).unwrap();
    fs::copy(door.certificates().join("ca.pem"), bare.join("ca.pem")).unwrap();
    verified.variable("DOCKER_CERT_PATH", bare.to_str().unwrap()).ends_with(1).says("does not believe the other");
}

#[test]
fn an_image_that_the_engine_loses_before_it_is_saved_is_exported_again() {
    let door = Door::that_loses_images(&part("DOCKER"), 2);
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /\n"), ("a", "1")]);
    source.deliver().variable("DOCKER_HOST", &door.address).ends_with(0);
    assert_eq!((door.losses_left(), source.image().files()["a"].as_slice()), (0, &b"1"[..]));
    let door = Door::that_loses_images(&part("DOCKER"), 100);
    source.deliver().variable("DOCKER_HOST", &door.address).ends_with(1).says("The engine lost the image");
    assert_eq!(door.losses_left(), 95);
}
