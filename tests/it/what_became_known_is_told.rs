//! What a moving tag names is judged anew by its signed SBOM and the advisories of the day: what became known since it was delivered
//! is in the Security tab and in one issue, which is made once, brought up to date and closed. What can't be told is never clean,
//! and nobody else's issue is touched.

use std::path::Path;
use std::process::Command;

use doubles::aws::World;
use doubles::github::{Call, Fault, GitHub, Issue, Moment, Options, Repository, Times};
use serde_json::{Value, json};

use crate::a_cluster_is_brought_to_what_is_out::{Cluster, write};
use crate::support::git::commit;
use crate::support::{Delivery, Ended, keyless, part, run, tool};
use crate::what_is_delivered_is_signed::{SIGNER, Scene};

/// A package that has a critical advisory in `fixtures/advisories`, and none yet where the image is delivered.
const PACKAGE: (&str, &str) = ("PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n");
const ADVISORY: &str = "CVE-2020-14343";
const MAIN: &str = "refs/heads/main";
/// What the token of such a job may do.
const MAY: [&str; 2] = ["security-events: write", "issues: write"];

/// An image that prod's tag names, and its repository at GitHub.
struct Delivered {
    scene: Scene,
    github: Repository,
}

impl Delivered {
    /// Delivered to prod when nothing was known of it.
    fn to_prod(options: Options) -> Self {
        let delivered = Self::of(Scene::holding(&[PACKAGE]), options);
        delivered.deliver("prod");
        delivered
    }

    fn of(scene: Scene, options: Options) -> Self {
        let commit = scene.source.git(&["rev-parse", "HEAD"]);
        let github = GitHub::start().repository(options.branch("main", &commit));
        Self { scene, github }
    }

    /// A delivery while no advisory is known.
    fn deliver(&self, environment: &str) {
        let delivery = self.scene.deliver(environment).flag("--sign", "keyless").flag("--tags", "{sha},{env}");
        delivery.flag("--trivy-db-repository", &self.database("nothing", "pyyaml", "other")).ends_with(0);
    }

    /// A database as it would be with something else in place of a text among the advisories.
    fn database(&self, name: &str, from: &str, to: &str) -> String {
        self.database_of(name, &[(from, to)], &[])
    }

    fn database_of(&self, name: &str, changes: &[(&str, &str)], flags: &[&str]) -> String {
        let folder = self.scene.source.beside(name);
        let output = folder.join("database");
        if !folder.exists() {
            std::fs::create_dir(&folder).unwrap();
            let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/advisories");
            for file in std::fs::read_dir(fixtures).unwrap().map(Result::unwrap) {
                let text = std::fs::read_to_string(file.path()).unwrap();
                let text = changes.iter().fold(text, |text, (from, to)| text.replace(from, to));
                std::fs::write(folder.join(file.file_name()), text).unwrap();
            }
            run(Command::new(tool("trivy-db")).arg("--advisories").arg(&folder).arg("--output").arg(&output).args(flags));
        }
        format!("oci:{}:2", output.display())
    }

    /// A scheduled look with today's advisories, in a job.
    fn watch(&self) -> Delivery {
        let commit = self.scene.source.git(&["rev-parse", "HEAD"]);
        let own = [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_EVENT_NAME", "schedule".to_owned()),
            ("GITHUB_REF", MAIN.to_owned()),
            ("GITHUB_SHA", commit),
            ("GITHUB_STEP_SUMMARY", self.scene.source.beside("step-summary").display().to_string()),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(self.github.environment());
        let watch = own.fold(self.scene.source.run("watch"), |watch, (name, value)| watch.variable(&name, &value));
        watch
            .flag("--destination", &self.scene.repository())
            .flag("--environment", "prod")
            .flag("--tags", "{sha},{env}")
            .flag("--identity", SIGNER)
            .flag("--issuer", &part("ISSUER"))
            .flag("--repository", "octo-org/octo-repo")
            .flag("--sigstore-trusted-root", &format!("{}/trusted_root.json", part("SIGSTORE")))
    }

    /// The same with the advisories of the day of delivery.
    fn watch_then(&self) -> Delivery {
        self.watch().flag("--trivy-db-repository", &self.database("nothing", "pyyaml", "other"))
    }

    fn image(&self) -> String {
        self.scene.image("prod")
    }

    /// The one issue.
    #[track_caller]
    fn issue(&self) -> Issue {
        let issues = self.github.issues();
        assert_eq!(issues.len(), 1, "{issues:?}");
        issues[0].clone()
    }

    /// The rules of what the Security tab shows.
    fn alerts(&self) -> Vec<String> {
        self.github.alerts(MAIN).iter().map(|alert| alert.rule.clone()).collect()
    }

    fn summary(&self) -> String {
        std::fs::read_to_string(self.scene.source.beside("report/summary.md")).unwrap()
    }
}

fn permitted() -> Options {
    Options::default().permissions(&MAY)
}

/// What it says on standard output.
fn json(ended: &Ended) -> Value {
    // Before it, the runner is told what to mask.
    let from = ended.stdout.find('{').unwrap_or_else(|| panic!("{ended}"));
    serde_json::from_str(&ended.stdout[from..]).unwrap_or_else(|_| panic!("{ended}"))
}

#[test]
fn what_became_known_is_one_issue_that_is_brought_up_to_date_and_closed_when_nothing_is_left() {
    let delivered = Delivered::to_prod(permitted());
    // Nothing is known yet: there is no issue, and the Security tab is told so.
    let ended = delivered.watch_then().ends_with(0);
    assert!(ended.stdout.contains("nothing that counts became known since it was delivered"), "{ended}");
    assert!(delivered.github.issues().is_empty() && delivered.alerts().is_empty());
    // It becomes known.
    let ended = delivered.watch().ends_with(3);
    assert!(ended.stdout.contains("1 CRITICAL became known since it was delivered"), "{ended}");
    assert_eq!(delivered.alerts(), [ADVISORY]);
    let issue = delivered.issue();
    assert_eq!((issue.state.as_str(), issue.labels.as_slice()), ("open", &["gp-deliver".to_owned()][..]));
    assert!(issue.title.contains(&delivered.image()) && issue.title.contains("1 CRITICAL"), "{}", issue.title);
    assert!(issue.body.contains(ADVISORY) && issue.body.contains(&delivered.scene.digest("prod")), "{}", issue.body);
    let summary = delivered.summary();
    assert!(
        summary.contains(ADVISORY) && summary.contains("delivered on 20") && summary.contains("advisories of 20"),
        "{summary}"
    );
    assert_eq!(std::fs::read_to_string(delivered.scene.source.beside("step-summary")).unwrap().matches(&*summary).count(), 1);
    assert!(delivered.scene.source.beside("report/sarif/watch-1.sarif").exists());
    // Again: nothing new is said, and nothing is written.
    let written = delivered.github.count(Call::CreateIssue) + delivered.github.count(Call::UpdateIssue);
    delivered.watch().ends_with(3);
    assert_eq!(delivered.github.count(Call::CreateIssue) + delivered.github.count(Call::UpdateIssue), written);
    assert_eq!(delivered.issue(), issue);
    // A second advisory: the same issue says so.
    let more = delivered.database_of("more", &[("    - bucket: pyyaml\n      pairs:\n", "    - bucket: pyyaml\n      pairs:\n        - key: CVE-2026-7777\n          value:\n            PatchedVersions: [\"6\"]\n            VulnerableVersions: [\"< 6\"]\n")], &[]);
    delivered.watch().flag("--trivy-db-repository", &more).ends_with(3);
    let updated = delivered.issue();
    assert!(updated.number == issue.number && updated.body.contains("CVE-2026-7777"), "{}", updated.body);
    // Mended, or taken back: it is closed, and so are the alerts. Then it is the same issue again.
    delivered.watch_then().ends_with(0);
    let closed = delivered.issue();
    assert_eq!((closed.state.as_str(), closed.reason.as_deref()), ("closed", Some("completed")));
    assert!(delivered.alerts().is_empty());
    delivered.watch().ends_with(3);
    assert_eq!((delivered.issue().number, delivered.issue().state.as_str()), (issue.number, "open"));
}

/// Another workflow, whose signature counts elsewhere.
const OTHER: &str = "octo-org/gp-deliver/.github/workflows/staging.yml@refs/tags/v1";

impl Delivered {
    /// To an environment by a workflow of its own, with the advisories of the day of delivery or with today's.
    fn deliver_by(&mut self, workflow: &'static str, environment: &str, is_known: bool) {
        let scene = std::mem::replace(&mut self.scene, Scene::at("replaced.example"));
        self.scene = scene.claim("job_workflow_ref", workflow);
        let delivery = self.scene.deliver(environment).flag("--sign", "keyless").flag("--tags", "{sha},{env},latest");
        let delivery = if is_known {
            delivery
        } else {
            delivery.flag("--trivy-db-repository", &self.database("nothing", "pyyaml", "other"))
        };
        delivery.ends_with(0);
    }

    /// A look at several environments.
    fn watch_all(&self, environments: &str) -> Delivery {
        self.watch().without("--environment").without("--identity").flag("--environments", environments)
    }

    fn open(&self) -> Vec<Issue> {
        self.github.issues().into_iter().filter(|issue| issue.state == "open").collect()
    }
}

#[test]
fn environments_are_judged_in_one_run_each_by_its_own_gates_and_signers_and_what_is_one_image_has_one_issue() {
    let mut delivered = Delivered::of(Scene::holding(&[PACKAGE]), permitted());
    let usual = "octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";
    delivered.deliver_by(usual, "prod", false);
    delivered.deliver_by(OTHER, "staging", false);
    assert_eq!(delivered.scene.digest("prod"), delivered.scene.digest("staging"));
    let other = format!("https://github.com/{OTHER}");
    let both =
        format!("prod: {{ identity: '{SIGNER}', tags: '{{env}}' }}\nstaging: {{ identity: '{other}', tags: '{{env}}' }}\n");
    let then = delivered.database("nothing", "pyyaml", "other");
    delivered.watch_all(&both).flag("--trivy-db-repository", &then).ends_with(0);
    assert!(delivered.github.issues().is_empty());
    // It becomes known: of one image in two environments one issue says so, and the Security tab of both.
    let ended = delivered.watch_all(&both).ends_with(3);
    for environment in ["prod", "staging"] {
        let line = format!("{environment}: {}  1 CRITICAL became known", delivered.scene.image(environment));
        assert!(ended.stdout.contains(&line), "{line}: {ended}");
        let body = delivered.issue().body;
        assert!(body.contains(&format!(":{environment}</code> in {environment} is")), "{environment}: {body}");
    }
    let issue = delivered.issue();
    assert!(issue.title.contains(&delivered.scene.image("prod")), "{}", issue.title);
    assert_eq!(delivered.alerts(), [ADVISORY; 2]);
    delivered.watch_all(&both).ends_with(3);
    assert_eq!(delivered.issue(), issue);
    // The order in which they are named is nothing.
    let turned = both.lines().rev().collect::<Vec<_>>().join("\n");
    delivered.watch_all(&turned).ends_with(3);
    assert_eq!(delivered.issue(), issue);
    // By the same tag too: that is one analysis.
    delivered.watch_all(&both.replace("{env}", "latest")).flag("--issues", "off").ends_with(3);
    assert_eq!(delivered.alerts(), [ADVISORY; 3]);
    // Whose word counts in one environment clears nothing in the other.
    let swapped = both.replace(SIGNER, "x").replace(&other, SIGNER).replace("'x'", &format!("'{other}'"));
    let ended = delivered.watch_all(&swapped).flag("--trivy-db-repository", &then).ends_with(3);
    assert_eq!(ended.stdout.matches("not clean: gates").count(), 2, "{ended}");
    assert_eq!(delivered.issue(), issue);
    // One that can't be told keeps what is known of the other open.
    let half = both.replacen(SIGNER, "https://github.com/mallory/**", 1);
    delivered.watch_all(&half).flag("--trivy-db-repository", &then).ends_with(3);
    assert_eq!(delivered.issue(), issue);
    // What staging goes on to is another image, and has its own; prod's stays prod's.
    delivered.scene.source.write("new", "");
    delivered.scene.source.git(&["add", "."]);
    delivered.scene.source.git(&["commit", "-qm", "new"]);
    delivered.deliver_by(OTHER, "staging", false);
    assert_ne!(delivered.scene.digest("prod"), delivered.scene.digest("staging"));
    delivered.watch_all(&both).ends_with(3);
    let open = delivered.open();
    assert_eq!(open.len(), 2, "{open:?}");
    assert_eq!(open[0].number, issue.number);
    assert!(!open[0].body.contains("in staging") && open[1].body.contains("in staging"), "{open:?}");
    // Prod comes to it: the second is a duplicate of the first.
    delivered.deliver_by(usual, "prod", false);
    delivered.watch_all(&both).ends_with(3);
    let open = delivered.open();
    assert_eq!((open.len(), open[0].number), (1, issue.number), "{open:?}");
    assert_eq!(delivered.github.issues()[1].reason.as_deref(), Some("duplicate"));
    // Where gates only advise, what was known at the delivery does not count again.
    delivered.scene.source.write("newer", "");
    delivered.scene.source.git(&["add", "."]);
    delivered.scene.source.git(&["commit", "-qm", "newer"]);
    delivered.deliver_by(usual, "dev", true);
    let with_dev = format!("{both}dev: {{ identity: '{SIGNER}', tags: '{{env}}' }}\n");
    let ended = delivered.watch_all(&with_dev).ends_with(3);
    assert!(ended.stdout.contains(&format!("✓ dev: {}", delivered.scene.image("dev"))), "{ended}");
    assert!(!delivered.open()[0].body.contains("in dev"));
    // Nothing is left of it.
    delivered.watch_all(&both).flag("--trivy-db-repository", &then).ends_with(0);
    assert!(delivered.open().is_empty());
}

#[test]
fn what_a_clusters_files_name_is_looked_at_under_one_name_whatever_they_name() {
    let delivered = Delivered::to_prod(permitted());
    let reference =
        |tag: &str| format!("{}:{}@{}", delivered.scene.repository(), delivered.scene.sha, delivered.scene.digest(tag));
    let deployment =
        |image: &str| format!("kind: Deployment\nspec: {{ template: {{ spec: {{ containers: [{{ image: '{image}' }}] }} }} }}\n");
    let files = |work: &Path| {
        write(work, "apps/web.yaml", &deployment(&reference("prod")));
        commit(work);
    };
    let cluster = Cluster::with(files, Options::default());
    let watch = |path: &str| {
        let watch = delivered.watch().flag("--tags", "{sha}").flag("--gitops-repository", &cluster.github.slug());
        watch.flag("--gitops-path", path).variable("INPUT_GITOPS-TOKEN", &cluster.github.token())
    };
    let name = format!("{} ({}: apps/web.yaml)", delivered.scene.repository(), cluster.github.slug());
    let ended = watch("apps/*.yaml").ends_with(3);
    assert!(ended.stdout.contains(&format!("✗ prod: {name}  1 CRITICAL became known")), "{ended}");
    assert!(ended.stdout.contains(&delivered.scene.digest("prod")), "{ended}");
    let issue = delivered.issue();
    assert!(issue.title.starts_with(&name), "{}", issue.title);
    // The tag that moves names the same image: that is one, by the tag's name.
    watch("apps/*.yaml").flag("--tags", "{env}").ends_with(3);
    assert_eq!(delivered.open().len(), 1);
    assert!(delivered.open()[0].title.starts_with(&delivered.image()), "{:?}", delivered.open());
    // What can't be told is not looked at, and the issue stays, by whatever name.
    watch("apps/web.yaml").ends_with(3);
    let before = delivered.github.issues();
    let unread = [
        ("apps/none.yaml", deployment(&reference("prod")), "No file there is"),
        ("apps/web.yaml", deployment("other.example/x:1"), "The image is named in none of these"),
        ("apps/web.yaml", deployment(&delivered.scene.repository()), "the image is named by no one tag or digest"),
        (
            "apps/web.yaml",
            deployment(&format!("{}:a", delivered.scene.repository())) + "---\n" + &deployment(&reference("prod")),
            "not everywhere as the same one",
        ),
        ("apps/web.yaml", format!("kind: Deployment\nspec: &a {{ x: *a }} # {}", reference("prod")), "apps/web.yaml"),
    ];
    for (path, text, words) in unread {
        cluster.others("apps/web.yaml", &text, false);
        let ended = watch(path).ends_with(1);
        assert!(
            ended.stdout.contains("not looked at: What the repository that a cluster is brought to names"),
            "{words}: {ended}"
        );
        assert!(ended.stdout.contains(words), "{words}: {ended}");
        assert_eq!(delivered.github.issues(), before, "{words}");
    }
    watch("apps/web.yaml").variable("INPUT_GITOPS-TOKEN", "").ends_with(1);
    // At the end of a way, and in a kustomization, where a digest counts; once it is mended the issue is closed.
    cluster.others("apps/web.yaml", &format!("web: {{ digest: '{}' }}\n", delivered.scene.digest("prod")), false);
    watch("apps/web.yaml#web.digest").ends_with(3);
    let images = format!(
        "images: [{{ name: '{}', newTag: no-such, digest: '{}' }}]\n",
        delivered.scene.repository(),
        delivered.scene.digest("prod")
    );
    cluster.others("apps/kustomization.yaml", &images, false);
    watch("apps/kustomization.yaml").ends_with(3);
    cluster.others("apps/web.yaml", &deployment(&reference("prod")), false);
    let then = delivered.database("nothing", "pyyaml", "other");
    watch("apps/*.yaml").flag("--trivy-db-repository", &then).ends_with(0);
    assert!(delivered.open().iter().all(|issue| !issue.title.starts_with(&name)), "{:?}", delivered.open());
}

#[test]
fn an_environment_that_can_not_be_looked_at_ends_no_look_at_the_others_and_a_wrong_one_is_named() {
    let delivered = Delivered::to_prod(permitted());
    let nowhere =
        format!("prod: {{ identity: '{SIGNER}' }}\ndev: {{ destination: 127.0.0.1:1/team/app, identity: '{SIGNER}' }}\n");
    let ended = delivered.watch_all(&nowhere).ends_with(3);
    assert!(ended.stdout.contains("dev: 127.0.0.1:1/team/app:dev  not looked at"), "{ended}");
    assert_eq!(delivered.issue().state, "open");
    let refused = [
        ("production:", "unknown variant"),
        ("prod: { tag: x }", "prod: tag"),
        ("prod: { sandbox: 'off' }", "prod: sandbox"),
        ("prod: { tags: '{sha}' }", "a tag is expected that moves"),
        ("prod: { severity-threshold: worst }", "for prod CRITICAL, HIGH"),
    ];
    for (environments, words) in refused {
        let watch = delivered.watch_all(environments).flag("--identity", SIGNER);
        watch.ends_with(2).says(words);
    }
    delivered.watch_all("prod:\n").flag("--environment", "prod").ends_with(2).says("not both");
}

#[test]
fn an_issue_that_a_stranger_wrote_with_our_mark_in_it_is_not_ours() {
    let delivered = Delivered::to_prod(permitted());
    let mark = format!("<!-- gp-deliver watch: {} -->\n\nNothing to see here.", delivered.image());
    let by = |author: &str, labels: &[&str]| Issue {
        number: 0,
        title: "Nothing to see here".into(),
        body: mark.clone(),
        author: author.into(),
        labels: labels.iter().map(|&label| label.into()).collect(),
        state: "open".into(),
        reason: None,
    };
    // With and without the label, which a maintainer may have set by mistake; by another app; by ours without the label.
    let strangers = [
        by("mallory", &[]),
        by("mallory", &["gp-deliver"]),
        by("other-app[bot]", &["gp-deliver"]),
        by("github-actions[bot]", &["triage"]),
        // Ours, of another workflow of the repository's, which names the image somewhere in its text.
        Issue { body: format!("See:\n{mark}"), ..by("github-actions[bot]", &["gp-deliver"]) },
        Issue { body: mark.replace(":prod", ":prod2"), ..by("github-actions[bot]", &["gp-deliver"]) },
    ];
    for stranger in strangers {
        delivered.github.write_issue(stranger);
    }
    let before = delivered.github.issues();
    delivered.watch().ends_with(3);
    let after = delivered.github.issues();
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!((after.len(), after[before.len()].author.as_str()), (before.len() + 1, "github-actions[bot]"));
    delivered.watch_then().ends_with(0);
    let closed = delivered.github.issues();
    assert_eq!((&closed[..before.len()], closed[before.len()].state.as_str()), (&before[..], "closed"));
}

#[test]
fn two_looks_at_once_and_lost_answers_leave_one_open_issue() {
    let delivered = Delivered::to_prod(permitted());
    // The first is held once its issue is made; the second has looked before that, and makes another.
    let first_made = delivered.github.hold(Call::CreateIssue, 1, Moment::Before);
    let second_made = delivered.github.hold(Call::CreateIssue, 2, Moment::Before);
    let first = delivered.watch().flag("--report-dir", &delivered.scene.source.beside("one").display().to_string()).spawn();
    first_made.arrived();
    let second = delivered.watch().flag("--report-dir", &delivered.scene.source.beside("two").display().to_string()).spawn();
    second_made.arrived();
    first_made.release();
    second_made.release();
    for run in [first, second] {
        let ended = Ended::from(run.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(3), "{ended}");
    }
    let open = |delivered: &Delivered| delivered.github.issues().into_iter().filter(|issue| issue.state == "open").count();
    let issues = delivered.github.issues();
    assert_eq!((issues.len(), open(&delivered)), (2, 1), "{issues:?}");
    assert_eq!((issues[0].state.as_str(), issues[1].reason.as_deref()), ("open", Some("duplicate")), "{issues:?}");
    delivered.watch().ends_with(3);
    assert_eq!((delivered.github.issues().len(), open(&delivered)), (2, 1));
    // An answer that is lost may have made one.
    let other = Delivered::to_prod(permitted());
    other.github.fail(Call::CreateIssue, Times::First(1), Fault::Silence);
    other.watch().ends_with(3);
    assert_eq!((other.github.issues().len(), open(&other)), (1, 1));
    other.github.fail(Call::ListIssues, Times::First(1), Fault::Status(502));
    other.watch().ends_with(3);
    assert_eq!(other.github.issues().len(), 1);
}

#[test]
fn a_token_that_may_not_is_a_warning_that_names_the_permission_and_the_exit_is_by_what_was_found() {
    let refused = [
        (Options::default().permissions(&["security-events: write"]), "issues: write"),
        (permitted().without_issues(), "Switch issues on"),
        (permitted().author("octocat"), "It was made by \"octocat\""),
    ];
    for (options, words) in refused {
        let delivered = Delivered::to_prod(options);
        delivered.watch().ends_with(3).says("What was found is in no issue").says(words);
        assert!(delivered.summary().contains("What was found is in no issue"), "{}", delivered.summary());
        assert_eq!(delivered.alerts(), [ADVISORY], "{words}");
        assert!(delivered.github.issues().iter().all(|issue| issue.state == "closed"), "{words}");
        delivered.watch_then().ends_with(0);
        delivered.watch_then().flag("--issues", "off").ends_with(0).does_not_say("issue");
        assert_eq!(delivered.watch().flag("--issues", "required").output().code, Some(3), "what was found comes first");
    }
    let delivered = Delivered::to_prod(Options::default().permissions(&["issues: write"]));
    delivered.watch().ends_with(3).says("The findings are not in the Security tab").says("security-events: write");
    assert_eq!(delivered.issue().state, "open");
    delivered.watch_then().flag("--code-scanning", "required").ends_with(1);
    // Who may write nothing looks all the same; a change's run shows nothing.
    delivered.watch().variable("INPUT_GITHUB-TOKEN", "").ends_with(3).says("the workflow gives no `github-token`");
    let of_change = delivered.watch().variable("GITHUB_EVENT_NAME", "pull_request").variable("GITHUB_REF", "refs/pull/7/merge");
    let before = delivered.github.journal().len();
    of_change.ends_with(3).says("Nothing is shown in the Security tab or in an issue");
    assert_eq!(delivered.github.journal().len(), before);
}

#[test]
fn what_can_not_be_told_is_never_clean_and_leaves_issue_and_alerts_as_they_are() {
    let delivered = Delivered::to_prod(permitted());
    delivered.watch().ends_with(3);
    let issue = delivered.issue();
    let old = delivered.database_of("old", &[("pyyaml", "other")], &["--updated-at", "2026-01-01T00:00:00Z"]);
    let nowhere = format!("oci:{}", delivered.scene.source.beside("nowhere").display());
    let unverified = [
        (delivered.watch_then().flag("--identity", "https://github.com/mallory/**"), "signature"),
        (delivered.watch_then().flag("--repository", "mallory/app"), "signature"),
        (delivered.watch_then().flag("--environment", "staging").flag("--tags", "prod"), "gates"),
        (delivered.watch().flag("--trivy-db-repository", &old), "2026-01-01"),
        (delivered.watch().flag("--trivy-db-repository", &nowhere), "it can't be told"),
    ];
    for (watch, words) in unverified {
        let ended = watch.ends_with(3);
        assert!(ended.stdout.contains("not clean") && ended.stdout.contains(words), "{words}: {ended}");
        assert_eq!((delivered.issue(), delivered.alerts()), (issue.clone(), vec![ADVISORY.to_owned()]), "{words}");
    }
    // A tag that is not there, beside one that is: both are told.
    let missing = delivered.watch_then().flag("--tags", "{env},absent").ends_with(1);
    assert!(missing.stdout.contains("✗") && missing.stdout.contains(":absent  not looked at"), "{missing}");
    assert_eq!(delivered.issue().state, "closed", "prod's was looked at");
    delivered.watch().flag("--tags", "{env},absent").ends_with(3);
    // Nothing to look at is not nothing found, and nobody's word is not anybody's.
    delivered.watch().without("--tags").ends_with(2).says("a tag is expected that moves from image to image");
    delivered.watch().without("--identity").without("--repository").without("--issuer").ends_with(2).says("identity");
    delivered.watch().flag("--image", "no image").ends_with(2).says("an image in a registry is expected");
    // An unsigned image has no SBOM that holds.
    let unsigned = Delivered::of(Scene::holding(&[]), permitted());
    unsigned.scene.deliver("dev").flag("--tags", "{sha},prod").ends_with(0);
    let ended = unsigned.watch().ends_with(3);
    assert!(ended.stdout.contains("not clean") && unsigned.github.issues().is_empty(), "{ended}");
    assert_eq!(unsigned.github.count(Call::UploadSarif), 0);
}

#[test]
fn what_was_delivered_with_advice_is_known_and_what_is_let_through_does_not_count() {
    // At dev it was known, and delivered with it.
    let delivered = Delivered::of(Scene::holding(&[PACKAGE]), permitted());
    delivered.scene.deliver("dev").flag("--sign", "keyless").flag("--tags", "{sha},{env}").ends_with(0);
    let dev = || delivered.watch().flag("--environment", "dev");
    let ended = dev().ends_with(0);
    assert!(ended.stdout.contains("nothing that counts became known"), "{ended}");
    assert!(delivered.github.issues().is_empty());
    // Another image by name, beside it; once, however often it is named.
    let image = delivered.scene.image(&delivered.scene.sha);
    let ended = dev().flag("--image", &format!("{image},{image}")).ends_with(0);
    assert_eq!(ended.stdout.matches(&image).count(), 1, "{ended}");
    // At prod it became known, and a list lets it through by name.
    let delivered = Delivered::to_prod(permitted());
    let list = delivered.scene.source.beside("list.yaml");
    std::fs::write(&list, format!("vulnerabilities:\n  - id: {ADVISORY}\n    statement: no stranger's YAML is read\n")).unwrap();
    let ended = delivered.watch().flag("--ignore-file", list.to_str().unwrap()).ends_with(0);
    assert!(ended.stdout.contains("no stranger's YAML is read"), "{ended}");
    assert!(delivered.github.issues().is_empty() && delivered.alerts().is_empty());
    let mut command = delivered.watch().command();
    let ended = Ended::from(command.arg("--json").output().unwrap());
    assert_eq!(ended.code, Some(3), "{ended}");
    let finding = json(&ended)["images"][0]["findings"][0].clone();
    assert_eq!(
        (&finding["id"], &finding["new"], &finding["counts"]),
        (&json!(ADVISORY), &json!(true), &json!(true)),
        "{finding}"
    );
}

#[test]
fn a_repository_of_amazons_is_looked_at_by_the_runs_own_identity_and_a_key_of_its() {
    let (world, source) = (World::options().start(), keyless::source());
    let statement = json!({ "Effect": "Allow", "Action": ["ecr:*", "kms:*"], "Resource": "*" });
    world.set_role_policy(&json!({ "Version": "2012-10-17", "Statement": [statement] }));
    let key = world.create_key(None);
    let of = |subcommand: &str| {
        let run = keyless::run(&world, &source, subcommand).flag("--environment", "test").flag("--code-scanning", "off");
        run.flag("--sign", "kms").flag("--kms-key", &key)
    };
    of("deliver").ends_with(0);
    let ended = of("watch").ends_with(0);
    let image = format!("{}/{}:latest", world.host(), world.repository());
    assert!(ended.stdout.contains(&format!("✓ test: {image}")) && ended.stdout.contains(&world.tags()["latest"]), "{ended}");
    // Another's key has not signed it.
    let ended = of("watch").flag("--kms-key", &world.create_key(None)).ends_with(3);
    assert!(ended.stdout.contains("not clean: signature"), "{ended}");
    // A role that may not look has not looked.
    world.allow(&["ecr:GetAuthorizationToken", "kms:GetPublicKey"]);
    let ended = of("watch").ends_with(1);
    assert!(ended.stdout.contains(&format!("✗ test: {image}  not looked at")), "{ended}");
    world.allow(&["kms:GetPublicKey"]);
    of("watch").ends_with(1).says("ecr:GetAuthorizationToken");
}

#[test]
fn words_of_an_advisory_give_no_orders_and_make_no_second_mark() {
    let delivered = Delivered::to_prod(permitted());
    let title = "<!-- gp-deliver watch: x --> @octocat ![x](https://evil.example/x) | `x` <script>alert(1)</script>";
    let hostile = delivered.database_of("hostile", &[("Title: ", &format!("Title: {title:?} #"))], &[]);
    let ended = delivered.watch().flag("--trivy-db-repository", &hostile).ends_with(3);
    let (issue, summary) = (delivered.issue(), delivered.summary());
    for text in [&issue.body, &summary] {
        for words in ["@octocat", "<script", "](https://evil", "--> @"] {
            assert!(!text.contains(words), "{words}: {text}");
        }
    }
    assert_eq!(issue.body.matches("<!-- gp-deliver").count(), 1, "{}", issue.body);
    assert!(!ended.stdout.lines().any(|line| line.starts_with("::") && !line.starts_with("::add-mask::")), "{ended}");
    delivered.watch().flag("--trivy-db-repository", &hostile).ends_with(3);
    delivered.issue();
}
