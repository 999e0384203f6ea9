//! The repository that a cluster is brought to names the published image: by a commit or a pull request, never over what others
//! have written, never over what is newer, and whatever fails there takes nothing back.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use doubles::github::{App, Call, Fault, GitHub, Moment, Options, Repository, Times};

use crate::support::git::{commit, git, head, repository};
use crate::support::{Delivery, Source, job};

const IMAGE: &str = "registry.example/shop/web";
const DEPLOYMENT: &str = "\
# Who owns it: the shop.
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: web
          image: 'registry.example/shop/web:old'   # by the pipeline

        - {name: other, image: other.example/x:1}
";

fn digest(of: u8) -> String {
    format!("sha256:{}", format!("{of:02x}").repeat(32))
}

/// `NAME:TAG@DIGEST` of an image of ours.
pub(crate) fn image(of: u8) -> String {
    format!("{IMAGE}:v{of}@{}", digest(of))
}

/// A repository that a cluster is brought to.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    pub(crate) github: Repository,
}

impl Cluster {
    pub(crate) fn with(prepare: impl FnOnce(&Path), options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        fs::create_dir(&work).unwrap();
        write(&work, "apps/web.yaml", DEPLOYMENT);
        repository(&work);
        prepare(&work);
        git(folder.path(), ["clone", "--quiet", "--bare", "work", "bare"]);
        let github = GitHub::start().repository(options.name("deploy").git(&folder.path().join("bare")));
        Self { folder, github }
    }

    fn new() -> Self {
        Self::with(|_| (), Options::default())
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.folder.path().join("bare")
    }

    pub(crate) fn file(&self, branch: &str, path: &str) -> String {
        git(&self.bare(), ["show", &format!("{branch}:{path}")]) + "\n"
    }

    pub(crate) fn message(&self, branch: &str) -> String {
        git(&self.bare(), ["show", "--no-patch", "--format=%B", branch])
    }

    pub(crate) fn commits(&self, branch: &str) -> usize {
        git(&self.bare(), ["rev-list", "--count", branch]).parse().unwrap()
    }

    /// Someone else writes to the branch.
    pub(crate) fn others(&self, path: &str, text: &str, force: bool) {
        let work = self.folder.path().join("work");
        if force {
            git(&work, ["commit", "--quiet", "--amend", "--message", "another first"]);
        } else {
            git(&work, ["pull", "--quiet", "../bare", "main"]);
        }
        write(&work, path, text);
        commit(&work);
        git(&work, ["push", "--quiet", if force { "--force" } else { "--porcelain" }, "../bare", "HEAD:main"]);
    }

    /// How many requests there were.
    fn asked(&self) -> usize {
        self.github.journal().len()
    }
}

pub(crate) fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A repository of a source, at GitHub too.
pub(crate) fn source() -> (Source, Repository) {
    source_with(Options::default())
}

pub(crate) fn source_with(options: Options) -> (Source, Repository) {
    let source = job::clean();
    let github = GitHub::start().repository(options.git(&source.context().join(".git")));
    (source, github)
}

/// `gitops` for an image, in a job of a source's commit.
fn gitops(cluster: &Cluster, source: &Source, at: &Repository, image: &str) -> Delivery {
    named(cluster, source, at.environment(), image)
}

pub(crate) fn named(cluster: &Cluster, source: &Source, at: Vec<(String, String)>, image: &str) -> Delivery {
    let run = source.run("gitops").argument(image);
    let run = run.flag("--gitops-repository", &cluster.github.slug()).flag("--gitops-path", "apps/*.yaml");
    let run = run.variable("INPUT_GITOPS-TOKEN", &cluster.github.token()).flag("--environment", "prod");
    let run = run.variable("GITHUB_ACTIONS", "true").variable("GITHUB_EVENT_NAME", "push").variable("GITHUB_RUN_ID", "42");
    let run = run.variable("GITHUB_REF", "refs/heads/main").variable("GITHUB_SHA", &job::commit(source));
    let outputs = source.beside("outputs");
    let run = run.variable("GITHUB_OUTPUT", &outputs.to_string_lossy());
    fs::write(outputs, "").unwrap();
    at.into_iter().fold(run, |run, (name, value)| run.variable(&name, &value))
}

pub(crate) fn result(source: &Source) -> String {
    let outputs = fs::read_to_string(source.beside("outputs")).unwrap();
    let mut lines = outputs.lines().skip_while(|line| !line.starts_with("gitops-result<<"));
    lines.nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_commit_sets_the_image_and_no_other_byte_and_says_where_it_comes_from() {
    let (cluster, (source, at)) = (Cluster::new(), source());
    let ended = gitops(&cluster, &source, &at, &image(1)).ends_with(0);
    assert_eq!(cluster.file("main", "apps/web.yaml"), DEPLOYMENT.replace("registry.example/shop/web:old", &image(1)));
    let (commit, slug) = (job::commit(&source), at.slug());
    let message = cluster.message("main");
    assert!(message.starts_with("Deliver shop/web:v1\n\n"), "{message}");
    for line in [
        format!("Gp-Deliver-Image: {IMAGE}"),
        format!("Gp-Deliver-Digest: {}", digest(1)),
        "Gp-Deliver-Environment: prod".to_owned(),
        format!("Gp-Deliver-Commit: {slug}@{commit}"),
        format!("Gp-Deliver-Run: https://github.com/{slug}/actions/runs/42"),
    ] {
        assert!(message.lines().any(|one| one == line), "{line}: {message}");
    }
    assert!(ended.stdout.contains(&head(&cluster.bare())), "{ended}");
    assert_eq!(result(&source), "updated");
    let told = |line: &&str| line.contains(&cluster.github.token());
    let told: Vec<_> = ended.stdout.lines().chain(ended.stderr.lines()).filter(told).collect();
    assert!(!told.is_empty() && told.iter().all(|line| line.starts_with("::add-mask::")), "{ended}");
    for entry in cluster.github.journal() {
        assert!(!entry.path.contains(&cluster.github.token()), "{}", entry.path);
    }
    // Once more, and nothing is written.
    gitops(&cluster, &source, &at, &image(1)).ends_with(0);
    // As the action asks, which gives no arguments.
    gitops(&cluster, &source, &at, "").variable("INPUT_FROM", &image(1)).ends_with(0);
    assert_eq!((result(&source), cluster.commits("main"), cluster.github.count(Call::CreateTree)), ("unchanged".into(), 2, 1));
}

/// A repository of ten thousand files.
pub(crate) fn of_ten_thousand_files(options: Options) -> Cluster {
    let many = |work: &Path| {
        for folder in 0..100 {
            for file in 0..100 {
                write(work, &format!("other/{folder}/{file}.yaml"), "a: 1\n");
            }
        }
        commit(work);
    };
    Cluster::with(many, options)
}

#[test]
fn an_update_in_a_repository_of_ten_thousand_files_takes_twelve_requests_at_most() {
    let (cluster, (source, at)) = (of_ten_thousand_files(Options::default()), source());
    gitops(&cluster, &source, &at, &image(1)).ends_with(0);
    source.commit("second");
    let before = (cluster.asked(), at.journal().len());
    gitops(&cluster, &source, &at, &image(2)).ends_with(0);
    let asked = cluster.asked() - before.0 + at.journal().len() - before.1;
    assert!(asked <= 12, "{asked}");
}

#[test]
fn ten_writers_at_once_are_all_heard() {
    let files = |work: &Path| {
        for writer in 0..10 {
            write(work, &format!("apps/{writer}.yaml"), &format!("image: registry.example/shop/app{writer}:old\n"));
        }
        commit(work);
    };
    let (cluster, (source, at)) = (Cluster::with(files, Options::default()), source());
    let reference = |writer: u8| format!("registry.example/shop/app{writer}:v1@{}", digest(writer));
    let running: Vec<_> = (0..10).map(|writer| gitops(&cluster, &source, &at, &reference(writer)).spawn()).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for writer in 0..10 {
        assert_eq!(cluster.file("main", &format!("apps/{writer}.yaml")), format!("image: {}\n", reference(writer)));
    }
    assert_eq!(cluster.commits("main"), 12);
}

#[test]
fn what_others_write_meanwhile_stays() {
    for force in [false, true] {
        let (cluster, (source, at)) = (Cluster::new(), source());
        let held = cluster.github.hold(Call::UpdateRef, 1, Moment::Before);
        let running = gitops(&cluster, &source, &at, &image(1)).spawn();
        held.arrived();
        cluster.others("theirs.yaml", "a: 1\n", force);
        drop(held);
        let output = running.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(cluster.file("main", "theirs.yaml"), "a: 1\n");
        assert!(cluster.file("main", "apps/web.yaml").contains(&image(1)));
        assert!(cluster.github.journal().iter().all(|entry| entry.document["force"] != true));
    }
}

#[test]
fn a_protected_branch_gets_a_pull_request_that_follows_the_deliveries() {
    let (cluster, (source, at)) = (Cluster::with(|_| (), Options::default().protected("main")), source());
    // GitHub's description of a pull request is not played in full.
    let ask = |of: u8| named(&cluster, &source, at.enterprise(), &image(of));
    ask(1).ends_with(0);
    assert_eq!(result(&source), "pull-request");
    source.commit("second");
    ask(2).ends_with(0);
    let [pull] = &*cluster.github.pull_requests() else { panic!("{:?}", cluster.github.pull_requests()) };
    assert!(pull.open && pull.title == "Deliver shop/web:v2" && pull.base == "main", "{pull:?}");
    assert!(cluster.file(&pull.head, "apps/web.yaml").contains(&image(2)));
    assert_eq!((cluster.commits("main"), cluster.file("main", "apps/web.yaml")), (1, DEPLOYMENT.to_owned()));
    // The same again adds nothing, and an older one nothing either.
    let commits = cluster.commits(&pull.head);
    ask(2).ends_with(0);
    source.git(&["checkout", "--quiet", "HEAD~1"]);
    ask(1).ends_with(0);
    assert_eq!((result(&source), cluster.commits(&pull.head)), ("skipped".into(), commits));
    // Where the branch has the older one, the newer one's stays open.
    cluster.others("apps/web.yaml", &DEPLOYMENT.replace("registry.example/shop/web:old", &image(1)), false);
    ask(1).ends_with(0);
    assert_eq!((result(&source), cluster.github.pull_requests()[0].open), ("unchanged".into(), true));
    source.git(&["checkout", "--quiet", "main"]);
    // Where the branch has what it says, it is closed.
    git(&cluster.bare(), ["update-ref", "refs/heads/main", &format!("refs/heads/{}", pull.head)]);
    ask(2).ends_with(0);
    assert_eq!((result(&source), cluster.github.pull_requests()[0].open), ("unchanged".into(), false));
}

#[test]
fn a_protected_branch_that_has_to_take_a_commit_is_said() {
    let (cluster, (source, at)) = (Cluster::with(|_| (), Options::default().protected("main")), source());
    let ended = gitops(&cluster, &source, &at, &image(1)).flag("--gitops-mode", "push").ends_with(4);
    ended.says("Changes must be made through a pull request").says("leave `gitops-mode` at auto");
    assert_eq!((cluster.commits("main"), result(&source)), (1, "failed".into()));
}

#[test]
fn an_older_delivery_does_not_overwrite_a_newer_one() {
    let (cluster, (source, at)) = (Cluster::new(), source());
    let older = job::commit(&source);
    let newer = source.commit("second");
    gitops(&cluster, &source, &at, &image(2)).ends_with(0);
    source.git(&["checkout", "--quiet", &older]);
    let ended = gitops(&cluster, &source, &at, &image(1)).ends_with(0);
    assert!(ended.stdout.contains(&newer), "{ended}");
    assert_eq!((result(&source), cluster.commits("main")), ("skipped".into(), 2));
    // Where it can't be known, nothing is written.
    source.git(&["checkout", "--quiet", "-b", "other"]);
    source.commit("neither");
    gitops(&cluster, &source, &at, &image(3)).ends_with(4).says("neither comes from the other");
    let without = at.environment().into_iter().filter(|(name, _)| name != "INPUT_GITHUB-TOKEN").collect();
    named(&cluster, &source, without, &image(3)).ends_with(4).says("no github-token");
    assert!(cluster.file("main", "apps/web.yaml").contains(&image(2)));
}

#[test]
fn two_environments_that_share_images_and_a_file_do_not_overtake_each_other() {
    let files = |work: &Path| {
        write(work, "values.yaml", &format!("staging: {IMAGE}:old\nprod: {IMAGE}:old\n"));
        commit(work);
    };
    let (cluster, (source, at)) = (Cluster::with(files, Options::default()), source());
    let to = |environment: &str, of: u8| {
        let run = gitops(&cluster, &source, &at, &image(of)).without("--environment").flag("--environment", environment);
        run.flag("--gitops-path", &format!("values.yaml#{environment}")).ends_with(0);
    };
    let older = job::commit(&source);
    source.commit("second");
    to("staging", 2);
    source.git(&["checkout", "--quiet", &older]);
    to("prod", 1);
    assert_eq!(cluster.file("main", "values.yaml"), format!("staging: {}\nprod: {}\n", image(2), image(1)));
}

#[test]
fn two_environments_that_share_images_have_a_pull_request_each() {
    let files = |work: &Path| {
        write(work, "staging.yaml", &format!("image: {IMAGE}:old\n"));
        write(work, "prod.yaml", &format!("image: {IMAGE}:old\n"));
        commit(work);
    };
    let (cluster, (source, at)) = (Cluster::with(files, Options::default()), source());
    for environment in ["staging", "prod"] {
        let run =
            named(&cluster, &source, at.enterprise(), &image(1)).without("--environment").flag("--environment", environment);
        run.flag("--gitops-path", &format!("{environment}.yaml")).flag("--gitops-mode", "pull-request").ends_with(0);
    }
    let [one, other] = &*cluster.github.pull_requests() else { panic!("{:?}", cluster.github.pull_requests()) };
    assert!(cluster.file(&one.head, "staging.yaml").contains(&image(1)) && cluster.file(&one.head, "prod.yaml").contains(":old"));
    assert!(
        cluster.file(&other.head, "prod.yaml").contains(&image(1)) && cluster.file(&other.head, "staging.yaml").contains(":old")
    );
}

#[test]
fn a_newer_delivery_of_any_of_the_files_is_not_overwritten_however_many_commits_follow_it() {
    let files = |work: &Path| {
        write(work, "apps/a.yaml", &format!("image: {IMAGE}:old\n"));
        commit(work);
    };
    let (cluster, (source, at)) = (Cluster::with(files, Options::default()), source());
    let older = job::commit(&source);
    let newer = source.commit("second");
    gitops(&cluster, &source, &at, &image(2)).flag("--gitops-path", "apps/web.yaml").ends_with(0);
    // Others' commits to the same file, more than GitHub lists at once.
    let mut text = cluster.file("main", "apps/web.yaml");
    let work = cluster.folder.path().join("work");
    git(&work, ["pull", "--quiet", "../bare", "main"]);
    for number in 0..100 {
        text = format!("{text}# {number}\n");
        write(&work, "apps/web.yaml", &text);
        git(&work, ["commit", "--quiet", "--all", "--message", "another"]);
    }
    git(&work, ["push", "--quiet", "../bare", "HEAD:main"]);
    source.git(&["checkout", "--quiet", &older]);
    let ended = gitops(&cluster, &source, &at, &image(1)).ends_with(0);
    assert!(ended.stdout.contains(&newer), "{ended}");
    assert_eq!(result(&source), "skipped");
    assert!(cluster.file("main", "apps/a.yaml").contains(":old"));
}

#[test]
fn links_and_submodules_are_not_followed() {
    let odd = |work: &Path| {
        std::os::unix::fs::symlink("/etc/passwd", work.join("link.yaml")).unwrap();
        std::os::unix::fs::symlink("apps", work.join("folder")).unwrap();
        let module = format!("160000,{},module", head(work));
        git(work, ["update-index", "--add", "--cacheinfo", &module]);
        commit_index(work);
    };
    let (cluster, (source, at)) = (Cluster::with(odd, Options::default()), source());
    for (path, says) in [
        ("link.yaml", "link.yaml is a link"),
        ("folder/web.yaml", "folder is a link"),
        ("*", "is a link"),
        ("module", "module is a submodule"),
        ("module/a.yaml", "module is a submodule"),
        ("gone.yaml", "No file there is \"gone.yaml\""),
    ] {
        gitops(&cluster, &source, &at, &image(1)).flag("--gitops-path", path).ends_with(4).says(says);
    }
    assert_eq!(cluster.github.count(Call::CreateTree), 0);
}

fn commit_index(work: &Path) {
    git(work, ["add", "link.yaml", "folder"]);
    git(work, ["commit", "--quiet", "--message", "odd"]);
}

#[test]
fn what_github_refuses_is_said_with_what_to_do() {
    let at_source = source();
    let (source, at) = (&at_source.0, &at_source.1);
    let refused = |cluster: &Cluster, says: &[&str]| {
        let ended = gitops(cluster, source, at, &image(1)).ends_with(4);
        for text in says {
            ended.says(text);
        }
        assert_eq!(result(source), "failed");
        assert_eq!(cluster.file("main", "apps/web.yaml"), DEPLOYMENT);
    };
    let revoked = Cluster::new();
    revoked.github.fail(Call::GetRef, Times::Always, Fault::Expired);
    refused(&revoked, &["401", "this one is revoked"]);
    refused(&Cluster::with(|_| (), Options::default().archived()), &["archived"]);
    refused(&Cluster::with(|_| (), Options::default().invisible()), &["It has no branch \"main\""]);
    refused(&Cluster::with(|_| (), Options::default().largest_tree(1)), &["more files than GitHub lists"]);
    let cluster = Cluster::new();
    cluster.github.fail(Call::GetTree, Times::Always, Fault::Status(500));
    refused(&cluster, &["500"]);
}

#[test]
fn what_passes_is_overcome() {
    for (call, fault) in [
        (Call::GetRef, Fault::Status(502)),
        (Call::CreateTree, Fault::Silence),
        (Call::UpdateRef, Fault::Silence),
        (Call::UpdateRef, Fault::Cut),
        (Call::CreateCommit, Fault::Refused),
    ] {
        let (cluster, (source, at)) = (Cluster::new(), source());
        cluster.github.fail(call, Times::First(1), fault);
        gitops(&cluster, &source, &at, &image(1)).ends_with(0);
        assert_eq!(cluster.commits("main"), 2, "{call:?} {fault:?}");
    }
}

#[test]
fn a_file_that_can_not_be_edited_for_sure_is_named_with_its_line() {
    let files = |work: &Path| {
        write(work, "apps/web.yaml", "image: registry.example/shop/web:1\nimage: registry.example/shop/web:2\n");
        write(work, "values.yaml", "web:\n  image: {tag: x} # tag\n");
        commit(work);
    };
    let (cluster, (source, at)) = (Cluster::with(files, Options::default()), source());
    gitops(&cluster, &source, &at, &image(1)).ends_with(4).says("apps/web.yaml, line 2: the key \"image\" is there twice");
    gitops(&cluster, &source, &at, &image(1)).flag("--gitops-path", "values.yaml").ends_with(4).says("named in none of these");
    gitops(&cluster, &source, &at, &image(1)).flag("--gitops-path", "values.yaml#web.image.tag").ends_with(0);
    assert_eq!(cluster.file("main", "values.yaml"), format!("web:\n  image: {{tag: v1@{}}} # tag\n", digest(1)));
    gitops(&cluster, &source, &at, &format!("{IMAGE}:v1")).ends_with(2).says("a tag may be moved");
    let by_anyone = gitops(&cluster, &source, &at, &image(2)).variable("GITHUB_EVENT_NAME", "issue_comment");
    by_anyone.ends_with(2).says("nothing is written there by this run");
}

#[test]
fn a_failure_takes_nothing_back_and_is_mended_by_the_same_job() {
    let (source, github) = (job::clean(), Options::default());
    let name = format!("{}/{}", crate::support::part("REGISTRY"), job::commit(&source));
    let deployment = DEPLOYMENT.replace(IMAGE, &name);
    let cluster = Cluster::with(
        |work| {
            write(work, "apps/web.yaml", &deployment);
            commit(work);
        },
        Options::default(),
    );
    let at = job::repository(&source, github.git(&source.context().join(".git")));
    cluster.github.fail(Call::GetBlob, Times::First(1), Fault::Expired);
    let deliver = || {
        let delivery = job::push(&source, &at, "dev").flag("--destination", &name);
        let delivery = delivery.flag("--gitops-repository", &cluster.github.slug()).flag("--gitops-path", "apps/web.yaml");
        delivery.variable("INPUT_GITOPS-TOKEN", &cluster.github.token())
    };
    let ended = deliver().ends_with(4);
    let record = source.record();
    assert_eq!((record["result"].as_str(), record["gitops"]["result"].as_str()), (Some("delivered"), Some("failed")), "{ended}");
    assert_eq!(cluster.commits("main"), 2);
    let published = record["publication"]["digest"].as_str().unwrap().to_owned();
    deliver().ends_with(0);
    assert_eq!(source.record()["gitops"]["result"].as_str(), Some("updated"));
    assert!(cluster.file("main", "apps/web.yaml").contains(&format!("@{published}'")));
    // What is not published changes nothing there.
    let before = cluster.asked();
    deliver().flag("--publish", "false").ends_with(0);
    assert_eq!(cluster.asked(), before);
    let kinds: BTreeSet<_> = cluster.github.journal().iter().map(|entry| entry.method.clone()).collect();
    assert!(!kinds.contains("PUT") && !kinds.contains("DELETE"), "{kinds:?}");
}

/// A fenced block of the README's part: the nth of its language, from zero.
pub(crate) fn block(language: &str, nth: usize) -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, part) = readme.split_once("\n## To the cluster\n").unwrap();
    let block = part.split(&format!("```{language}\n")).nth(nth + 1).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_readmes_part_does_what_it_says() {
    let name = "registry.example.com/team/app";
    let files = |work: &Path| {
        write(work, "apps/web/kustomization.yaml", &format!("images:\n- name: {name}\n  newTag: old\n"));
        write(work, "apps/web/values.yaml", &format!("image: {name}:old\n"));
        write(work, "charts/web/values.yaml", &format!("image:\n  repository: {name}\n  tag: old\n"));
        commit(work);
    };
    let app = App::new();
    let (cluster, (source, at)) = (Cluster::with(files, Options::default().app(&app)), source());
    let hex = "cd".repeat(32);
    let line = block("console", 0).replace('…', &hex).replace('\'', "").replace("team/deploy", &cluster.github.slug());
    let mut words = line.split_whitespace().skip(2);
    assert_eq!(words.next(), Some("gitops"));
    let image = words.next().unwrap();
    let flags: Vec<_> = words.collect();
    let run = gitops(&cluster, &source, &at, image);
    flags.chunks(2).fold(run.clone(), |run, flag| run.flag(flag[0], flag[1])).ends_with(0);
    assert_eq!(cluster.file("main", "apps/web/values.yaml"), format!("image: {image}\n"));
    // The inputs of the action, as the runner hands them over.
    let step: serde_json::Value = serde_yaml::from_str(&block("yaml", 0)).unwrap();
    let inputs = step[0]["with"].as_object().unwrap();
    let names: BTreeSet<_> = inputs.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["gitops-path", "gitops-repository", "gitops-token"]));
    let path = inputs["gitops-path"].as_str().unwrap();
    run.without("--gitops-path").variable("INPUT_GITOPS-PATH", path).ends_with(0);
    let (tag, digest) = ("prod-a1b2c3d", format!("sha256:{hex}"));
    let kustomization = format!("images:\n- name: {name}\n  newTag: {tag}\n  digest: {digest}\n");
    assert_eq!(cluster.file("main", "apps/web/kustomization.yaml"), kustomization);
    let values = format!("image:\n  repository: {name}\n  tag: {tag}@{digest}\n");
    assert_eq!(cluster.file("main", "charts/web/values.yaml"), values);
    // As a GitHub App, which has the next image of it.
    let step: serde_json::Value = serde_yaml::from_str(&block("yaml", 2)).unwrap();
    let given = |input: &str| match step[0]["with"][input].as_str().unwrap() {
        "${{ vars.GITOPS_APP_ID }}" => app.client_id(),
        "${{ secrets.GITOPS_APP_PRIVATE_KEY }}" => app.key(),
        "team/deploy" => cluster.github.slug(),
        text => text.to_owned(),
    };
    let inputs = step[0]["with"].as_object().unwrap().keys();
    let run = gitops(&cluster, &source, &at, &image.replace("cdcd", "efef")).variable("INPUT_GITOPS-TOKEN", "");
    let run = run.without("--gitops-path").without("--gitops-repository");
    inputs.fold(run, |run, input| run.variable(&format!("INPUT_{}", input.to_uppercase()), &given(input))).ends_with(0);
    assert!(cluster.file("main", "apps/web/kustomization.yaml").contains("efef"));
    assert_eq!(cluster.github.app_tokens().len(), 1);
}
