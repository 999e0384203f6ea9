//! A delivery in surroundings of its own, and what has to hold once it has ended, whatever has happened to it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;

use doubles::aws::World;
use doubles::registry::{Options, Registry};

use crate::support::keyless;
use crate::support::processes::{running, signal, wait_until};
use crate::support::{Delivery, Ended, Source, part, run};

/// Deliveries at once: most of these wait most of the time.
const AT_ONCE: usize = 6;

/// What a fault comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comes {
    /// The delivery is delivered all the same.
    Overcome,
    /// It fails, and nothing of it can be seen.
    Fails,
    /// It was told to end, and has.
    Cancelled,
    /// The process that was started is gone at once. Nobody is left to write a report.
    Killed,
    /// The same, once the tags are there.
    KilledAfterwards,
}

/// A case of the table in `docs/faults.md`.
#[derive(Debug)]
pub struct Case<Trouble> {
    /// What is asked, and the fault, as the table has them.
    pub cell: (&'static str, &'static str),
    /// Where it happens, and how.
    pub trouble: Trouble,
    pub comes: Comes,
}

/// A row of the table.
pub const fn case<Trouble>(asked: &'static str, fault: &'static str, trouble: Trouble, comes: Comes) -> Case<Trouble> {
    Case { cell: (asked, fault), trouble, comes }
}

/// What came before: a first commit, delivered.
pub struct Template {
    source: Source,
    registry: Registry,
}

impl Template {
    /// A source that builds in a second.
    pub fn plain() -> Self {
        Self::of(&[("Dockerfile", "FROM scratch\nCOPY . /app/\n"), (".dockerignore", ".git\n"), ("file", "1\n")])
    }

    /// A source of these files.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let template = Self { source: Source::in_git(files), registry: Registry::start(Options::default()) };
        to_registry(&template.source, &template.registry).ends_with(0);
        template
    }

    /// The source, once more, and what is delivered of it.
    fn put(&self, registry: &Path) -> Source {
        let source = Source::new(&[]);
        let copy = |from: &Path, to: &Path| run(Command::new("cp").arg("--archive").arg(from.join(".")).arg(to));
        copy(&self.source.context(), &source.context());
        fs::create_dir_all(registry).unwrap();
        copy(&self.registry.content(), registry);
        source
    }
}

fn to_registry(source: &Source, registry: &Registry) -> Delivery {
    let delivery = source.deliver().flag("--destination", &format!("{}/team/app", registry.address));
    delivery.flag("--environment", "dev").flag("--tags", "{sha},{env}-{sha},latest")
}

enum Destination {
    Ecr(World),
    Registry(Registry),
}

/// A second commit that is to be delivered.
pub struct Scene {
    pub source: Source,
    /// Its delivery, without any fault.
    pub delivery: Delivery,
    /// An argument that only a program of this delivery has.
    pub marker: String,
    destination: Destination,
    before: BTreeMap<String, String>,
}

impl Scene {
    /// To Amazon ECR, in a job.
    pub fn in_world(template: &Template) -> Self {
        let world = World::options().also_allow(&["ecr:DescribeRepositories", "ecr:BatchDeleteImage"]).start();
        let source = template.put(&world.content());
        source.write("file", "2\n");
        source.commit("second");
        Self::begin(source, Destination::Ecr(world))
    }

    /// To a registry.
    pub fn in_registry(template: &Template) -> Self {
        let registry = Registry::start(Options::default());
        let source = template.put(&registry.content());
        source.write("file", "2\n");
        source.commit("second");
        Self::begin(source, Destination::Registry(registry))
    }

    /// The commit that is there, to another environment: the image is fetched, judged and promoted.
    pub fn of_a_promotion(template: &Template) -> Self {
        let registry = Registry::start(Options::default());
        let source = template.put(&registry.content());
        let scene = Self::begin(source, Destination::Registry(registry));
        let delivery = scene.delivery.clone().flag("--environment", "test").flag("--reuse", "claimed");
        Self { delivery, ..scene }
    }

    fn begin(source: Source, destination: Destination) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        fs::create_dir(source.beside("tmp")).unwrap();
        let delivery = match &destination {
            Destination::Ecr(world) => keyless::deliver(world, &source),
            Destination::Registry(registry) => to_registry(&source, registry),
        };
        let delivery = delivery.variable("TMPDIR", &source.beside("tmp").display().to_string());
        let marker = format!("{}{number:03}", 300_000 + std::process::id() % 100_000);
        let before = tags(&destination);
        assert_eq!(before.len(), 3, "{before:?}");
        Self { source, delivery, marker, destination, before }
    }

    /// The world that it is delivered to.
    pub fn world(&self) -> &World {
        match &self.destination {
            Destination::Ecr(world) => world,
            Destination::Registry(_) => panic!("it goes to a registry"),
        }
    }

    /// Delivers an image from here on that is built so.
    pub fn rewrite(&self, dockerfile: &str) {
        self.source.write("Dockerfile", dockerfile);
        self.source.commit("third");
    }

    /// Says of a delivery with a fault what no fault may change, and of one after it that it leaves all as it should be.
    pub fn holds(&self, comes: Comes, ended: &Ended) {
        self.is_kept(comes, ended);
        if comes != Comes::Overcome {
            self.is_made_whole();
        }
    }

    /// What no fault may change.
    pub fn is_kept(&self, comes: Comes, ended: &Ended) {
        self.ended_so(comes, ended);
        self.leaves_no_process();
        // Whoever would have removed the rest is gone; of folders, the next delivery takes care.
        if !matches!(comes, Comes::Killed | Comes::KilledAfterwards) {
            self.leaves_no_file();
            self.leaves_no_image();
        }
        match comes {
            Comes::Overcome => self.is_delivered(ended),
            Comes::KilledAfterwards => {
                let (tags, sha) = (tags(&self.destination), keyless::sha(&self.source));
                let new = tags.get("latest");
                assert!(new.is_some() && new == tags.get(&sha) && new != self.before.get("latest"), "{tags:?}: {ended}");
            }
            Comes::Fails | Comes::Cancelled | Comes::Killed => {
                assert_eq!(tags(&self.destination), self.before, "what was not cleared can be seen: {ended}");
            }
        }
    }

    /// That the next delivery, without a fault, leaves all as it should be.
    pub fn is_made_whole(&self) {
        let after = self.delivery.output();
        self.ended_so(Comes::Overcome, &after);
        self.is_delivered(&after);
        self.leaves_no_process();
        self.leaves_no_file();
    }

    /// The exit code, and the report.
    fn ended_so(&self, comes: Comes, ended: &Ended) {
        let (code, result) = match comes {
            Comes::Overcome => (0, "delivered"),
            Comes::Fails => (1, "failed"),
            Comes::Cancelled => (143, "cancelled"),
            Comes::Killed | Comes::KilledAfterwards => return assert_eq!(ended.code, None, "{ended}"),
        };
        assert_eq!(ended.code, Some(code), "{ended}");
        ended.does_not_say("panicked");
        let (record, summary) = (self.source.record(), self.source.summary());
        assert_eq!(record["result"], result, "{ended}");
        assert!(summary.starts_with("## "), "{summary}");
        if comes == Comes::Fails {
            let parts = ["what", "why", "remedy"].map(|name| record["failure"][name].as_str().unwrap_or_default());
            assert!(parts.iter().all(|part| !part.is_empty()), "{parts:?}: {ended}");
            ended.says(&format!("FAILED: {}", parts[0]));
        }
    }

    fn is_delivered(&self, ended: &Ended) {
        let (tags, sha) = (tags(&self.destination), keyless::sha(&self.source));
        let digest = &self.source.record()["publication"]["digest"];
        let new: Vec<_> = tags.iter().filter(|(_, named)| *digest == named.as_str()).map(|(tag, _)| tag.as_str()).collect();
        assert!(new.len() >= 3, "{tags:?}: {ended}");
        assert!(new.contains(&sha.as_str()) && new.contains(&"latest"), "{tags:?}: {ended}");
        // What others are named by stays.
        let moved = self.before.iter().find(|(tag, named)| !new.contains(&tag.as_str()) && tags.get(*tag) != Some(named));
        assert_eq!(moved, None, "{tags:?}: {ended}");
    }

    /// Neither of ours nor of what it started, in the builder or here.
    fn leaves_no_process(&self) {
        let folder = self.source.beside("").display().to_string();
        wait_until("a process goes on", || !running(&folder) && !in_environment(&folder));
        wait_until("a program or a build step goes on", || !running(&self.marker));
    }

    /// Waits until the engine has no image of this commit.
    pub fn leaves_no_image(&self) {
        let label = format!("label=org.opencontainers.image.revision={}", self.source.git(&["rev-parse", "HEAD"]));
        let images = || {
            run(Command::new("docker").args(["--host", &part("DOCKER"), "image", "ls", "--all", "--quiet", "--filter", &label]))
        };
        wait_until("an image stays in the engine", || images().is_empty());
    }

    fn leaves_no_file(&self) {
        let names = |folder: PathBuf| -> Vec<_> {
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(self.source.beside("tmp")), [""; 0], "scratch folders");
        let hidden: Vec<_> = names(self.source.beside("report")).into_iter().filter(|name| name.starts_with('.')).collect();
        assert_eq!(hidden, [".gitignore"], "folders beside the report");
    }
}

/// Starts a delivery, waits until it is where it is to be, sends the process that was started a signal, and waits for its end.
pub fn ended_by(delivery: &Delivery, arrived: impl FnOnce(), name: &str) -> Ended {
    let running = delivery.spawn();
    arrived();
    signal(running.id(), name);
    running.wait_with_output().unwrap().into()
}

/// Whether a process that may be read has these words in its environment.
pub fn in_environment(words: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("environ"));
    processes.into_iter().any(|path| fs::read(path).is_ok_and(|text| String::from_utf8_lossy(&text).contains(words)))
}

/// What the tags of the repository name.
fn tags(destination: &Destination) -> BTreeMap<String, String> {
    match destination {
        Destination::Ecr(world) => world.tags(),
        Destination::Registry(registry) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(registry.tags("team/app"))
        }
    }
}

/// Tries all cases, so many at once, and says how many there were and how many failed: past the harness, which keeps what a test
/// that passes says, so that each log of the tests has it.
pub fn try_all<Trouble: Debug + Sync>(asked: &str, cases: &[Case<Trouble>], one: impl Fn(&Case<Trouble>) + Sync) {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| one(case))) {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned())).unwrap_or_default();
                failures.lock().unwrap().push(format!("{case:?}: {words}"));
            }
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let failures = failures.into_inner().unwrap();
    let counts = format!("faults of {asked}: {} cases, {} failures\n", cases.len(), failures.len());
    std::io::stderr().write_all(counts.as_bytes()).unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
