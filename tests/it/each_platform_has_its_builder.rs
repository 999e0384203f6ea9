//! `buildkit-host` names a builder a platform, or several: each builds what it is named for, the first that answers takes it, one that
//! dies is replaced once and named, and none answers for what it was not asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command};

use doubles::registry::{Options, Registry};
use serde_json::Value;

use crate::support::buildkitd::Buildkitd;
use crate::support::door::Door;
use crate::support::{Delivery, Ended, Source, job, processes, run};

/// A stage whose image says by which daemon it was built: the folder of one is where its files are mounted from.
const WHERE: &str = "FROM --platform=$BUILDPLATFORM debian:bookworm-slim AS where\nRUN cat /proc/self/mountinfo >/where\n";
const BOTH: &str = "linux/amd64,linux/arm64";

pub fn source(dockerfile: &str) -> Source {
    Source::in_git(&[("Dockerfile", dockerfile), ("amd64", "one\n"), ("arm64", "two\n")])
}

fn lines(lines: &[(&str, &str)]) -> String {
    lines.iter().map(|(platform, address)| format!("{platform}={address}")).collect::<Vec<_>>().join("\n")
}

pub fn deliver(source: &Source, platforms: &str, lines: &str) -> Delivery {
    source.deliver().flag("--platforms", platforms).flag("--buildkit-host", lines).flag("--sbom-formats", "spdx-json")
}

/// In which order the builders of each platform are asked, as `plan` says it.
fn plan(source: &Source, platforms: &str, lines: &str) -> BTreeMap<String, Vec<String>> {
    planned(&source.run("plan").flag("--platforms", platforms).flag("--buildkit-host", lines))
}

fn planned(plan: &Delivery) -> BTreeMap<String, Vec<String>> {
    let plan: Value = serde_json::from_str(&plan.ends_with(0).stdout).unwrap();
    let builders = plan["builders"].as_array().unwrap().iter().map(|builders| {
        let addresses = builders["addresses"].as_array().unwrap().iter().map(|address| address.as_str().unwrap().to_owned());
        (builders["platform"].as_str().unwrap().to_owned(), addresses.collect())
    });
    builders.collect()
}

/// Who built each platform, as the record says it.
fn built_by(source: &Source) -> BTreeMap<String, String> {
    let record = source.record();
    let platforms = record["image"]["platforms"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    platforms.map(|platform| (text(&platform["platform"]), text(&platform["builder"]))).collect()
}

/// A file of the image of each platform, by tar.
fn file(source: &Source, name: &str) -> BTreeMap<String, String> {
    let image = source.image();
    let index = image.document(image.index()["manifests"][0]["digest"].as_str().unwrap());
    let manifests = index["manifests"].as_array().unwrap().iter().map(|manifest| {
        let platform = format!("linux/{}", manifest["platform"]["architecture"].as_str().unwrap());
        let manifest = image.document(manifest["digest"].as_str().unwrap());
        let layers = manifest["layers"].as_array().unwrap().iter().map(|layer| image.blob(layer["digest"].as_str().unwrap()));
        let has = |layer: &std::path::PathBuf| run(Command::new("tar").arg("-tzf").arg(layer)).lines().any(|line| line == name);
        let layer = layers.rev().find(has).unwrap();
        (platform, run(Command::new("tar").arg("-xOzf").arg(layer).arg(name)))
    });
    manifests.collect()
}

/// The folder of a daemon, by its address.
fn folder(address: &str) -> &str {
    address.strip_prefix("unix://").unwrap().strip_suffix("/socket").unwrap()
}

/// A delivery whose build has a step that says that it has begun.
pub fn begun(delivery: &Delivery) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let mut running = delivery.spawn();
    let mut log = BufReader::new(running.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains(" begun\n") {
        assert!(log.read_line(&mut said).unwrap() > 0, "{said}");
    }
    (running, log, said)
}

/// Its end, with all that it said.
pub fn ended((mut running, mut log, mut said): (Child, BufReader<std::process::ChildStderr>, String)) -> Ended {
    log.read_to_string(&mut said).unwrap();
    Ended { code: running.wait().unwrap().code(), stdout: String::new(), stderr: said }
}

#[test]
fn each_platform_is_built_by_its_builder_with_all_that_the_build_has_and_one_index_comes_of_it() {
    let (one, two) = (Buildkitd::start(), Buildkitd::start());
    let dockerfile = format!(
        "{WHERE}RUN --mount=type=secret,id=word sha256sum </run/secrets/word >/word\nFROM scratch as last\nARG TARGETARCH\n\
         COPY $TARGETARCH /own\nCOPY --from=where /where /word /\nCOPY --from=other file /other\n"
    );
    let source = source(&dockerfile);
    source.write("other/file", "named\n");
    source.commit("other");
    fs::write(source.beside("word"), "a word that nobody knows\n").unwrap();
    let (amd64, arm64) = (one.address(), two.address());
    let delivery = deliver(&source, BOTH, &lines(&[("linux/amd64", &amd64), ("linux/arm64/v8", &arm64)]))
        .flag("--build-contexts", &format!("other={}", source.context().join("other").display()))
        .flag("--build-secrets", &format!("id=word,src={}", source.beside("word").display()));
    let ended = delivery.ends_with(0);
    ended.says(&format!("builder of linux/amd64: buildkitd at {amd64}"));
    ended.says(&format!("builder of linux/arm64: buildkitd at {arm64}"));
    ended.says(&format!("linux/arm64 at {arm64} "));

    let expected = [("linux/amd64", amd64.clone()), ("linux/arm64", arm64.clone())].map(|(name, at)| (name.to_owned(), at));
    assert_eq!(built_by(&source), BTreeMap::from(expected));
    let own = file(&source, "own");
    assert_eq!((&*own["linux/amd64"], &*own["linux/arm64"]), ("one\n", "two\n"));
    let places = file(&source, "where");
    assert!(places["linux/amd64"].contains(folder(&amd64)) && !places["linux/amd64"].contains(folder(&arm64)));
    assert!(places["linux/arm64"].contains(folder(&arm64)) && !places["linux/arm64"].contains(folder(&amd64)));
    assert!(file(&source, "other").values().all(|text| text == "named\n"));
    let words: BTreeSet<_> = file(&source, "word").into_values().collect();
    assert_eq!(words.len(), 1, "both were given the secret");

    let record = source.record();
    let checks = record["build_checks"].as_array().unwrap();
    assert_eq!(checks.iter().filter(|check| check["rule"] == "FromAsCasing").count(), 1, "once: {checks:?}");
    let summary = source.summary();
    let line = summary.lines().find(|line| line.contains("**Built by**")).unwrap();
    let at = |text: &str| line.find(text).unwrap_or_else(|| panic!("{line}"));
    let order = [at(folder(&amd64)), at("linux/amd64"), at(folder(&arm64)), at("linux/arm64")];
    assert!(order.is_sorted(), "{line}");
}

#[test]
fn a_builder_that_is_down_is_passed_over_and_named_and_where_none_is_left_each_is_named_with_why() {
    let up = Buildkitd::start();
    let source = source("FROM scratch\nCOPY . /\n");
    let (down, list) = (1..1000)
        .map(|port| (format!("tcp://127.0.0.1:{port}"), format!("tcp://127.0.0.1:{port}\n{}", up.address())))
        .find(|(down, list)| &plan(&source, "linux/amd64", list)["linux/amd64"][0] == down)
        .unwrap();
    let ended = deliver(&source, "linux/amd64", &list).ends_with(0);
    ended
        .says(&format!("buildkitd at {down} is passed over: "))
        .says(&format!("builder of linux/amd64: buildkitd at {}", up.address()));
    assert_eq!(ended.stderr.matches("is passed over").count(), 1, "{ended}");
    assert_eq!(built_by(&source)["linux/amd64"], up.address());

    let none = format!("linux/arm64={down}\nlinux/arm64=tcp://127.0.0.1:9\n{}", up.address());
    let ended = deliver(&source, BOTH, &none).ends_with(1);
    ended.says("No builder of linux/arm64 answers").says(&format!("{down}: ")).says("tcp://127.0.0.1:9: ").says("refused");
    ended.says("correct the lines of `buildkit-host`");
}

/// A step that waits for good where it is told to, and goes on with the next builder, whom nobody tells.
fn waiting(word: &str) -> String {
    format!(
        "{WHERE}RUN --mount=type=secret,id=wait if [ \"$(cat /run/secrets/wait)\" = {word} ]; then echo begun; sleep 100000; fi\n\
         FROM scratch\nCOPY --from=where /where /\n"
    )
}

#[test]
fn a_builder_that_dies_while_it_builds_is_named_and_the_next_of_its_list_builds_from_the_beginning() {
    let (one, two) = (Buildkitd::start(), Buildkitd::start());
    let source = source(&waiting("5c0ffee5"));
    let list = format!("{}\n{}", one.address(), two.address());
    let order = plan(&source, BOTH, &list);
    assert_eq!(order["linux/amd64"], order["linux/arm64"], "one builder has both, and what both have in common once");
    let [first, next] = <[String; 2]>::try_from(order["linux/amd64"].clone()).unwrap();
    let wait = source.beside("wait");
    fs::write(&wait, "5c0ffee5").unwrap();
    let delivery = deliver(&source, BOTH, &list).flag("--build-secrets", &format!("id=wait,src={}", wait.display()));
    let running = begun(&delivery);
    fs::write(&wait, "no more now").unwrap();
    if one.address() == first {
        one.kill();
    } else {
        two.kill();
    }
    let ended = ended(running);
    assert_eq!(ended.code, Some(0), "{ended}");
    for platform in ["linux/amd64", "linux/arm64"] {
        ended.says(&format!("buildkitd at {first} died while it built {platform} ("));
    }
    ended.says(&format!("It is built once more, from the beginning, by buildkitd at {next}."));
    assert!(built_by(&source).values().all(|builder| *builder == next), "{:?}", built_by(&source));
    assert!(file(&source, "where").values().all(|text| text.contains(folder(&next))));
    assert!(source.summary().contains("died while it built"), "{}", source.summary());
}

#[test]
fn where_no_other_builder_is_left_the_delivery_ends_and_names_those_that_died() {
    let (one, two) = (Buildkitd::start(), Buildkitd::start());
    let source = source(&waiting("0ff1ce00"));
    let wait = source.beside("wait");
    fs::write(&wait, "0ff1ce00").unwrap();
    let secrets = format!("id=wait,src={}", wait.display());
    let alone = lines(&[("linux/amd64", &one.address()), ("linux/arm64", &two.address())]);
    let running = begun(&deliver(&source, BOTH, &alone).flag("--build-secrets", &secrets));
    one.kill();
    let first = ended(running);
    assert_eq!(first.code, Some(1), "{first}");
    first.says("The builder of linux/amd64 died, and `buildkit-host` names no other one").says(&format!("{}: ", one.address()));
    assert!(!source.beside("image").exists(), "nothing is out");

    let list = format!("{}\ntcp://127.0.0.1:1", two.address());
    let running = begun(&deliver(&source, "linux/amd64", &list).flag("--build-secrets", &secrets));
    two.kill();
    let second = ended(running);
    assert_eq!(second.code, Some(1), "{second}");
    second.says("The builder of linux/amd64 died, and no other one answers").says("tcp://127.0.0.1:1: ");
    second.says(&format!("{}: ", two.address()));
}

/// How often the step was run that says that it has begun.
fn runs(ended: &Ended) -> usize {
    ended.stderr.lines().filter(|line| line.contains('#') && line.ends_with(" begun")).count()
}

#[test]
fn a_step_that_fails_and_a_delivery_that_is_called_off_go_to_no_other_builder() {
    let (one, two) = (Buildkitd::start(), Buildkitd::start());
    let list = format!("{}\n{}", one.address(), two.address());
    let failing = source("FROM debian:bookworm-slim\nRUN echo begun; exit 7\n");
    let failed = deliver(&failing, "linux/amd64", &list).ends_with(1);
    failed.says("A build step failed: Dockerfile:2").does_not_say("died while");
    assert_eq!(runs(&failed), 1, "{failed}");

    let slow = source("FROM debian:bookworm-slim\nRUN echo begun; sleep 100000\n");
    let running = begun(&deliver(&slow, "linux/amd64", &list));
    processes::signal(running.0.id(), "TERM");
    let called_off = ended(running);
    assert_eq!(called_off.code, Some(143), "{called_off}");
    called_off.does_not_say("died while");
    assert_eq!(runs(&called_off), 1, "{called_off}");
}

#[test]
fn the_same_repository_and_dockerfile_choose_the_same_builder_and_one_that_is_added_moves_only_some() {
    let source = source("FROM scratch\nCOPY . /\n");
    let pods =
        |number: usize| (0..number).map(|pod| format!("tcp://buildkit-{pod}.buildkit:1234")).collect::<Vec<_>>().join("\n");
    let reversed = pods(3).lines().rev().collect::<Vec<_>>().join("\n");
    let of = |dockerfile: &str, list: &str| {
        let plan = job::in_job(&source, Vec::new()).flag("--platforms", "linux/amd64").flag("--buildkit-host", list);
        let plan = as_plan(&plan).flag("--dockerfile-path", source.context().join(dockerfile).to_str().unwrap());
        planned(&plan)["linux/amd64"].clone()
    };
    let names: Vec<_> = (0..16).map(|number| format!("{number}.Dockerfile")).collect();
    names.iter().for_each(|name| source.write(name, "FROM scratch\nCOPY . /\n"));
    source.commit("more");
    let (mut preferred, mut moved) = (BTreeSet::new(), 0);
    for name in &names {
        let order = of(name, &pods(3));
        assert_eq!(order, of(name, &reversed), "the order of the lines is nothing");
        preferred.insert(order[0].clone());
        let with_another = of(name, &pods(4));
        if with_another[0] != order[0] {
            assert_eq!(with_another[0], "tcp://buildkit-3.buildkit:1234");
            moved += 1;
        }
        let left: Vec<_> = with_another.into_iter().filter(|address| !address.contains("buildkit-3")).collect();
        assert_eq!(left, order, "between the others nothing moves");
    }
    assert!(preferred.len() > 1 && moved < names.len(), "{preferred:?}, {moved} moved");
}

/// The same inputs and variables for `plan`.
fn as_plan(delivery: &Delivery) -> Delivery {
    delivery.clone().subcommand("plan")
}

#[test]
fn lines_that_can_be_read_in_two_ways_are_errors_and_all_are_named_at_once() {
    let source = source("FROM scratch\nCOPY . /\n");
    let text = "linux/arm64=tcp://a:1\nlinux/arm64/v8=tcp://b:1\nlinux/arm64=tcp://A:01\nlinux/amd64=\nssh://h\nLinux/x=tcp://a:1\n\
                linux/s390x=tcp://somebody:s3cr3t-word@h:1\n";
    let ended = deliver(&source, BOTH, text).flag("--severity-threshold", "WORST").ends_with(2);
    for said in [
        "buildkit-host: \"linux/arm64/v8=tcp://b:1\": the same platform is written linux/arm64 before",
        "buildkit-host: \"linux/arm64=tcp://A:01\": each builder may be named only once",
        "buildkit-host: \"ssh://h\": unix:///PATH or tcp://HOST:PORT is expected",
        "buildkit-host: \"Linux/x\": PLATFORM=ADDRESS is expected",
        "buildkit-host: \"tcp://…@h:1\": unix:///PATH or tcp://HOST:PORT is expected",
        "severity-threshold",
    ] {
        ended.says(said);
    }
    ended.does_not_say("s3cr3t").does_not_say("somebody");

    let one_for_arm = lines(&[("linux/arm64", "tcp://127.0.0.1:1")]);
    deliver(&source, BOTH, &one_for_arm)
        .ends_with(2)
        .says("platforms: \"linux/amd64\": `buildkit-host` has a line for other platforms");
    let unnamed = source.deliver().flag("--buildkit-host", "tcp://127.0.0.1:1\ntcp://127.0.0.1:2").ends_with(2);
    unnamed.says("the platforms are expected where `buildkit-host` has more than one address");
}

#[test]
fn one_that_says_that_it_runs_the_platform_is_taken_before_one_that_does_not() {
    let (without, with) = (Buildkitd::that_says("\"linux/amd64\""), Buildkitd::that_says("\"linux/amd64\", \"linux/arm64\""));
    let source = source("FROM scratch\nCOPY . /\n");
    let list = format!("{}\n{}", without.address(), with.address());
    // Of many Dockerfiles some prefer the other one.
    let name = (0..1000)
        .map(|number| format!("{number}.Dockerfile"))
        .find(|name| {
            source.write(name, "FROM scratch\nCOPY . /\n");
            let path = source.context().join(name).display().to_string();
            let plan = source.run("plan").flag("--platforms", "linux/arm64").flag("--buildkit-host", &list);
            planned(&plan.flag("--dockerfile-path", &path))["linux/arm64"][0] == without.address()
        })
        .unwrap();
    let path = source.context().join(name).display().to_string();
    let ended = deliver(&source, "linux/arm64", &list).flag("--dockerfile-path", &path).ends_with(0);
    ended.says(&format!("buildkitd at {} does not say that it runs linux/arm64", without.address()));
    assert_eq!(built_by(&source)["linux/arm64"], with.address());
    // Where none says so it is tried: files need no program.
    let alone = deliver(&source, "linux/arm64", &lines(&[("linux/arm64", &without.address())])).ends_with(0);
    alone.says("does not say that it runs linux/arm64");
}

#[test]
fn a_builder_that_answers_for_another_builders_platform_is_not_believed() {
    let (honest, behind) = (Buildkitd::start(), Buildkitd::start());
    let lying = Door::that_builds_for(&behind.address(), "linux/arm64", "linux/amd64");
    let source = source("FROM scratch\nCOPY . /\n");
    let ended =
        deliver(&source, BOTH, &lines(&[("linux/amd64", &honest.address()), ("linux/arm64", &lying.address)])).ends_with(1);
    ended
        .says("The image that was built for linux/arm64 is one for linux/amd64")
        .says(&format!("buildkitd at {}", lying.address));
    assert!(!source.beside("image").exists(), "nothing is out");
}

#[test]
fn each_builder_writes_what_it_has_to_the_cache_and_others_take_it() {
    let registry = Registry::start(Options::default());
    let id: u64 = rand::random();
    let source = source(&format!("{WHERE}RUN echo {id} >/id\nFROM scratch\nCOPY --from=where /where /id /\n"));
    let deliver = |builders: &[Buildkitd; 2]| {
        let _ = fs::remove_dir_all(source.beside("image"));
        let [one, two] = builders;
        let list = lines(&[("linux/amd64", &one.address()), ("linux/arm64", &two.address())]);
        let delivery = job::in_job(&source, Vec::new()).flag("--platforms", BOTH).flag("--buildkit-host", &list);
        let delivery = delivery.flag("--builder-cache", "own").flag("--environment", "dev").flag("--secrets-history", "none");
        let delivery = delivery.flag("--cache", "registry").flag("--cache-repository", &format!("{}/cache", registry.address));
        delivery.ends_with(0);
        file(&source, "where")
    };
    let first = deliver(&[Buildkitd::start(), Buildkitd::start()]);
    assert_eq!(source.record()["build_cache"]["written"], "written");
    let second = deliver(&[Buildkitd::start(), Buildkitd::start()]);
    assert_eq!(first, second, "the steps are those of the first two builders: none was run again");
    assert_eq!(source.record()["build_cache"]["read"], "read");
}

#[test]
fn the_doctor_asks_each_builder() {
    let up = Buildkitd::start();
    let source = source("FROM scratch\nCOPY . /\n");
    let list = lines(&[("linux/amd64", &up.address()), ("linux/s390x", &up.address()), ("linux/arm64", "tcp://127.0.0.1:1")]);
    let ended = source.run("doctor").flag("--buildkit-host", &list).ends_with(1);
    let out = &ended.stdout;
    assert!(out.contains("FAIL  builder") && out.contains("No builder of linux/arm64 answers"), "{ended}");
    assert!(out.contains("tcp://127.0.0.1:1: ") && out.contains("does not say that it runs linux/s390x"), "{ended}");
    let well = source.run("doctor").flag("--buildkit-host", &lines(&[("linux/amd64", &up.address())])).ends_with(0);
    assert!(well.stdout.contains(&format!("buildkitd at {} runs linux/amd64", up.address())), "{well}");
}
