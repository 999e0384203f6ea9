//! A private base image is pulled with what `docker login` left, by every kind of engine.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use doubles::registry::{Options, Registry, USER};

use crate::support::{Source, engines, run, tool};

#[test]
fn a_private_base_image_is_pulled_with_the_users_credentials_and_not_without() {
    let registry = Registry::start(Options { password: true, ..Options::default() });
    let base = format!("{}/team/base:1", registry.address);
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", USER.0, USER.1));
    let config = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.address);
    for (number, engine) in engines().into_iter().enumerate() {
        let made = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /base\n"), ("a", &format!("base {number}"))]);
        made.deliver().flag("--tags", "one").ends_with(0);
        let source = Source::in_git(&[("Dockerfile", &format!("FROM {base}\nCOPY b /\n")), ("b", "own")]);
        let docker = source.beside("home/.docker");
        fs::create_dir_all(&docker).unwrap();
        fs::write(docker.join("config.json"), &config).unwrap();
        run(Command::new(tool("crane"))
            .args(["push", "--insecure"])
            .arg(made.beside("image"))
            .arg(&base)
            .env("DOCKER_CONFIG", &docker));

        source.deliver().on(&engine).ends_with(0).does_not_say(USER.1);
        assert_eq!(source.image().files()["base"], format!("base {number}").as_bytes(), "{}", engine.name);

        fs::write(docker.join("config.json"), "{}").unwrap();
        let stranger =
            Source::in_git(&[("Dockerfile", &format!("FROM {}/team/other:1\nCOPY b /\n", registry.address)), ("b", "own")]);
        stranger.deliver().on(&engine).ends_with(1).says("team/other:1").says("docker login");
    }
}

#[test]
fn layers_of_a_base_in_the_same_registry_are_mounted_and_not_sent() {
    let registry = Registry::start(Options::default());
    let base = format!("{}/team/base:1", registry.address);
    let made = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /base\n"), ("a", "the base")]);
    made.deliver().flag("--tags", "one").ends_with(0);
    run(Command::new(tool("crane")).args(["push", "--insecure"]).arg(made.beside("image")).arg(&base));
    // The containerd store keeps the base's layers as the registry has them.
    let engine = &engines()[1];
    let source = Source::in_git(&[("Dockerfile", &format!("FROM {base}\nCOPY b /\n")), ("b", "own")]);
    source
        .deliver()
        .on(engine)
        .flag("--destination", &format!("{}/team/app", registry.address))
        .ends_with(0)
        .says("taken from another repository");
}
