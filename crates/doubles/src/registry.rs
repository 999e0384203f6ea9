//! Debian's docker-registry (CNCF distribution) on a free port of this machine, for one test.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::program::{Installer, program};

/// The name and password of a registry that wants one.
pub const USER: (&str, &str) = ("ann", "correct-horse");
/// What `htpasswd -B` makes of them.
const HTPASSWD: &str = "ann:$2y$05$abcdefghijklmnopqrstuuZ0Fx87Pb/Aqb0E90lfvCwzXnaFKUHpS\n";

/// A registry; it ends when this is dropped.
pub struct Registry {
    process: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// Where its content is.
    pub folder: TempDir,
}

/// How a registry is set up.
#[derive(Clone, Copy, Default)]
pub struct Options {
    /// Whether it wants [`USER`].
    pub password: bool,
    /// Whether it speaks TLS, with a certificate that nobody knows: [`Registry::certificate`].
    pub tls: bool,
    /// Whether it answers 405 to removals.
    pub keeps_everything: bool,
}

impl Registry {
    /// Starts one.
    pub fn start(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display();
        let tls = if options.tls { certify(folder.path()) } else { String::new() };
        let removal = !options.keeps_everything;
        let mut config = format!(
            "version: 0.1\nlog: {{level: info}}\nhttp: {{addr: \"127.0.0.1:0\"{tls}}}\n\
             storage: {{filesystem: {{rootdirectory: \"{root}/content\"}}, delete: {{enabled: {removal}}}}}\n"
        );
        if options.password {
            std::fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
            config += "auth: {htpasswd: {realm: test, path: \"";
            config.extend([folder.path().to_str().unwrap(), "/htpasswd\"}}\n"]);
        }
        let path = folder.path().join("config.yml");
        std::fs::write(&path, config).unwrap();
        let mut process = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is installed (Debian package docker-registry)");
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("docker-registry starts").unwrap();
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ' ', ',']).next().unwrap().to_owned();
            }
        };
        // Left unread, its log would fill the pipe and stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address, folder }
    }

    /// Where its repositories are.
    pub fn content(&self) -> std::path::PathBuf {
        self.folder.path().join("content")
    }

    /// Where its certificate is.
    pub fn certificate(&self) -> std::path::PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// What each tag of a repository names, as the registry itself says.
    pub async fn tags(&self, repository: &str) -> BTreeMap<String, String> {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let base = format!("http://{}/v2/{repository}", self.address);
        let list = http.get(format!("{base}/tags/list")).send().await.unwrap();
        let list: serde_json::Value = list.json().await.unwrap();
        let mut tags = BTreeMap::new();
        for tag in list["tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str()) {
            let accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
            let answer = http.head(format!("{base}/manifests/{tag}")).header("accept", accept).send().await.unwrap();
            if answer.status() == 200 {
                tags.insert(tag.to_owned(), answer.headers()["docker-content-digest"].to_str().unwrap().to_owned());
            }
        }
        tags
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Makes a certificate and gives the setting that uses it.
fn certify(folder: &std::path::Path) -> String {
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1"])
        // An authority's own certificate is no server's (webpki).
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    format!(", tls: {{certificate: \"{}\", key: \"{}\"}}", certificate.display(), key.display())
}

/// Runs crane, an independent client, and gives what it prints.
pub fn crane(arguments: &[&str]) -> String {
    let output = Command::new(program(Installer::Tools, "crane")).args(arguments).output().unwrap();
    assert!(output.status.success(), "crane {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
