//! The deliveries to an environment are listed where they are proven, and one of them is set back where a cluster is brought to:
//! nothing is built for it, what it takes back does not come back by itself, and what is newer does.

use std::path::PathBuf;

use doubles::aws::World;
use doubles::github::{App, Call, Options, Repository};
use doubles::registry::crane;
use serde_json::Value;

use crate::a_cluster_is_brought_to_what_is_out::{Cluster, result, write};
use crate::support::git::{commit, git};
use crate::support::{Delivery, Source, job, part};

const WORKFLOW: &str = "octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";
const SIGNER: &str = "https://github.com/octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v*";

/// A workflow that delivers nothing.
const OTHER: &str = "octo-org/octo-repo/.github/workflows/rollback.yml@refs/heads/main";

/// A source, its repository at GitHub, its images, and the repository that a cluster is brought to.
struct Scene {
    source: Source,
    at: Repository,
    cluster: Cluster,
    /// Who writes there.
    app: App,
    images: String,
}

/// An image that was delivered to prod.
struct Delivered {
    commit: String,
    digest: String,
}

impl Delivered {
    fn tag(&self) -> String {
        format!("prod-{}", &self.commit[..7])
    }
}

impl Scene {
    fn set() -> Self {
        let source = Source::in_git(&[
            ("Dockerfile", "FROM scratch\nCOPY . /app/\n"),
            (".dockerignore", ".git\n"),
            // A package that no advisory is about.
            ("six-1.16.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n"),
        ]);
        let at = job::repository(&source, Options::default().git(&source.context().join(".git")));
        let images = format!("{}/team/back-{}", part("REFERRERS_REGISTRY"), &job::commit(&source)[..7]);
        let file = format!("image: {images}-prod:old\n");
        let files = |work: &std::path::Path| {
            write(work, "apps/web.yaml", &file);
            commit(work);
        };
        let app = App::new();
        let cluster = Cluster::with(files, Options::default().app(&app));
        Self { source, at, cluster, app, images }
    }

    fn prod(&self) -> String {
        format!("{}-prod", self.images)
    }

    /// A run as a job of the workflow, for the commit that is checked out.
    fn job(&self, run: Delivery, environment: &str) -> Delivery {
        let (commit, sigstore) = (job::commit(&self.source), PathBuf::from(part("SIGSTORE")));
        let job = World::options().issued_by(&sigstore).environment(environment).claim("repository", self.at.slug());
        let job = job.claim("job_workflow_ref", WORKFLOW).claim("sha", &*commit).claim("workflow_sha", &*commit);
        // It lives as long as the test program.
        let service = Box::leak(Box::new(job.token_service()));
        // GitHub's description of a pull request is not played in full.
        let api = self.at.enterprise().into_iter().filter(|(name, _)| name == "GITHUB_API_URL");
        let variables = service.variables().into_iter().chain(self.at.environment()).chain(api);
        let run = variables.fold(run, |run, (name, value)| run.variable(&name, &value));
        let document = |name: &str| sigstore.join(name).to_str().unwrap().to_owned();
        run.variable("GITHUB_SHA", &commit)
            .flag("--environment", environment)
            .flag("--code-scanning", "off")
            .flag("--sigstore-signing-config", &document("signing_config.json"))
            .flag("--sigstore-trusted-root", &document("trusted_root.json"))
    }

    /// The same, with the repository that a cluster is brought to.
    fn to_the_cluster(&self, run: Delivery) -> Delivery {
        let outputs = self.source.beside("outputs");
        std::fs::write(&outputs, "").unwrap();
        self.job(run, "prod")
            .flag("--destination", &self.prod())
            .flag("--gitops-repository", &self.cluster.github.slug())
            .flag("--gitops-path", "apps/*.yaml")
            .flag("--gitops-app-id", &self.app.client_id())
            .variable("INPUT_GITOPS-APP-PRIVATE-KEY", &self.app.key())
            .variable("GITHUB_OUTPUT", &outputs.to_string_lossy())
    }

    /// Promotes what dev has of the commit that is checked out.
    fn promote(&self) -> Delivery {
        let nothing = self.source.beside("nothing");
        std::fs::create_dir_all(&nothing).unwrap();
        let run = self.source.run("promote").without("--build-context").in_folder(&nothing);
        let run = run.variable("DOCKER_HOST", "unix:///nowhere/docker.sock");
        self.to_the_cluster(run).flag("--from", &format!("{}-dev:dev-{}", self.images, &job::commit(&self.source)[..7]))
    }

    /// Brings a commit to dev, and what was built of it to prod.
    fn deliver(&self) -> Delivered {
        let run = self.job(self.source.deliver(), "dev").flag("--destination", &format!("{}-dev", self.images));
        run.flag("--sign", "keyless").ends_with(0);
        self.promote().ends_with(0);
        let commit = job::commit(&self.source);
        let digest = crane(&["digest", "--insecure", &format!("{}:prod-{}", self.prod(), &commit[..7])]);
        Delivered { commit, digest }
    }

    /// `rollback`, by the word of the workflow.
    fn rollback(&self) -> Delivery {
        let run = self.to_the_cluster(self.source.run("rollback"));
        run.variable("DOCKER_HOST", "unix:///nowhere/docker.sock").flag("--identity", SIGNER).flag("--issuer", &part("ISSUER"))
    }

    /// The same, where nobody is named whose word counts.
    fn by_its_own_word(&self) -> Delivery {
        self.rollback().without("--identity").without("--issuer")
    }

    /// `gitops` for an image, as a delivery ends.
    fn gitops(&self, image: &str) -> Delivery {
        self.to_the_cluster(self.source.run("gitops")).argument(image)
    }

    /// What the branch names.
    fn named(&self, branch: &str) -> String {
        self.cluster.file(branch, "apps/web.yaml")
    }

    fn pinned(&self, delivered: &Delivered) -> String {
        format!("image: {}:{}@{}\n", self.prod(), delivered.tag(), delivered.digest)
    }

    fn again(&self, delivered: &Delivered) {
        self.source.git(&["checkout", "--quiet", &delivered.commit]);
    }

    fn next(&self, text: &str) {
        self.source.git(&["checkout", "--quiet", "main"]);
        self.source.write("file", text);
        self.source.commit(text);
    }
}

#[test]
fn what_is_proven_is_listed_the_newest_first_and_nothing_else_is_set_back() {
    let scene = Scene::set();
    let first = scene.deliver();
    // A promotion ends where a cluster is brought to.
    assert_eq!(scene.named("main"), format!("image: {}:{}@{}\n", scene.prod(), &first.commit[..7], first.digest));
    assert_eq!(result(&scene.source), "updated");
    scene.next("second");
    let second = scene.deliver();
    // Somebody who may push: an image of their own that is called like the next delivery.
    let planted = format!("{}:prod-9999999", scene.prod());
    let of_second = format!("{}:{}", scene.prod(), second.tag());
    crane(&["mutate", "--insecure", &of_second, "--entrypoint", "/evil", "--tag", &planted]);
    let planted = crane(&["digest", "--insecure", &planted]);

    let listed = scene.rollback().ends_with(0);
    let lines: Vec<_> = listed.stdout.lines().filter(|line| !line.starts_with("::")).collect();
    assert_eq!(lines.len(), 4, "{listed}");
    assert!(lines[0].starts_with("2 deliveries to prod in ") && lines[3].starts_with("1 image "), "{listed}");
    for (line, delivered) in lines[1..].iter().zip([&second, &first]) {
        assert!(line.contains(&delivered.commit[..12]), "{listed}");
        assert!(line.ends_with(&format!("{}@{}", delivered.tag(), delivered.digest)), "{listed}");
    }
    let listed = scene.rollback().argument("--json").ends_with(0);
    let json: Value = serde_json::from_str(&listed.stdout[listed.stdout.find('{').unwrap()..]).unwrap();
    let commits: Vec<_> = json["deliveries"].as_array().unwrap().iter().map(|one| one["commit"].as_str().unwrap()).collect();
    assert_eq!((commits, json["others"].as_u64()), (vec![&*second.commit, &*first.commit], Some(1)), "{listed}");

    let written = scene.cluster.github.count(Call::CreateTree);
    scene.rollback().argument(&planted).ends_with(3).does_not_say("panicked");
    // As the action asks, which gives no arguments.
    let by_inputs = scene.rollback().without("--identity").variable("INPUT_IDENTITY", SIGNER);
    by_inputs.clone().variable("INPUT_FROM", "").ends_with(0);
    by_inputs.variable("INPUT_FROM", &planted).ends_with(3);
    scene.rollback().argument(&second.digest).without("--environment").flag("--environment", "staging").ends_with(3);
    let stranger = "https://github.com/someone/else/.github/workflows/x.yml@refs/heads/main";
    let by_another = || scene.rollback().without("--identity").flag("--identity", stranger);
    by_another().argument(&first.digest).ends_with(3);
    by_another().ends_with(0);
    by_another().argument(&first.commit).ends_with(2).says("no delivery of it to prod is proven");
    // Without a name the job's own workflow counts, where the job can say which that is.
    let own = scene.by_its_own_word().ends_with(0);
    assert!(own.stdout.contains("2 deliveries to prod in "), "{own}");
    own.does_not_say("What counts is what");
    scene.by_its_own_word().argument(&planted).ends_with(3);
    let no_token = scene.by_its_own_word().variable("ACTIONS_ID_TOKEN_REQUEST_URL", "");
    no_token.ends_with(2).says("say whose signature counts, by identity, key or policy").says("id-token: write");
    let other = World::options().issued_by(&PathBuf::from(part("SIGSTORE"))).claim("job_workflow_ref", OTHER).token_service();
    let other_job = other.variables().into_iter().filter(|(name, _)| name.starts_with("ACTIONS_ID_TOKEN"));
    let other_job = other_job.fold(scene.by_its_own_word(), |run, (name, value)| run.variable(&name, &value));
    let listed = other_job.ends_with(0);
    assert!(listed.stdout.contains("0 deliveries to prod in "), "{listed}");
    listed.says(&format!("What counts is what https://github.com/{OTHER} has signed for this repository"));
    scene.rollback().argument("prod").ends_with(2).says("a tag may be moved");
    let by_anyone = scene.rollback().argument(&first.digest).variable("GITHUB_EVENT_NAME", "issue_comment");
    by_anyone.ends_with(2).says("nothing is written there by this run");
    scene.rollback().argument(&format!("r.example/other/app@{}", first.digest)).ends_with(2).says("an image of");
    assert_eq!(scene.cluster.github.count(Call::CreateTree), written);
}

#[test]
fn what_a_rollback_takes_back_stays_back_until_there_is_a_newer_commit() {
    let scene = Scene::set();
    let first = scene.deliver();
    scene.next("second");
    let second = scene.deliver();
    let newest = scene.named("main");
    assert!(newest.contains(&second.digest), "{newest}");

    // A pull request, unless somebody says otherwise.
    let ended = scene.by_its_own_word().argument(&first.commit[..9]).ends_with(0);
    let [pull] = &*scene.cluster.github.pull_requests() else { panic!("{:?}", scene.cluster.github.pull_requests()) };
    assert!(pull.open && pull.title.starts_with("Go back to team/back-") && pull.base == "main", "{pull:?}");
    assert!(ended.stdout.contains("/pull/1"), "{ended}");
    assert_eq!(
        (scene.named("main"), scene.named(&pull.head), result(&scene.source)),
        (newest, scene.pinned(&first), "pull-request".into())
    );
    let message = scene.cluster.message(&pull.head);
    let of = |key: &str, delivered: &Delivered| format!("Gp-Deliver-{key}: {}@{}", scene.at.slug(), delivered.commit);
    for line in [of("Commit", &first), of("Takes-Back", &second)] {
        assert!(message.lines().any(|one| one == line), "{line}: {message}");
    }
    git(&scene.cluster.bare(), ["update-ref", "refs/heads/main", &format!("refs/heads/{}", pull.head)]);

    // The job that delivered what was taken back, once more; and one of what is there.
    let ended = scene.promote().ends_with(0);
    ended.says("has taken this delivery back");
    assert_eq!((result(&scene.source), scene.named("main")), ("skipped".into(), scene.pinned(&first)), "{ended}");
    scene.again(&first);
    let image = format!("{}:{}@{}", scene.prod(), first.tag(), first.digest);
    scene.gitops(&image).ends_with(0);
    assert_eq!(result(&scene.source), "unchanged");

    // Forward to it again, on purpose, and by a commit.
    assert!(scene.cluster.github.pull_requests()[0].open);
    let ended = scene.rollback().argument(&second.digest).argument("--push").ends_with(0);
    assert_eq!((result(&scene.source), scene.named("main")), ("updated".into(), scene.pinned(&second)), "{ended}");
    // What it proposed is overtaken.
    assert!(!scene.cluster.github.pull_requests()[0].open);
    scene.gitops(&image).ends_with(0);
    assert_eq!((result(&scene.source), scene.named("main")), ("skipped".into(), scene.pinned(&second)));

    // What is newer needs nobody's leave.
    scene.next("third");
    let third = format!("{}:v3@sha256:{}", scene.prod(), "ab".repeat(32));
    scene.gitops(&third).ends_with(0);
    assert_eq!((result(&scene.source), scene.named("main")), ("updated".into(), format!("image: {third}\n")));
}
