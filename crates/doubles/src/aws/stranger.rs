//! Clients of a world that know nothing of us: boto3, crane, and GitHub's library for actions.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use serde_json::{Value, json};

use super::World;
use crate::program::{Installer, program, workspace};

/// Runs a program in the environment of the world's job.
fn run(world: &World, command: &mut Command, input: &str) -> Output {
    let mut child = command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(world.variables())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What boto3 was told.
pub fn boto(world: &World, asked: &Value) -> Vec<Value> {
    let script = workspace().join("tools/moto/boto.py");
    let output = run(world, Command::new(program(Installer::Moto, "python")).arg(script), &asked.to_string());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What boto3 was told when it assumed the role and then made these calls.
pub fn session(world: &World, calls: &Value) -> Vec<Value> {
    boto(world, &json!({"assume": {"RoleArn": world.role()}, "calls": calls}))
}

/// What boto3 was told when it assumed the role with these parameters.
pub fn assumed(world: &World, parameters: &Value) -> Value {
    let mut assume = json!({"RoleArn": world.role()});
    assume.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    boto(world, &json!({"assume": assume})).remove(0)
}

/// The folder of a Docker configuration with a password of the world's registry.
pub struct Login(tempfile::TempDir);

impl Login {
    /// Asks for a password as boto3.
    pub fn to(world: &World) -> Self {
        let said = session(world, &json!([["ecr", "get_authorization_token", {}]]));
        let data = &said[1]["said"]["authorizationData"][0];
        assert_eq!(data["proxyEndpoint"], format!("http://{}", world.host()), "{said:?}");
        Self::with(world, data["authorizationToken"].as_str().unwrap())
    }

    /// Takes this pair of name and password, in base64.
    pub fn with(world: &World, pair: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({"auths": {world.host(): {"auth": pair}}});
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program(Installer::Tools, "crane"));
        command.args(arguments).arg("--insecure").env("DOCKER_CONFIG", self.0.path());
        command
    }

    /// What crane prints.
    ///
    /// # Errors
    /// Its complaint.
    pub fn crane(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// A crane that is pushing an image.
    pub fn pushing(&self, world: &World, content: &str, tag: &str) -> Child {
        let image = image(self.0.path(), content);
        self.command(&["push", &image, &reference(world, tag)]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

/// Writes an image of one layer as `docker save` would, and gives its path.
fn image(folder: &Path, content: &str) -> String {
    let layer = archive(&[("file", content.as_bytes())]);
    let config = json!({
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest_of(&layer)]},
    });
    let manifest = json!([{"Config": "config.json", "RepoTags": null, "Layers": ["layer.tar"]}]);
    let (config, manifest) = (config.to_string(), manifest.to_string());
    let files = [("manifest.json", manifest.as_bytes()), ("config.json", config.as_bytes()), ("layer.tar", &layer)];
    let path = folder.join("image.tar");
    std::fs::write(&path, archive(&files)).unwrap();
    path.to_string_lossy().into_owned()
}

/// `sha256:…` of some bytes.
pub fn digest_of(content: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in digest(&SHA256, content).as_ref() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

/// An image in the world's repository.
pub fn reference(world: &World, tag: &str) -> String {
    format!("{}/{}:{tag}", world.host(), world.repository())
}

/// Pushes an image with some content, and gives its digest.
///
/// # Errors
/// crane's complaint.
pub fn push(world: &World, login: &Login, content: &str, tag: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path(), content);
    let digest = login.crane(&["push", &image, &reference(world, tag)])?;
    Ok(digest.rsplit_once('@').unwrap().1.to_owned())
}

/// The claims of the token that GitHub's own library gets. The request token may be another.
///
/// # Errors
/// The library's complaint.
pub fn id_token(world: &World, audience: &str, request_token: Option<&str>) -> Result<Value, String> {
    let mut variables = world.variables();
    if let Some(token) = request_token {
        variables.push(("ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(), token.to_owned()));
    }
    let mut command = Command::new(program(Installer::Validators, "id-token"));
    let output = command.arg(audience).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(variables);
    let output = output.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let token = printed.lines().find_map(|line| line.strip_prefix("token "));
    let token = token.ok_or_else(|| format!("{printed}{}", String::from_utf8_lossy(&output.stderr)))?;
    assert!(world.secrets().contains(&token.to_owned()), "a token is a secret");
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    Ok(serde_json::from_slice(&claims).unwrap())
}
