//! The whole way, as a team has it: a fresh repository with the template's workflow and nothing else of ours, on GitHub (by
//! act), with the release's action and reusable workflow, to ECR and the Security tab.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use doubles::aws::{Mutability, PUSH, TokenService, World};
use doubles::github::{App, Call, GitHub, Options, PullRequest, Repository};
use serde_json::{Value, json};

use crate::a_cluster_is_brought_to_what_is_out::{Cluster, write};
use crate::support::act::{Act, Ran};
use crate::support::git::{commit, git};
use crate::support::{Ended, Source, part, run, tool};
use crate::what_is_delivered_is_signed::slow_part;

/// The commit of the action that the release's reusable workflow names.
const RELEASE: &str = "0123456789abcdef0123456789abcdef01234567";
/// Who signs: the workflow that the team's calls.
const SIGNING: &str = "octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";
const CALLER: &str = ".github/workflows/delivery.yml";
/// The workflow that is run by hand.
const BY_HAND: &str = ".github/workflows/promote.yml";

/// A team's repository, and all that its workflow meets.
struct Team {
    source: Source,
    world: World,
    repository: Repository,
    /// The script that stands in for keeping what a job leaves to others.
    kept: String,
    /// The script that stands in for fetching that.
    fetched: String,
}

impl Team {
    /// A repository with a Dockerfile and the template's workflow; `files` come on top. `branch` is checked out.
    fn new(branch: &str, world: World, files: &[(&str, &str)]) -> Self {
        let source = Source::new(&[("Dockerfile", "FROM scratch\nCOPY app /app\n"), ("app/file", "1\n")]);
        for (path, text) in files {
            source.write(path, text);
        }
        release(&source);
        source.write(CALLER, &template(&source, "delivery"));
        source.git(&["init", "--quiet", &format!("--initial-branch={branch}")]);
        let commit = source.commit("first");
        let repository = GitHub::start().repository(Options::default().branch(branch, &commit));
        source.git(&["remote", "add", "origin", &format!("https://github.com/{}", repository.slug())]);
        Self { source, world, repository, kept: "find \"$INPUT_PATH\" -type f".to_owned(), fetched: String::new() }
    }

    /// The same with a runner for each of two platforms. What one job keeps another finds: act's jobs have no artifacts, and one
    /// folder together.
    fn spread(mut self) -> Self {
        let caller = fs::read_to_string(self.source.context().join(CALLER)).unwrap();
        let runners =
            "ecr_repository: team/app\n      runners: |\n        linux/amd64=ubuntu-latest\n        linux/arm64=ubuntu-24.04-arm";
        assert!(caller.contains("ecr_repository: team/app"));
        self.source.write(CALLER, &caller.replace("ecr_repository: team/app", runners));
        let commit = self.source.commit("a runner for each platform");
        self.repository = GitHub::start().repository(Options::default().branch("main", &commit));
        self.source.git(&["remote", "set-url", "origin", &format!("https://github.com/{}", self.repository.slug())]);
        let place = format!("/opt/hostedtoolcache/gp-deliver-{commit}");
        self.kept.push_str(&format!("\nmkdir -p {place}/\"$INPUT_NAME\"\ncp -r \"$INPUT_PATH\"/. {place}/\"$INPUT_NAME\""));
        self.fetched = format!(
            "mkdir -p \"$INPUT_PATH\"\nfor one in {place}/${{INPUT_PATTERN:-$INPUT_NAME}}; do cp -r \"$one\"/. \"$INPUT_PATH\"; done"
        );
        self
    }

    /// A push to main whose token is one that the private Sigstore takes for GitHub's.
    fn push_and_sign(&mut self) -> Act {
        let commit = self.source.git(&["rev-parse", "HEAD"]);
        let sigstore = PathBuf::from(part("SIGSTORE"));
        let job = World::options().issued_by(&sigstore).environment("prod").claim("job_workflow_ref", SIGNING);
        self.world = job.claim("sha", commit.clone()).claim("workflow_sha", commit).start();
        let document = |name: &str| -> Value { serde_json::from_slice(&fs::read(sigstore.join(name)).unwrap()).unwrap() };
        self.push("refs/heads/main")
            .var("SIGSTORE_SIGNING_CONFIG", &document("signing_config.json").to_string())
            .var("SIGSTORE_TRUSTED_ROOT", &document("trusted_root.json").to_string())
    }

    fn sha(&self) -> String {
        self.source.git(&["rev-parse", "HEAD"])[..7].to_owned()
    }

    /// A run of the workflow for an event.
    fn event(&self, name: &str, payload: &Value) -> Act {
        self.event_of(CALLER, name, payload)
    }

    fn event_of(&self, workflow: &str, name: &str, payload: &Value) -> Act {
        // What a job with `id-token: write` has from the runner, and where GitHub and AWS are in this world.
        // act gives them to all jobs; the one that judges a change has no such permission.
        let judges = name == "pull_request";
        let runner = self.world.variables().into_iter().filter(|(name, _)| {
            (name.starts_with("ACTIONS_ID_TOKEN_REQUEST") && !judges)
                || name.starts_with("AWS_ENDPOINT_URL")
                || name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
        });
        Act::new(&self.source.context(), workflow)
            .event(name, payload)
            .provide("octo-org/gp-deliver@v1", &tree(&self.source))
            .provide(&format!("octo-org/gp-deliver@{RELEASE}"), &tree(&self.source))
            .stand_in(&pinned("actions/upload-artifact"), &["name", "path"], &self.kept)
            .stand_in(&pinned("actions/download-artifact"), &["name", "path", "pattern"], &self.fetched)
            .variables(runner)
            .variable("GITHUB_API_URL", &self.repository.api())
            .secret("GITHUB_TOKEN", &self.repository.token())
            .var("AWS_ROLE_TO_ASSUME", &self.world.role())
            .var("AWS_REGION", &self.world.region())
            .var("TRIVY_DB_REPOSITORY", &database())
    }

    fn push(&self, reference: &str) -> Act {
        self.event("push", &json!({ "ref": reference, "before": "0".repeat(40) }))
    }
}

/// A workflow of the release, as a team copies it.
fn template(source: &Source, name: &str) -> String {
    fs::read_to_string(tree(source).join(format!("docs/templates/workflows/{name}.yml"))).unwrap()
}

fn tree(source: &Source) -> PathBuf {
    source.beside("release")
}

/// The release's tree, as the release's own script makes it.
fn release(source: &Source) {
    let image = part("IMAGE");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/release-tree");
    run(Command::new(script).arg(tree(source)).arg(&image).arg(format!("octo-org/gp-deliver@{RELEASE}")));
    // act 0.2.89 does not know `queue`.
    let workflow = tree(source).join(".github/workflows/_build-and-release.yml");
    let text = fs::read_to_string(&workflow).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("      queue: ")).collect();
    assert_eq!(lines.len() + 5, text.lines().count());
    fs::write(&workflow, lines.join("\n")).unwrap();
}

/// A foreign action, as the reusable workflow pins it.
fn pinned(action: &str) -> String {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows/_build-and-release.yml")).unwrap();
    let line = text.lines().find(|line| line.contains(&format!("uses: {action}@"))).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

/// An organisation's own mirror of the vulnerability database.
fn database() -> String {
    let name = format!("{}/mirror/trivy-db:2", part("REGISTRY"));
    run(Command::new(tool("crane")).args(["push", "--insecure", &part("TRIVY_DB"), &name]));
    name
}

/// The outputs, as the reusable workflow's artifact step and the log show them.
#[track_caller]
fn delivered(team: &Team, ran: &Ran, environment: &str) {
    let sha = team.sha();
    let tags = team.world.tags();
    let digest = tags.get(&sha).unwrap_or_else(|| panic!("{tags:?}\n{}", ran.log())).clone();
    assert_eq!(tags.get(&format!("{environment}-{sha}")), Some(&digest), "{tags:?}");
    ran.says(&format!("Delivered to {environment}")).says(&digest);
    for file in ["summary.md", "record.json", "sarif/trivy.sarif", "sarif/gitleaks.sarif", "sbom/linux-amd64.spdx.json"] {
        ran.says(file);
    }
    assert_eq!(ran.steps().get("Keep the report").map(String::as_str), Some("success"), "{}", ran.log());
}

#[test]
fn a_push_to_development_is_delivered_to_dev() {
    let team = Team::new("development", World::options().environment("dev").start(), &[]);
    let ran = team.push("refs/heads/development").succeeds();
    delivered(&team, &ran, "dev");
    assert_eq!(team.repository.count(Call::UploadSarif), 0);
    assert_eq!(team.repository.check_runs().len(), 1);
}

#[test]
fn a_chosen_environment_is_delivered_to_with_its_findings_in_the_security_tab() {
    let team = Team::new("main", World::options().environment("test").start(), &[]);
    let payload = json!({ "ref": "refs/heads/main", "inputs": { "environment": "test" } });
    let ran = team.event("workflow_dispatch", &payload).input("environment", "test").succeeds();
    delivered(&team, &ran, "test");
    assert_eq!(team.repository.analyses().len(), 2, "{}", ran.log());
}

#[test]
fn a_push_to_main_is_delivered_to_prod_and_its_outputs_reach_the_next_job() {
    let team = Team::new("main", World::options().environment("prod").start(), &[]);
    let look = "  look:\n    needs: deliver\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo \"$OUTPUTS\"\n        env: { OUTPUTS: '${{ toJSON(needs.deliver.outputs) }}' }\n";
    let caller = fs::read_to_string(team.source.context().join(CALLER)).unwrap();
    team.source.write(CALLER, &format!("{caller}{look}"));
    let commit = team.source.commit("a job that looks");
    let repository = GitHub::start().repository(Options::default().branch("main", &commit));
    team.source.git(&["remote", "set-url", "origin", &format!("https://github.com/{}", repository.slug())]);
    let team = Team { repository, ..team };
    let ran = team.push("refs/heads/main").succeeds();
    delivered(&team, &ran, "prod");
    assert_eq!(team.repository.analyses().len(), 2, "{}", ran.log());
    let digest = team.world.tags()[&team.sha()].clone();
    let image = format!("{}/{}@{digest}", team.world.host(), team.world.repository());
    for (name, value) in [
        ("result", "delivered".to_owned()),
        ("environment", "prod".to_owned()),
        ("digest", digest),
        ("verify_command", format!("docker buildx imagetools inspect {image}")),
        ("image", image),
        ("record_path", "gp-deliver-report/record.json".to_owned()),
    ] {
        ran.says(&format!("\"{name}\": \"{value}\""));
    }
}

#[test]
fn what_a_push_to_main_delivers_is_signed_and_verify_and_cosign_take_it() {
    let team = Team::new("main", World::options().environment("prod").start(), &[]);
    let commit = team.source.git(&["rev-parse", "HEAD"]);
    let sigstore = PathBuf::from(part("SIGSTORE"));
    // Its token is one that the private Sigstore takes for GitHub's.
    let job = World::options().issued_by(&sigstore).environment("prod").claim("job_workflow_ref", SIGNING);
    let world = job.claim("sha", commit.clone()).claim("workflow_sha", commit.clone()).start();
    let team = Team { world, ..team };
    let document = |name: &str| -> Value { serde_json::from_slice(&fs::read(sigstore.join(name)).unwrap()).unwrap() };
    let run = team.push("refs/heads/main").var("SIGSTORE_SIGNING_CONFIG", &document("signing_config.json").to_string());
    let ran = run.var("SIGSTORE_TRUSTED_ROOT", &document("trusted_root.json").to_string()).succeeds();
    delivered(&team, &ran, "prod");
    ran.says("6 statements").says("cosign verify --certificate-identity https://github.com/octo-org/gp-deliver/");
    // What is behind the world's registry knows no password.
    let digest = team.world.tags()[&team.sha()].clone();
    let image = format!("{}/{}@{digest}", team.world.registry(), team.world.repository());
    let (root, issuer) = (sigstore.join("trusted_root.json"), part("ISSUER"));
    let verify = |environment: &str, commit: &str| {
        let mut verify = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
        verify.env_clear().env("HOME", team.source.beside("home")).args(["verify", &image, "--sigstore-trusted-root"]).arg(&root);
        verify.args(["--issuer", &issuer, "--identity", &format!("https://github.com/{SIGNING}"), "--environment", environment]);
        Ended::from(verify.args(["--commit", commit]).output().unwrap())
    };
    let verified = verify("prod", &commit);
    assert_eq!(verified.code, Some(0), "{verified}");
    assert_eq!(verify("staging", &commit).code, Some(3));
    assert_eq!(verify("prod", &commit.replace(|_: char| true, "0")).code, Some(3));
    let Some(cosign) = slow_part("COSIGN") else { return };
    for predicate in [None, Some("https://gp-deliver.dev/verdict/v1"), Some("spdxjson")] {
        let holds = |identity: &str| {
            let mut check = Command::new(&cosign);
            check.env_clear().env("HOME", team.source.beside("home"));
            match predicate {
                None => check.arg("verify"),
                Some(predicate) => check.args(["verify-attestation", "--type", predicate]),
            };
            check.args(["--certificate-identity", identity, "--certificate-oidc-issuer", &issuer, "--trusted-root"]).arg(&root);
            let said = check.arg(&image).output().unwrap();
            (said.status.success(), String::from_utf8_lossy(&said.stderr).into_owned())
        };
        let (held, said) = holds(&format!("https://github.com/{SIGNING}"));
        assert!(held, "{predicate:?}: {said}");
        assert!(!holds("https://github.com/octo-org/octo-repo/.github/workflows/delivery.yml@refs/heads/main").0);
    }
}

#[test]
fn a_release_tag_is_delivered_to_prod_as_its_version_too() {
    let team = Team::new("main", World::options().environment("prod").start(), &[]);
    team.source.git(&["tag", "v1.2.3"]);
    let ran = team.push("refs/tags/v1.2.3").succeeds();
    delivered(&team, &ran, "prod");
    assert_eq!(team.world.tags().get("1.2.3"), team.world.tags().get(&team.sha()));
}

#[test]
fn a_pull_request_is_judged_and_goes_nowhere() {
    let team = Team::new("main", World::options().pull_request(7).start(), &[]);
    let commit = team.source.git(&["rev-parse", "HEAD"]);
    let side = |branch: &str| json!({ "ref": branch, "sha": commit, "repo": { "id": 74 } });
    let payload = json!({ "number": 7, "pull_request": { "number": 7, "head": side("change"), "base": side("main") } });
    let ran = team.event("pull_request", &payload).succeeds();
    ran.says("a pull request is never published");
    assert!(team.world.tags().is_empty() && team.world.calls().is_empty(), "{:?}", team.world.calls());
}

#[test]
fn a_pull_request_is_judged_by_a_job_without_a_token_and_shown_by_another() {
    let files = [("app/PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n")];
    let mut team = Team::new("main", World::options().pull_request(7).start(), &files);
    let commit = team.source.git(&["rev-parse", "HEAD"]);
    // The record that the first job keeps, as the second fetches it: act's jobs have no artifacts.
    let record = r#"{"version":2,"gp_deliver":"0.1.0","started_at":"2026-11-21T09:00:00Z","elapsed_ms":5,"result":"skipped",
        "environment":"local","demands":null,"severity_threshold":null,"ignore_unfixed":false,
        "source":{"commit":"COMMIT","branch":null,"tag":null,"dirty":false},"stages":[],"findings":[],"suppressions":[],
        "database":null,"image":null,"destination":null,"reuse":null,"publication":null,"failure":null,"warnings":[]}"#;
    let record = record.replace("COMMIT", &commit).replace('\n', "");
    team.fetched =
        format!("mkdir -p \"$INPUT_PATH/gp-deliver-report\"; echo '{record}' >\"$INPUT_PATH/gp-deliver-report/record.json\"");
    let repo = json!({ "id": 74, "full_name": team.repository.slug() });
    let side = |branch: &str| json!({ "ref": branch, "sha": commit, "repo": repo });
    let payload = json!({ "number": 7, "pull_request": { "number": 7, "head": side("change"), "base": side("main") } });
    let ran = team.event("pull_request", &payload).run();
    ran.says("BLOCKED for prod").says("CVE-2020-14343");
    assert_eq!(ran.steps()["Deliver"], "failure", "{}", ran.log());
    assert_eq!(ran.steps()["Show"], "success", "{}", ran.log());
    let [check] = &*team.repository.check_runs() else { panic!("{}", ran.log()) };
    assert_eq!(check.conclusion.as_deref(), Some("failure"), "its report says that all passed, and its job failed: {check:?}");
    assert!(team.world.tags().is_empty() && team.world.calls().is_empty());
}

#[test]
fn what_is_blocked_fails_the_job_and_keeps_its_report() {
    let files = [("app/PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n")];
    let team = Team::new("main", World::options().environment("prod").start(), &files);
    let ran = team.push("refs/heads/main").run();
    assert_eq!(ran.steps()["Deliver"], "failure", "{}", ran.log());
    ran.says("BLOCKED for prod").says("CVE-2020-14343").says("sarif/trivy.sarif");
    assert_eq!(ran.steps()["Keep the report"], "success", "{}", ran.log());
    assert!(team.world.tags().is_empty());
    assert_eq!(team.repository.alerts("refs/heads/main").len(), 1);
}

#[test]
fn a_repository_with_several_images_delivers_each() {
    // Two images, for the jobs run at the same time.
    let files = [
        ("services/api/Dockerfile", "FROM scratch\nCOPY . /api\n"),
        ("services/web/Dockerfile", "FROM scratch\nCOPY . /web\n"),
        ("services/docs/readme", ""),
    ];
    let world = World::options().environment("dev").repository("team/api").start();
    let team = Team::new("development", world, &files);
    team.source.write(CALLER, &template(&team.source, "monorepo"));
    team.source.commit("several images");
    team.world.create_repository("team/web", Mutability::Mutable, &[]);
    team.world.set_role_policy(
        &json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": PUSH, "Resource": "*" }] }),
    );
    let ran = team.push("refs/heads/development").var("ECR_NAMESPACE", "team").succeeds();
    let sha = team.sha();
    for repository in ["team/api", "team/web"] {
        let tags = team.world.tags_of(repository);
        assert!(tags.contains_key(&sha) && tags.contains_key(&format!("dev-{sha}")), "{repository}: {tags:?}\n{}", ran.log());
    }
}

/// A team whose dev and prod have a repository at ECR each, and a cluster's repository that an App writes.
struct Story {
    team: Team,
    cluster: Cluster,
    app: App,
    sigstore: PathBuf,
}

impl Story {
    fn begin() -> Self {
        let sigstore = PathBuf::from(part("SIGSTORE"));
        let world = World::options().issued_by(&sigstore).environment("dev").repository("dev/app").start();
        world.create_repository("prod/app", Mutability::Mutable, &[]);
        let actions = [&PUSH[..], &["ecr:ListImages"]].concat();
        world.set_role_policy(
            &json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] }),
        );
        let files = |work: &Path| {
            for environment in ["dev", "prod"] {
                let image = format!("image: {}/{environment}/app:none\n", world.host());
                write(work, &format!("apps/{environment}.yaml"), &image);
            }
            commit(work);
        };
        let app = App::new();
        let cluster = Cluster::with(files, Options::default().app(&app));
        let team = Team::new("development", world, &[("app/six-1.16.0.dist-info/METADATA", SIX)]);
        let to = |environment: &str| {
            format!(
                "ecr_repository: {environment}/app\n      gitops_repository: {}\n      gitops_path: apps/{environment}.yaml",
                cluster.github.slug()
            )
        };
        let app_id = "      gitops_app_id: ${{ vars.GITOPS_APP_ID }}";
        let caller = template(&team.source, "delivery");
        let caller = caller.replace("ecr_repository: team/app", &format!("{}\n{app_id}\n      sign: keyless", to("dev")));
        let by_hand = template(&team.source, "promote");
        let placeholder = "      gitops_repository: team/deploy\n      gitops_path: apps/web/kustomization.yaml\n";
        assert!(by_hand.contains(placeholder) && by_hand.contains("ecr_repository: prod/app"));
        let by_hand = by_hand.replace(placeholder, "").replace("ecr_repository: prod/app", &to("prod"));
        team.source.write(CALLER, &caller);
        team.source.write(BY_HAND, &by_hand);
        let first = team.source.commit("with a cluster");
        let options = Options::default().branch("development", &first).git(&team.source.context().join(".git"));
        let repository = GitHub::start().repository(options);
        team.source.git(&["remote", "set-url", "origin", &format!("https://github.com/{}", repository.slug())]);
        Self { team: Team { repository, ..team }, cluster, app, sigstore }
    }

    /// A run, as a job of an environment.
    fn run(&self, run: Act, environment: &str) -> Ran {
        let (commit, world) = (self.team.source.git(&["rev-parse", "HEAD"]), &self.team.world);
        let job = World::options().issued_by(&self.sigstore).environment(environment).claim("job_workflow_ref", SIGNING);
        let job = job.claim("repository", self.team.repository.slug());
        let service: TokenService = job.claim("sha", commit.clone()).claim("workflow_sha", commit).token_service();
        // What the role of that environment trusts.
        world.set_trust_policy(&world.trust_of(&format!("repo:octo-org/octo-repo:environment:{environment}")));
        let tokens = service.variables().into_iter().filter(|(name, _)| name.starts_with("ACTIONS_ID_TOKEN_REQUEST"));
        // GitHub's description of a pull request is not played in full.
        let api = self.team.repository.enterprise().into_iter().filter(|(name, _)| name == "GITHUB_API_URL");
        let document = |name: &str| -> Value { serde_json::from_slice(&fs::read(self.sigstore.join(name)).unwrap()).unwrap() };
        run.variables(tokens.chain(api))
            .var("SIGSTORE_SIGNING_CONFIG", &document("signing_config.json").to_string())
            .var("SIGSTORE_TRUSTED_ROOT", &document("trusted_root.json").to_string())
            .var("GITOPS_APP_ID", &self.app.client_id())
            .secret("GITOPS_APP_PRIVATE_KEY", &self.app.key())
            .succeeds()
    }

    /// A push to development; what dev has of it then, and where its tag is.
    fn push(&self) -> (String, String) {
        let ran = self.run(self.team.push("refs/heads/development"), "dev");
        let tag = format!("dev-{}", self.team.sha());
        let tags = self.team.world.tags_of("dev/app");
        let digest = tags.get(&tag).unwrap_or_else(|| panic!("{tags:?}\n{}", ran.log())).clone();
        (digest, format!("{}/dev/app:{tag}", self.team.world.host()))
    }

    fn by_hand(&self, command: &str, from: &str) -> Ran {
        let inputs = json!({ "command": command, "from": from });
        let payload = json!({ "ref": "refs/heads/development", "inputs": inputs });
        let run = self.team.event_of(BY_HAND, "workflow_dispatch", &payload);
        self.run(run.input("command", command).input("from", from), "prod")
    }

    /// The pull request for the cluster's repository that is open.
    fn proposed(&self, ran: &Ran) -> PullRequest {
        let open: Vec<_> = self.cluster.github.pull_requests().into_iter().filter(|pull| pull.open).collect();
        let [pull] = &*open else { panic!("{open:?}\n{}", ran.log()) };
        pull.clone()
    }

    /// Somebody merges it.
    fn merge(&self, pull: &PullRequest) {
        git(&self.cluster.bare(), ["update-ref", "refs/heads/main", &format!("refs/heads/{}", pull.head)]);
    }

    /// Promotes an image to prod: the same one, by a pull request that is merged.
    fn promote(&self, (digest, image): &(String, String)) {
        let ran = self.by_hand("promote", image);
        let tags = self.team.world.tags_of("prod/app");
        assert_eq!(tags.get(&format!("prod-{}", self.team.sha())), Some(digest), "{tags:?}\n{}", ran.log());
        let pull = self.proposed(&ran);
        assert!(self.cluster.file(&pull.head, "apps/prod.yaml").contains(&**digest), "{}", ran.log());
        assert!(!self.cluster.file("main", "apps/prod.yaml").contains(&**digest), "{}", ran.log());
        self.merge(&pull);
    }
}

/// A package that no advisory is about.
const SIX: &str = "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n";

#[test]
fn what_dev_has_is_promoted_and_taken_back_and_the_clusters_repository_follows() {
    let story = Story::begin();
    let source = &story.team.source;
    let first = source.git(&["rev-parse", "HEAD"]);
    let earlier = story.push();
    assert!(story.cluster.file("main", "apps/dev.yaml").contains(&earlier.0));
    story.promote(&earlier);
    source.write("app/file", "2\n");
    source.commit("second");
    let later = story.push();
    assert!(earlier.0 != later.0 && story.cluster.file("main", "apps/dev.yaml").contains(&later.0));
    story.promote(&later);
    assert!(story.cluster.file("main", "apps/prod.yaml").contains(&later.0));
    // Whose word counts is known without being said: that of the workflow that both run in.
    let (tags, listed) = (story.team.world.tags_of("prod/app"), story.by_hand("rollback", ""));
    listed.says("2 deliveries to prod in").says(&earlier.0).says(&later.0);
    let ran = story.by_hand("rollback", &first[..9]);
    let pull = story.proposed(&ran);
    assert!(pull.title.starts_with("Go back to prod/app"), "{pull:?}");
    assert!(story.cluster.file(&pull.head, "apps/prod.yaml").contains(&earlier.0), "{}", ran.log());
    assert!(story.cluster.file("main", "apps/prod.yaml").contains(&later.0), "{}", ran.log());
    assert_eq!(story.team.world.tags_of("prod/app"), tags, "nothing is built, pushed or tagged");
    let tokens = story.cluster.github.app_tokens();
    assert!(tokens.len() >= 5 && tokens.iter().all(|token| token.revoked), "{tokens:?}");
}

/// A Dockerfile that gives each platform a folder of its own.
const BY_PLATFORM: (&str, &str) = ("Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /app\n");

#[test]
fn each_platform_is_cleared_on_its_own_runner_and_a_last_job_makes_one_image_of_them() {
    let files = [BY_PLATFORM, ("amd64/file", "1\n"), ("arm64/file", "1\n")];
    let mut team = Team::new("main", World::options().environment("prod").start(), &files).spread();
    let ran = team.push_and_sign().succeeds();
    delivered(&team, &ran, "prod");
    ran.says("linux/amd64 and linux/arm64, each cleared by this run");
    let digest = team.world.tags()[&team.sha()].clone();
    // What is behind the world's registry knows no password.
    let image = format!("{}/{}@{digest}", team.world.registry(), team.world.repository());
    let mut verify = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
    verify.env_clear().env("HOME", team.source.beside("home")).args(["verify", &image, "--sigstore-trusted-root"]);
    verify.arg(PathBuf::from(part("SIGSTORE")).join("trusted_root.json")).args(["--issuer", &part("ISSUER")]);
    verify.args(["--identity", &format!("https://github.com/{SIGNING}"), "--environment", "prod"]);
    let verified = Ended::from(verify.output().unwrap());
    assert_eq!(verified.code, Some(0), "{verified}");
    assert!(verified.stdout.contains("2 of 2 platforms"), "{verified}");
}

#[test]
fn where_the_runner_of_one_platform_holds_its_image_back_the_last_job_does_not_run() {
    let bad = ("arm64/PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n");
    let mut team =
        Team::new("main", World::options().environment("prod").start(), &[BY_PLATFORM, ("amd64/file", "1\n"), bad]).spread();
    let ran = team.push_and_sign().run();
    ran.says("BLOCKED for prod").says("CVE-2020-14343");
    assert!(ran.job_results().contains(&"failure".to_owned()), "{}", ran.log());
    assert!(!ran.log().contains("each cleared by this run"), "{}", ran.log());
    // But for the lists of what is signed about the image that was cleared, where a registry has no other place for them.
    let tags = team.world.tags();
    assert!(tags.keys().all(|tag| tag.starts_with("sha256-")), "{tags:?}");
}

#[test]
fn a_pull_request_is_judged_on_each_platforms_runner_and_its_check_is_by_all_of_them() {
    let bad = ("arm64/PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n");
    for (files, judged) in [(vec![("arm64/file", "1\n")], "success"), (vec![bad], "failure")] {
        let files = [&[BY_PLATFORM, ("amd64/file", "1\n")][..], &files].concat();
        let team = Team::new("main", World::options().pull_request(7).start(), &files).spread();
        let commit = team.source.git(&["rev-parse", "HEAD"]);
        let repo = json!({ "id": 74, "full_name": team.repository.slug() });
        let side = |branch: &str| json!({ "ref": branch, "sha": commit, "repo": repo });
        let payload = json!({ "number": 7, "pull_request": { "number": 7, "head": side("change"), "base": side("main") } });
        let ran = team.event("pull_request", &payload).run();
        // Each platform's report is shown, in a category of its own, by a job that runs nothing of the change.
        let shown: Vec<_> = team.repository.check_runs().iter().map(|check| check.name.clone()).collect();
        for platform in ["team/app/linux-amd64", "team/app/linux-arm64"] {
            assert!(shown.iter().any(|name| name.contains(platform)), "{shown:?}\n{}", ran.log());
        }
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert_eq!(ran.steps().get("Judge by the platforms").map(String::as_str), Some(judged), "{}", ran.log());
        assert_eq!(ran.code == Some(0), judged == "success", "{}", ran.log());
        assert!(team.world.tags().is_empty() && team.world.calls().is_empty(), "{:?}", team.world.calls());
    }
}
