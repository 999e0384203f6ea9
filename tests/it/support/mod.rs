//! What the tests share: a source to deliver, the real binary, the engines, and readers that are not ours.

pub mod act;
pub mod buildkitd;
pub mod document;
pub mod door;
pub mod git;
pub mod job;
pub mod keyless;
pub mod machines;
pub mod processes;
pub mod runner;
pub mod stranger;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use doubles::program::{Installer, program};
use serde_json::Value;

/// A part that the tests need, by the name under which `scripts/test-parts env` gives it.
#[must_use]
pub fn part(name: &str) -> String {
    let name = format!("GP_DELIVER_TEST_{name}");
    std::env::var(&name).unwrap_or_else(|_| {
        panic!("{name} is not set: run the tests by `make test`, or `eval \"$(scripts/test-parts env)\"` first")
    })
}

/// A tool that the project's scripts built.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    program(Installer::Tools, name)
}

/// The syft that starts in a tenth of the time (`scripts/tools`, `quicken`): every delivery starts one, and few tests are about
/// what it says. `a_quick_syft_says_what_syft_says` holds it to the other.
#[must_use]
pub fn quick_syft() -> PathBuf {
    Path::new(&part("TOOLS")).with_file_name("quick").join("syft")
}

/// A path that has the scanners as they are released, and what a Debian has.
#[must_use]
pub fn released() -> String {
    format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", part("TOOLS"))
}

/// As [`released`], with the syft that starts quickly.
fn quick() -> String {
    format!("{}:{}", quick_syft().parent().unwrap().display(), released())
}

/// A program that reads what we write, as its readers do.
#[must_use]
pub fn validator(name: &str) -> PathBuf {
    program(Installer::Validators, name)
}

/// A secret that opens nothing, put together here so that no file of ours holds one.
pub fn secret() -> String {
    let text: String =
        (0..36).map(|n: u8| char::from(b"a7Kq2XvB9mZr4TnW"[usize::from(n.wrapping_mul(7) ^ (n >> 1)) % 16])).collect();
    format!("{}_{text}", ["g", "hp"].concat())
}

/// A builder of one of the three kinds.
#[derive(Clone, Debug)]
pub struct Engine {
    pub name: &'static str,
    variables: Vec<(&'static str, String)>,
    flags: Vec<String>,
}

/// One engine of each kind: graph driver, containerd store, standalone buildkitd.
#[must_use]
pub fn engines() -> Vec<Engine> {
    vec![
        Engine { name: "docker with a graph driver", variables: vec![("DOCKER_HOST", part("DOCKER"))], flags: vec![] },
        Engine {
            name: "docker with the containerd store",
            variables: vec![("DOCKER_HOST", part("DOCKER_CONTAINERD"))],
            flags: vec![],
        },
        Engine { name: "buildkitd", variables: vec![], flags: vec!["--buildkit-host".to_owned(), part("BUILDKITD")] },
    ]
}

/// The program: the one that is built for the tests, or that whose figures are wanted.
#[must_use]
pub fn binary() -> PathBuf {
    std::env::var_os("GP_DELIVER_TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_gp-deliver").into(), PathBuf::from)
}

/// The engine that most tests use: the one a laptop has.
#[must_use]
pub fn engine() -> Engine {
    engines().remove(0)
}

/// A folder that is delivered, and everything that a delivery of it writes; gone when dropped.
pub struct Source {
    folder: tempfile::TempDir,
}

impl Source {
    /// A source with files, outside git.
    #[must_use]
    pub fn new(files: &[(&str, &str)]) -> Self {
        let source = Self { folder: tempfile::Builder::new().prefix("gp-deliver-test-").tempdir().unwrap() };
        fs::create_dir_all(source.context()).unwrap();
        for (path, text) in files {
            source.write(path, text);
        }
        source
    }

    /// As [`Source::new`], committed to a git repository.
    #[must_use]
    pub fn in_git(files: &[(&str, &str)]) -> Self {
        let source = Self::new(files);
        source.git(&["init", "--quiet", "--initial-branch=main"]);
        source.commit("first");
        source
    }

    /// The folder that is delivered.
    #[must_use]
    pub fn context(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    /// A path beside the source.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.context().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(self.context()).env_clear();
        // By an author of its own, a commit is no other test's, and so is an image that is labelled with it.
        git.env("GIT_AUTHOR_NAME", self.folder.path().file_name().unwrap());
        with_path(&mut git).envs([
            ("GIT_AUTHOR_EMAIL", "a@example.invalid"),
            ("GIT_COMMITTER_NAME", "a"),
            ("GIT_COMMITTER_EMAIL", "a@example.invalid"),
        ]);
        let output = git.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Commits everything and says the commit.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A delivery of this source into a layout beside it.
    #[must_use]
    pub fn deliver(&self) -> Delivery {
        self.run("deliver")
    }

    /// A run of any subcommand on this source.
    #[must_use]
    pub fn run(&self, subcommand: &str) -> Delivery {
        let mut delivery = Delivery {
            command: vec![subcommand.to_owned()],
            variables: BTreeMap::new(),
            folder: self.folder.path().to_owned(),
            path: quick(),
        };
        for (flag, value) in [
            ("--build-context", self.context()),
            ("--destination", PathBuf::from(format!("oci:{}", self.beside("image").display()))),
            ("--report-dir", self.beside("report")),
            ("--trivy-db-repository", PathBuf::from(format!("oci:{}:2", part("TRIVY_DB")))),
            ("--trivy-java-db-repository", PathBuf::from(format!("oci:{}:1", part("TRIVY_JAVA_DB")))),
        ] {
            delivery = delivery.flag(flag, &value.to_string_lossy());
        }
        delivery.variable("HOME", &self.beside("home").to_string_lossy()).on(&engine())
    }

    /// The image's layout, as somebody else reads it.
    #[must_use]
    pub fn image(&self) -> Layout {
        Layout(self.beside("image"))
    }

    /// The record of the delivery.
    #[must_use]
    pub fn record(&self) -> Value {
        read_json(&self.beside("report/record.json"))
    }

    /// The summary of the delivery.
    #[must_use]
    pub fn summary(&self) -> String {
        fs::read_to_string(self.beside("report/summary.md")).unwrap()
    }
}

/// A run of the real binary.
#[derive(Clone)]
pub struct Delivery {
    command: Vec<String>,
    variables: BTreeMap<String, String>,
    folder: PathBuf,
    path: String,
}

impl Delivery {
    /// Gives a flag, in place of one given before.
    #[must_use]
    pub fn flag(mut self, flag: &str, value: &str) -> Self {
        if let Some(at) = self.command.iter().position(|word| word == flag) {
            self.command.drain(at..=at + 1);
        }
        self.command.extend([flag.to_owned(), value.to_owned()]);
        self
    }

    /// Gives an argument that is no flag.
    #[must_use]
    pub fn argument(mut self, word: &str) -> Self {
        self.command.insert(1, word.to_owned());
        self
    }

    /// The same with another subcommand.
    #[must_use]
    pub fn subcommand(mut self, name: &str) -> Self {
        name.clone_into(&mut self.command[0]);
        self
    }

    /// Takes back a flag that was given before.
    #[must_use]
    pub fn without(mut self, flag: &str) -> Self {
        if let Some(at) = self.command.iter().position(|word| word == flag) {
            self.command.drain(at..=at + 1);
        }
        self
    }

    /// Sets a variable of the environment; nothing else is in it but `PATH` and `HOME`.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Builds on another engine.
    #[must_use]
    pub fn on(mut self, engine: &Engine) -> Self {
        self.variables.remove("DOCKER_HOST");
        for (name, value) in &engine.variables {
            self = self.variable(name, value);
        }
        for flag in engine.flags.chunks(2) {
            self = self.flag(&flag[0], &flag[1]);
        }
        self
    }

    /// Starts it in another folder.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    /// Looks for programs elsewhere.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Shuts no program in: one of them is a script that starts others.
    #[must_use]
    pub fn without_sandbox(self) -> Self {
        self.flag("--sandbox", "off")
    }

    /// The command, for a test that does more with it than run it.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.args(&self.command).env_clear().env("PATH", &self.path).envs(&self.variables);
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    /// Starts it, and leaves what it says in its pipes.
    #[must_use]
    pub fn spawn(&self) -> Child {
        self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs it to its end.
    #[must_use]
    pub fn output(&self) -> Ended {
        Ended::from(self.command().output().unwrap())
    }

    /// Runs it and asserts the exit code.
    pub fn ends_with(&self, code: i32) -> Ended {
        let ended = self.output();
        assert_eq!(ended.code, Some(code), "{ended}");
        ended
    }
}

/// What a run left.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Asserts that the log says something.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "does not say {text:?}:\n{self}");
        self
    }

    /// Asserts that the log does not say something.
    #[track_caller]
    pub fn does_not_say(&self, text: &str) -> &Self {
        assert!(!self.stderr.contains(text) && !self.stdout.contains(text), "says {text:?}:\n{self}");
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {:?}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}

/// A layout as a reader sees it who knows the specification and not our code.
pub struct Layout(pub PathBuf);

impl Layout {
    #[must_use]
    pub fn index(&self) -> Value {
        read_json(&self.0.join("index.json"))
    }

    /// The tags, each with the digest that it names.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<String, String> {
        let entries = self.index()["manifests"].as_array().cloned().unwrap_or_default();
        let tag = |entry: &Value| entry["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned);
        entries.iter().filter_map(|entry| Some((tag(entry)?, entry["digest"].as_str()?.to_owned()))).collect()
    }

    #[must_use]
    pub fn blob(&self, digest: &str) -> PathBuf {
        self.0.join("blobs").join(digest.replace(':', "/"))
    }

    #[must_use]
    pub fn document(&self, digest: &str) -> Value {
        read_json(&self.blob(digest))
    }

    /// The manifest of the only or first image, an index looked through.
    #[must_use]
    pub fn manifest(&self) -> Value {
        let root = self.document(self.index()["manifests"][0]["digest"].as_str().unwrap());
        match root["manifests"][0]["digest"].as_str() {
            Some(digest) => self.document(digest),
            None => root,
        }
    }

    #[must_use]
    pub fn config(&self) -> Value {
        self.document(self.manifest()["config"]["digest"].as_str().unwrap())
    }

    /// The files of the only or first image, whiteouts applied, by tar and not by us: path to content.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let root = tempfile::tempdir().unwrap();
        for layer in self.manifest()["layers"].as_array().unwrap() {
            let blob = self.blob(layer["digest"].as_str().unwrap());
            let flag = if layer["mediaType"].as_str().unwrap().ends_with("zstd") { "--zstd" } else { "--gzip" };
            run(Command::new("tar")
                .args([flag, "--exclude=./dev/*", "--exclude=dev/*", "-xf"])
                .arg(&blob)
                .arg("-C")
                .arg(root.path()));
        }
        let mut files = BTreeMap::new();
        collect(root.path(), root.path(), &mut files);
        files
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            collect(root, &entry.path(), files);
        } else if kind.is_file() {
            let path = entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.insert(path, fs::read(entry.path()).unwrap());
        }
    }
}

/// The advisories of the tests without that for `PyYAML`, for a database that does not know it yet.
pub fn advisories_without_one(source: &Source) -> PathBuf {
    let folder = source.beside("advisories");
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/advisories")).unwrap() {
        let entry = entry.unwrap();
        let text = fs::read_to_string(entry.path()).unwrap().replace("pyyaml", "pyyaml-of-another-name");
        fs::write(folder.join(entry.file_name()), text).unwrap();
    }
    folder
}

/// Runs a program that must succeed, and gives its standard output.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[must_use]
pub fn read_json(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes a program that the tests start.
pub fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn with_path(command: &mut Command) -> &mut Command {
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", OsStr::new("/nonexistent"))
}
