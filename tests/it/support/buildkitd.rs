//! A `buildkitd` of a test's own: what goes wrong there is remembered by nobody else. BuildKit's client of the cache of GitHub
//! Actions, for one, makes all builds of a daemon wait once a server had too much to do.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::processes::family;
use super::{Engine, part};

/// How long one may take to begin.
const BEGINS: Duration = Duration::from_mins(1);

/// A daemon with nothing in it, which takes its base images from where the shared one does; it ends when this is dropped.
pub struct Buildkitd {
    folder: tempfile::TempDir,
    process: Child,
    port: Option<u16>,
}

impl Buildkitd {
    /// Starts one, and waits until it answers.
    #[must_use]
    pub fn start() -> Self {
        Self::begin("", None)
    }

    /// Starts one that says that it runs these platforms: a list of TOML, `"linux/amd64", "linux/arm64"`.
    #[must_use]
    pub fn that_says(platforms: &str) -> Self {
        Self::begin(&format!("platforms = [{platforms}]\n"), None)
    }

    /// Starts one that listens on a port too, for whoever shows a certificate of the authority in this folder, where its own is.
    #[must_use]
    pub fn with_certificates(certificates: &Path) -> Self {
        Self::begin("", Some(certificates))
    }

    fn begin(platforms: &str, certificates: Option<&Path>) -> Self {
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let port = certificates.map(|_| free());
        let tcp = port.map(|port| format!(", \"tcp://127.0.0.1:{port}\"")).unwrap_or_default();
        let tls = certificates.map(Path::display).map(|folder| {
            format!("[grpc.tls]\ncert = \"{folder}/cert.pem\"\nkey = \"{folder}/key.pem\"\nca = \"{folder}/ca.pem\"\n")
        });
        let tls = tls.unwrap_or_default();
        let folder = tempfile::Builder::new().prefix("gp-deliver-test-").tempdir().unwrap();
        let path = folder.path().display();
        let owner = |option| {
            let id = Command::new("id").arg(option).output().unwrap().stdout;
            String::from_utf8(id).unwrap().trim().to_owned()
        };
        let config = format!(
            "root = \"{path}/root\"\n[grpc]\naddress = [\"unix://{path}/socket\"{tcp}]\nuid = {}\ngid = {}\n\
             {tls}[worker.oci]\nenabled = true\ngc = false\n{platforms}[worker.containerd]\nenabled = false\n\
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
        let daemon = Self { folder, process, port };
        daemon.wait();
        daemon
    }

    /// Where it listens on a port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }

    /// Ends it at once, with all that its steps run, as a machine ends that is switched off.
    pub fn kill(&self) {
        let processes: Vec<_> = family(self.process.id()).iter().map(ToString::to_string).collect();
        let _ = as_root("kill").arg("-KILL").args(processes).status();
    }

    /// It as a builder.
    #[must_use]
    pub fn engine(&self) -> Engine {
        let address = self.address();
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
        // One that was killed leaves what its steps had mounted.
        let mounted = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let path = self.folder.path().display().to_string();
        for place in mounted.lines().filter_map(|line| line.split(' ').nth(1)).filter(|place| place.starts_with(&path)) {
            let _ = as_root("umount").args(["-l", place]).status();
        }
        let _ = as_root("rm").arg("-rf").arg(self.folder.path().join("root")).status();
    }
}

fn as_root(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/as-root"));
    command.arg(program);
    command
}
