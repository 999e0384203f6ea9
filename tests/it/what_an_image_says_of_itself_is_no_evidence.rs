//! Whoever may push an image can have it say anything. A blocking environment builds what it delivers and compares, unless it is
//! told to take images at their word; then it looks through what is in them.

use std::collections::BTreeSet;
use std::process::Command;

use doubles::registry::{Options, Registry, crane};
use serde_json::Value;

use crate::support::{Delivery, Ended, Source, run, secret};

/// A package with a critical advisory in `fixtures/advisories`.
const METADATA: &str = "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n";

/// A commit, a registry, and whoever else may push there.
struct Scene {
    source: Source,
    registry: Registry,
    /// The commit, as tags have it.
    sha: String,
}

impl Scene {
    fn set(files: &[(&str, &str)]) -> Self {
        let mut all = vec![("Dockerfile", "FROM scratch\nCOPY . /app/\n"), (".dockerignore", ".git\n")];
        all.extend(files);
        let source = Source::in_git(&all);
        let sha = source.git(&["rev-parse", "HEAD"])[..7].to_owned();
        Self { source, registry: Registry::start(Options::default()), sha }
    }

    fn repository(&self) -> String {
        format!("{}/team/app", self.registry.address)
    }

    fn deliver(&self, environment: &str) -> Delivery {
        self.source.deliver().flag("--destination", &self.repository()).flag("--environment", environment)
    }

    fn digest(&self, tag: &str) -> String {
        crane(&["digest", "--insecure", &format!("{}:{tag}", self.repository())])
    }

    fn tags(&self) -> BTreeSet<String> {
        crane(&["ls", "--insecure", &self.repository()]).lines().map(str::to_owned).collect()
    }

    /// Pushes an image of these files under the tags of an environment; it says all that this environment's own image would
    /// say. Its digest.
    fn plant(&self, environment: &str, files: &[(&str, &str)]) -> String {
        let twin = format!("{}/team/twin", self.registry.address);
        self.source.deliver().flag("--destination", &twin).flag("--environment", "dev").ends_with(0);
        let manifest: Value = serde_json::from_str(&crane(&["manifest", "--insecure", &format!("{twin}:{}", self.sha)])).unwrap();
        let root = self.source.beside("planted");
        for (name, text) in files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let layer = self.source.beside("planted.tar");
        run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&layer).arg("."));
        let image = format!("{}:{}", self.repository(), self.sha);
        crane(&["append", "--insecure", "--oci-empty-base", "--new_layer", layer.to_str().unwrap(), "--new_tag", &image]);
        let mut mutate = vec!["mutate".to_owned(), "--insecure".to_owned(), "--tag".to_owned(), image.clone()];
        mutate.extend(["--set-platform".to_owned(), "linux/amd64".to_owned()]);
        for (key, value) in manifest["annotations"].as_object().unwrap() {
            let value = if key == "gp-deliver.environment" { environment } else { value.as_str().unwrap() };
            let property = format!("{key}={value}");
            mutate.extend(["--annotation".to_owned(), property.clone()]);
            if key != "gp-deliver.environment" {
                mutate.extend(["--label".to_owned(), property]);
            }
        }
        mutate.push(image.clone());
        crane(&mutate.iter().map(String::as_str).collect::<Vec<_>>());
        crane(&["tag", "--insecure", &image, &format!("{environment}-{}", self.sha)]);
        self.digest(&self.sha)
    }

    fn leaks(&self) -> Vec<Value> {
        let record = self.source.record();
        record["findings"].as_array().unwrap().iter().filter(|finding| finding["kind"] == "leak").cloned().collect()
    }

    fn stage(&self, name: &str) -> Value {
        let record = self.source.record();
        record["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == name).unwrap().clone()
    }

    /// Asserts that a run says that `planted` is not what was built.
    fn differs(&self, ended: &Ended, planted: &str) {
        let built = self.source.record()["image"]["digest"].as_str().unwrap().to_owned();
        assert_ne!(built, planted);
        ended.says(&format!("{} names {planted}", self.sha)).says(&built).says("set `reuse` to claimed").says("remove the tag");
        assert_eq!(self.source.record()["publication"], Value::Null);
    }
}

#[test]
fn an_image_that_says_prod_has_delivered_the_commit_opens_no_gate() {
    let leak = format!("TOKEN={}\n", secret());
    let scene = Scene::set(&[("leak.env", &leak)]);
    scene.plant("prod", &[("app/run", "planted\n")]);
    scene.deliver("prod").ends_with(3);
    assert_eq!(scene.source.record()["publication"], Value::Null);
}

#[test]
fn an_image_that_says_prod_has_delivered_the_commit_is_not_taken_for_what_is_built() {
    let scene = Scene::set(&[]);
    let planted = scene.plant("prod", &[("app/run", "planted\n")]);
    let ended = scene.deliver("prod").ends_with(1);
    scene.differs(&ended, &planted);
    let output = std::fs::read_to_string(scene.source.beside("report/outputs")).unwrap();
    assert!(!output.contains(&planted), "{output}");
}

#[test]
fn a_strangers_image_is_not_promoted() {
    for environment in ["dev", "local", "test", "staging"] {
        let scene = Scene::set(&[]);
        let planted = scene.plant(environment, &[("app/run", "in no commit\n")]);
        let ended = scene.deliver("prod").ends_with(1);
        scene.differs(&ended, &planted);
        assert!(!scene.tags().contains(&format!("prod-{}", scene.sha)), "{:?}", scene.tags());
    }
}

#[test]
fn what_is_built_to_the_same_bytes_is_what_the_tag_names_whoever_was_first() {
    for platforms in ["", "linux/amd64,linux/arm64"] {
        let scene = Scene::set(&[]);
        let deliver = |environment: &str| scene.deliver(environment).flag("--platforms", platforms);
        deliver("dev").ends_with(0);
        let digest = scene.digest(&scene.sha);
        for _ in ["first", "again"] {
            deliver("prod").ends_with(0);
            assert_eq!(scene.stage("build")["outcome"]["is"], "passed");
            assert_eq!(scene.stage("decision")["outcome"]["is"], "passed");
            let record = scene.source.record();
            assert_eq!((&record["reuse"], &record["image"]["digest"]), (&Value::Null, &digest.as_str().into()));
            assert_eq!(scene.digest(&format!("prod-{}", scene.sha)), digest);
        }
    }
}

#[test]
fn what_is_built_to_other_bytes_has_tags_of_its_own_or_none() {
    let scene = Scene::set(&[]);
    scene.deliver("dev").ends_with(0);
    let (digest, before) = (scene.digest(&scene.sha), scene.tags());
    let prod = scene.deliver("prod").flag("--labels", "built=again");
    scene.differs(&prod.ends_with(1), &digest);
    assert_eq!(scene.tags(), before);
    prod.flag("--tags", "{env}-{sha}").ends_with(0);
    assert_ne!(scene.digest(&format!("prod-{}", scene.sha)), digest);
    assert_eq!((scene.digest(&scene.sha), scene.digest(&format!("dev-{}", scene.sha))), (digest.clone(), digest));
}

#[test]
fn an_image_that_is_taken_at_its_word_is_judged_though_it_says_it_was() {
    for (name, text) in [("leak.env", format!("TOKEN={}\n", secret())), ("PyYAML-5.3.dist-info/METADATA", METADATA.to_owned())] {
        for environment in ["dev", "prod"] {
            let scene = Scene::set(&[]);
            scene.plant(environment, &[(&format!("app/{name}"), &text)]);
            scene.deliver("prod").flag("--reuse", "claimed").ends_with(3);
            assert_eq!(scene.source.record()["publication"], Value::Null, "{name} of {environment}");
        }
    }
    // That it is taken is what was asked for.
    let scene = Scene::set(&[]);
    let planted = scene.plant("dev", &[("app/run", "in no commit\n")]);
    scene.deliver("prod").flag("--reuse", "claimed").ends_with(0).says("the image that dev has");
    assert_eq!(scene.digest(&format!("prod-{}", scene.sha)), planted);
}

#[test]
fn a_leak_in_a_layer_is_named_by_the_layer_and_the_file_and_excused_by_nothing_in_the_image() {
    let leak = format!("TOKEN={}\n", secret());
    let excused = format!("TOKEN={} # gitleaks:allow\n", secret());
    let rules = "[allowlist]\nregexes = ['''.*''']\n";
    for (name, text) in
        [("app/leak.env", &leak), ("app/.git/config", &leak), ("excused.env", &excused), (".gitleaks.toml.env", &leak)]
    {
        let scene = Scene::set(&[]);
        let ignored = format!("{name}:github-pat:1\n0/{name}:github-pat:1\n");
        scene.plant("dev", &[(name, text), (".gitleaks.toml", rules), (".gitleaksignore", &ignored)]);
        scene.deliver("prod").flag("--reuse", "claimed").ends_with(3);
        let leaks = scene.leaks();
        let [found] = &leaks[..] else { panic!("{name}: {leaks:?}") };
        let manifest = crane(&["manifest", "--insecure", &format!("{}:{}", scene.repository(), scene.sha)]);
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!((&found["file"], &found["layer"]), (&name.into(), &manifest["layers"][0]["digest"]));
        assert_eq!(scene.stage("promotion")["outcome"]["is"], "blocked");
        let summary = scene.source.summary();
        assert!(summary.contains(found["layer"].as_str().unwrap()), "{summary}");
        // Where nothing blocks it is advice.
        scene.deliver("dev").flag("--tags", "{sha},{env}-{sha},of-{sha}").ends_with(0);
    }
}

#[test]
fn what_the_project_lets_through_in_its_own_files_is_let_through_in_the_layers_that_have_them() {
    let example = format!("EXAMPLE={} # gitleaks:allow\n", secret());
    let scene = Scene::set(&[("example.env", &example)]);
    scene.deliver("dev").ends_with(0);
    scene.deliver("prod").flag("--reuse", "claimed").ends_with(0).says("the image that dev has");
    assert_eq!(scene.source.record()["suppressions"][0]["by"], "gitleaks:allow");
}

#[test]
fn two_images_of_one_commit_do_not_pass_for_each_other() {
    let dockerfile = "ARG A=0\nFROM scratch AS one\nCOPY x /\nFROM one AS two\nLABEL a=$A\n";
    let files = ["api/Dockerfile", "web/Dockerfile", "api/other.Dockerfile"].map(|name| (name, dockerfile));
    let scene = Scene::set(&[&files[..], &[("api/x", "api\n"), ("web/x", "web\n")]].concat());
    let folder = |name: &str| scene.source.context().join(name).to_str().unwrap().to_owned();
    for environment in ["dev", "prod"] {
        let repository = format!("{}-{environment}", scene.repository());
        let api = scene.deliver(environment).flag("--destination", &repository).flag("--build-context", &folder("api"));
        api.ends_with(0);
        let digest = crane(&["digest", "--insecure", &format!("{repository}:{}", scene.sha)]);
        let before = crane(&["ls", "--insecure", &repository]);
        for (flag, value, said) in [
            ("--build-context", folder("web"), "its build context is \"api\"; here it is \"web\""),
            ("--dockerfile-path", folder("api/other.Dockerfile"), "here it is \"api/other.Dockerfile\""),
            ("--build-target", "one".to_owned(), "its stage is \"the last\"; here it is \"one\""),
            ("--build-args", "A=1".to_owned(), "its build arguments have other values"),
            ("--platforms", "linux/amd64".to_owned(), "here it is \"linux/amd64\""),
        ] {
            let ended = api.clone().flag(flag, &value).ends_with(1);
            ended.says("another image of this commit").says(&digest).says(said);
            assert_eq!(crane(&["ls", "--insecure", &repository]), before, "{flag}");
        }
        api.clone().flag("--build-context", &folder("web")).flag("--tags", "web-{sha}").ends_with(0);
        api.ends_with(0);
        assert_eq!(crane(&["digest", "--insecure", &format!("{repository}:{}", scene.sha)]), digest);
    }
}

#[test]
fn a_workflow_that_asks_for_a_rebuild_is_told_what_took_its_place() {
    let scene = Scene::set(&[]);
    let commit = scene.source.git(&["rev-parse", "HEAD"]);
    let job = |value: &str| {
        let delivery = scene.deliver("dev").variable("GITHUB_ACTIONS", "true").variable("GITHUB_EVENT_NAME", "push");
        let delivery = delivery.variable("GITHUB_SHA", &commit);
        delivery.variable("GITHUB_REF", "refs/heads/development").variable("INPUT_REBUILD", value)
    };
    job("true").ends_with(2).says("rebuild: \"true\": reuse: never has taken its place");
    job("false").ends_with(0);
    scene.deliver("dev").flag("--rebuild", "true").ends_with(2).says("--rebuild");
}
