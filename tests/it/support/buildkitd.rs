//! A `buildkitd` of a test's own: what goes wrong there is remembered by nobody else. BuildKit's client of the cache of GitHub
//! Actions, for one, makes all builds of a daemon wait once a server had too much to do.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Engine, part};

/// How long one may take to begin.
const BEGINS: Duration = Duration::from_mins(1);

/// A daemon with nothing in it, which takes its base images from where the shared one does; it ends when this is dropped.
pub struct Buildkitd {
    folder: tempfile::TempDir,
    process: Child,
}

impl Buildkitd {
    /// Starts one, and waits until it answers.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("gp-deliver-test-").tempdir().unwrap();
        let path = folder.path().display();
        let owner = |option| {
            let id = Command::new("id").arg(option).output().unwrap().stdout;
            String::from_utf8(id).unwrap().trim().to_owned()
        };
        let config = format!(
            "root = \"{path}/root\"\n[grpc]\naddress = [\"unix://{path}/socket\"]\nuid = {}\ngid = {}\n\
             [worker.oci]\nenabled = true\ngc = false\n[worker.containerd]\nenabled = false\n\
             [registry.\"docker.io\"]\nmirrors = [\"{}\"]\n",
            owner("-u"),
            owner("-g"),
            part("REGISTRY"),
        );
        fs::write(folder.path().join("config.toml"), config).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = as_root(Path::new(&part("TOOLS")).join("buildkitd"))
            .arg("--config")
            .arg(folder.path().join("config.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let daemon = Self { folder, process };
        daemon.wait();
        daemon
    }

    /// It as a builder.
    #[must_use]
    pub fn engine(&self) -> Engine {
        let address = format!("unix://{}", self.folder.path().join("socket").display());
        Engine { name: "a buildkitd of its own", variables: vec![], flags: vec!["--buildkit-host".to_owned(), address] }
    }

    fn wait(&self) {
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(self.folder.path().join("socket")).is_err() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < BEGINS, "the buildkitd does not begin: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Buildkitd {
    fn drop(&mut self) {
        // Where an ordinary user runs the tests, that is `sudo`, which hands the signal on.
        let _ = as_root("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        let _ = as_root("rm").arg("-rf").arg(self.folder.path().join("root")).status();
    }
}

fn as_root(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/as-root"));
    command.arg(program);
    command
}
