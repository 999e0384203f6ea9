//! An image is dated by its commit, so that it does not depend on when and where it was built; what differs between two images is
//! named.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::{Ended, Engine, Source, engines, run};

const BASE: &str = "debian:bookworm-slim";

/// The same commit in another folder, with files of another time.
fn cloned(source: &Source) -> Source {
    let other = Source::new(&[]);
    fs::remove_dir_all(other.context()).unwrap();
    run(Command::new("git").args(["clone", "--quiet"]).arg(source.context()).arg(other.context()));
    // No two clones have their files at the same time.
    let time = SystemTime::now() + Duration::from_hours(1);
    fs::File::options().write(true).open(other.context().join("a")).unwrap().set_modified(time).unwrap();
    other
}

fn deliver(source: &Source, engine: &Engine, more: &[(&str, &str)]) -> String {
    let delivery =
        source.deliver().on(engine).flag("--no-cache", "true").flag("--tags", "one").flag("--platforms", "linux/amd64");
    more.iter().fold(delivery, |delivery, (flag, value)| delivery.flag(flag, value)).ends_with(0);
    source.image().index()["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

fn compare(source: &Source, other: &Source, more: &str) -> Ended {
    let mut command = Command::new(crate::support::binary());
    command.env_clear().env("PATH", "/usr/bin:/bin").arg("compare");
    command
        .arg(format!("oci:{}:one", source.beside("image").display()))
        .arg(format!("oci:{}:one", other.beside("image").display()));
    command.args(more.split_whitespace());
    Ended::from(command.output().unwrap())
}

/// Steps that leave files of their own time.
fn dockerfile() -> String {
    format!("FROM {BASE}\nWORKDIR /made\nRUN touch file\nCOPY a /\n")
}

#[test]
fn the_same_commit_gives_the_same_digest_whenever_and_wherever_it_is_built() {
    for engine in &engines()[1..] {
        // Files that are older than the commit keep their time: a checkout has none.
        let committed = Source::in_git(&[("Dockerfile", &dockerfile()), ("a", "1")]);
        let (source, other) = (cloned(&committed), cloned(&committed));
        let same = deliver(&source, engine, &[]);
        assert_eq!(deliver(&other, engine, &[]), same);
        let ended = compare(&source, &other, "");
        assert_eq!(ended.code, Some(0), "{ended}");
        assert!(ended.stdout.contains("equal"), "{ended}");
        // Another time by one's own choice.
        let dated = deliver(&other, engine, &[("--build-args", "SOURCE_DATE_EPOCH=1600000000")]);
        assert_ne!(dated, same);
        assert_eq!(other.image().config()["created"], "2020-09-13T12:26:40Z");
    }
}

/// Commits what is there, so many hours from now.
fn commit_at(source: &Source, hours: i64) {
    let time = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
    let mut git = Command::new("git");
    git.current_dir(source.context()).env("GIT_COMMITTER_DATE", format!("@{} +0000", time.as_second()));
    let who = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"];
    run(git.args(who).args(["commit", "--quiet", "--all", "--allow-empty", "--message", &format!("at {hours}")]));
}

/// A delivery by a builder that may have the steps already, and the digests of the image's layers.
fn layers(source: &Source, engine: &Engine) -> Vec<String> {
    source.deliver().on(engine).flag("--tags", "one").flag("--reuse", "never").ends_with(0);
    let layers = source.image().manifest()["layers"].as_array().unwrap().clone();
    layers.iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
}

/// When a file of the image was changed, in seconds since 1970.
fn time_of(source: &Source, path: &str) -> u64 {
    let blobs = source.beside("image/blobs/sha256");
    let image = source.image();
    let layers = image.manifest()["layers"].as_array().unwrap().clone();
    let times = layers.iter().flat_map(|layer| {
        let digest = layer["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
        let content = flate2::read::MultiGzDecoder::new(fs::File::open(blobs.join(digest)).unwrap());
        let mut archive = tar::Archive::new(content);
        let entries = archive.entries().unwrap().map(|entry| entry.unwrap());
        let named = entries.filter(|entry| entry.path().unwrap().to_str().unwrap().trim_end_matches('/') == path);
        named.map(|entry| entry.header().mtime().unwrap()).collect::<Vec<_>>()
    });
    times.last().unwrap_or_else(|| panic!("{path} is in no layer"))
}

fn date_of(source: &Source, revision: &str) -> u64 {
    source.git(&["show", "--no-patch", "--format=%ct", revision]).parse().unwrap()
}

/// A source of three layers: of another stage, and of two files. It was committed two days ago.
fn three_layers() -> Source {
    let dockerfile =
        "FROM scratch AS early\nCOPY early /\nFROM scratch\nCOPY --from=early /early /early\nCOPY one /\nCOPY two /\n";
    let files = [("Dockerfile", dockerfile), (".dockerignore", ".git\n"), ("early", "1"), ("one", "1"), ("two", "1")];
    let source = Source::in_git(&files);
    source.git(&["update-ref", "-d", "HEAD"]);
    commit_at(&source, -48);
    source
}

/// Commits what is there in the next second.
fn commit_later(source: &Source) {
    let ended = jiff::Timestamp::now().as_second();
    while jiff::Timestamp::now().as_second() == ended {
        std::thread::yield_now();
    }
    source.git(&["add", "--all"]);
    commit_at(source, 0);
}

/// The same commit in another folder.
fn checked_out(source: &Source, how: &[&str]) -> Source {
    let other = Source::new(&[]);
    fs::remove_dir_all(other.context()).unwrap();
    let from = format!("file://{}", source.context().display());
    run(Command::new("git").args(["clone", "--quiet"]).args(how).arg(from).arg(other.context()));
    other
}

#[test]
fn another_commit_leaves_the_layers_that_it_does_not_touch() {
    for engine in &engines()[1..] {
        let source = three_layers();
        let first = layers(&source, engine);
        source.write("one", "2");
        commit_at(&source, -24);
        let second = layers(&source, engine);
        assert_eq!((&first[0], first[1] == second[1], &first[2]), (&second[0], false, &second[2]), "{}", engine.name);
        let (before, now) = (date_of(&source, "HEAD~1"), date_of(&source, "HEAD"));
        assert_eq!(["early", "two", "one"].map(|file| time_of(&source, file)), [before, before, now]);
        let created = source.image().config()["created"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert_eq!(created.as_second(), i64::try_from(now).unwrap());
        commit_at(&source, -23);
        assert_eq!(layers(&source, engine), second);
        // What a stage that it copies from reads, it is made from too.
        source.write("early", "2");
        commit_at(&source, -22);
        let third = layers(&source, engine);
        assert_eq!((first[0] == third[0], &second[1..]), (false, &third[1..]));
        assert_eq!(time_of(&source, "early"), date_of(&source, "HEAD"));
    }
}

#[test]
fn a_builder_that_has_had_a_step_comes_to_what_a_new_one_does_whenever_it_has_run_it() {
    for engine in &engines()[1..] {
        let id: u64 = rand::random();
        let dockerfile = format!("FROM {BASE}\nRUN echo {id} >/made && touch -d 2001-01-01 /old\nCOPY one /\n");
        let source = Source::in_git(&[("Dockerfile", &dockerfile), (".dockerignore", ".git\n"), ("one", "1")]);
        // Before its commit, and so by what nobody knows.
        source.write("one", "2");
        layers(&source, engine);
        commit_later(&source);
        let first = layers(&source, engine);
        let made = date_of(&source, "HEAD~1");
        // After its step was run.
        source.write("one", "3");
        commit_later(&source);
        let second = layers(&source, engine);
        assert_eq!((&first[1], first[2] == second[2]), (&second[1], false), "{}", engine.name);
        let times = ["made", "one"].map(|file| time_of(&source, file));
        assert_eq!((times, time_of(&source, "old")), ([made, date_of(&source, "HEAD")], 978_307_200));
        let digest = source.record()["image"]["digest"].as_str().unwrap().to_owned();
        let elsewhere = checked_out(&source, &[]);
        elsewhere.deliver().on(engine).flag("--tags", "one").flag("--no-cache", "true").ends_with(0);
        assert_eq!(elsewhere.record()["image"]["digest"], digest.as_str(), "{}", engine.name);
    }
}

#[test]
fn what_is_not_known_of_a_layer_is_dated_by_the_commit_or_by_an_engine_not_at_all() {
    let [_, docker, buildkitd] = <[Engine; 3]>::try_from(engines()).unwrap();
    let source = three_layers();
    source.write("one", "2");
    commit_at(&source, -24);
    let [old, new] = ["HEAD~1", "HEAD"].map(|revision| date_of(&source, revision));
    let is_dated = |source: &Source, delivery: crate::support::Delivery, expected: [u64; 2], why: &str| {
        delivery.flag("--tags", "one").flag("--reuse", "never").on(&buildkitd).ends_with(0);
        assert_eq!(["early", "two"].map(|file| time_of(source, file)), expected, "{why}");
    };
    is_dated(&source, source.deliver(), [old, old], "by what it is made from");
    let shallow = checked_out(&source, &["--depth=1"]);
    is_dated(&shallow, shallow.deliver(), [new, new], "a part of the history");
    let by_docker = shallow.deliver().flag("--tags", "one").flag("--reuse", "never").on(&docker);
    by_docker.ends_with(0).says("the files of new layers are not dated");
    assert!(time_of(&shallow, "two") > new);
    source.write("three", "1");
    is_dated(&source, source.deliver(), [new, new], "a file that is in no commit");
    fs::remove_file(source.context().join("three")).unwrap();
    let named = source.deliver().flag("--build-contexts", &format!("named={}", source.context().join("folder").display()));
    source.write("folder/file", "1");
    source.git(&["add", "--all"]);
    commit_at(&source, -22);
    let new = date_of(&source, "HEAD");
    is_dated(&source, named, [new, new], "another context");
    // How it is checked out.
    source.write(".gitattributes", "two text\n");
    source.git(&["add", "--all"]);
    commit_at(&source, -21);
    let new = date_of(&source, "HEAD");
    is_dated(&source, source.deliver(), [new, new], "attributes");
    // A value that no commit has.
    source.write("Dockerfile", "FROM scratch\nARG BY=early\nCOPY $BY /\nCOPY two one /\n");
    commit_at(&source, -20);
    source.write("one", "3");
    commit_at(&source, -19);
    let [old, new] = ["HEAD~1", "HEAD"].map(|revision| date_of(&source, revision));
    let by_early = source.deliver().flag("--build-args", "BY=early");
    is_dated(&source, by_early.clone(), [new, new], "an argument, and the commit of the other file");
    by_early.flag("--tags", "one").flag("--reuse", "never").on(&docker).ends_with(0).does_not_say("are not dated");
    assert!(time_of(&source, "early") > new && time_of(&source, "two") == new);
    assert!(old < new);
}

#[test]
fn what_a_merge_brings_came_with_the_merge() {
    let engine = &engines()[2];
    let source = three_layers();
    source.git(&["checkout", "--quiet", "-b", "side"]);
    source.write("two", "of the side");
    commit_at(&source, -40);
    source.git(&["checkout", "--quiet", "-"]);
    source.write("two", "of the trunk");
    commit_at(&source, -30);
    layers(&source, engine);
    assert_eq!(time_of(&source, "two"), date_of(&source, "HEAD"));
    let mut merge = Command::new("git");
    merge.current_dir(source.context()).args(["-c", "user.name=test", "-c", "user.email=test@example.com"]);
    merge.env("GIT_COMMITTER_DATE", format!("@{} +0000", date_of(&source, "HEAD") + 3600));
    run(merge.args(["merge", "--quiet", "--strategy-option=theirs", "--no-edit", "side"]));
    layers(&source, engine);
    // Older files would be taken for the ones that somebody has.
    assert_eq!(time_of(&source, "two"), date_of(&source, "HEAD"));
}

#[test]
fn every_builder_dates_the_configuration_and_one_that_can_not_date_files_says_so_once() {
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", &dockerfile()), ("a", "1")]);
        let seconds: i64 = source.git(&["show", "--no-patch", "--format=%ct"]).parse().unwrap();
        let delivery = source.deliver().on(&engine);
        let ended = delivery.ends_with(0);
        let said = ended.stderr.matches("can't date the files of new layers").count();
        assert_eq!(said, usize::from(engine.name == "docker with a graph driver"), "{}: {ended}", engine.name);
        let config = source.image().config();
        let time = |text: &Value| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
        assert_eq!(time(&config["created"]), seconds, "{}", engine.name);
        let history = config["history"].as_array().unwrap();
        assert!(history.iter().all(|entry| time(&entry["created"]) <= seconds), "{}: {history:?}", engine.name);
        delivery
            .flag("--reproducible", "false")
            .flag("--reuse", "never")
            .flag("--no-cache", "true")
            .ends_with(0)
            .does_not_say("can't date the files");
        assert!(time(&source.image().config()["created"]) > seconds, "{}", engine.name);
    }
}

#[test]
fn what_differs_between_two_images_is_named() {
    let engine = &engines()[1];
    let text = "FROM scratch\nLABEL team=a\nCOPY --chmod=0644 a b /files/\nCOPY c /files/\n";
    let source = Source::in_git(&[("Dockerfile", text), ("a", "1"), ("b", "2"), ("c", "3")]);
    deliver(&source, engine, &[]);
    let other = Source::in_git(&[
        ("Dockerfile", &text.replace("team=a", "team=b").replace("0644", "0600")),
        ("a", "other"),
        ("b", "2"),
        ("c", "3"),
        ("d", "4"),
    ]);
    other.write("Dockerfile", &text.replace("team=a", "team=b").replace("a b /", "a b d /"));
    other.commit("d");
    deliver(&other, engine, &[]);
    let ended = compare(&source, &other, "");
    assert_eq!(ended.code, Some(3), "{ended}");
    for words in ["different", "linux/amd64", "config.Labels.team", "files/a", "files/d  only in B", "content"] {
        assert!(ended.stdout.contains(words), "{words}: {ended}");
    }
    let json = compare(&source, &other, "--json");
    assert_eq!(json.code, Some(3));
    let told: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(told["equal"], false);
    let files = told["platforms"][0]["layers"][0]["files"]["named"].as_array().unwrap().clone();
    let of = |path: &str| {
        let file = files.iter().find(|file| file["path"].as_str().unwrap().ends_with(path));
        file.unwrap_or_else(|| panic!("{path}: {files:?}"))["what"].clone()
    };
    assert!(of("files/a").as_array().unwrap().iter().any(|what| what == "content"), "{files:?}");
    assert_eq!(of("files/d"), serde_json::json!(["only-b"]));
    assert!(
        !files.iter().any(|file| file["path"].as_str().unwrap().ends_with("files/b")
            && file["what"].as_array().unwrap().iter().any(|what| what == "content")),
        "{files:?}"
    );
    // A layer that is not what its digest says is no answer.
    let manifest = other.image().manifest();
    let blob = other.image().blob(manifest["layers"][0]["digest"].as_str().unwrap());
    let mut bytes = fs::read(&blob).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&blob, bytes).unwrap();
    let broken = compare(&source, &other, "");
    assert_eq!(broken.code, Some(1), "{broken}");
    broken.says("can't be compared");
}

#[test]
fn images_of_a_registry_are_compared_with_those_of_a_folder() {
    let registry = doubles::registry::Registry::start(doubles::registry::Options::default());
    let engine = &engines()[1];
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /\n"), ("a", "1")]);
    deliver(&source, engine, &[]);
    let repository = format!("{}/team/app", registry.address);
    source
        .deliver()
        .on(engine)
        .flag("--no-cache", "true")
        .flag("--tags", "one")
        .flag("--platforms", "linux/amd64")
        .flag("--destination", &repository)
        .ends_with(0);
    let command = |a: &str, b: &str| {
        let mut command = Command::new(crate::support::binary());
        command.env_clear().env("PATH", "/usr/bin:/bin").args(["compare", a, b]);
        Ended::from(command.output().unwrap())
    };
    let (folder, there) = (format!("oci:{}:one", source.beside("image").display()), format!("{repository}:one"));
    assert!(matches!(command(&folder, &there).code, Some(0 | 3)));
    assert_eq!(command(&there, &there).code, Some(0));
    assert_eq!(command(&there, &format!("{repository}:two")).code, Some(1));
    for wrong in ["team/app:one", "oci:", &repository] {
        assert_eq!(command(&folder, wrong).code, Some(2), "{wrong}");
    }
    let other = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /\n"), ("a", "2")]);
    deliver(&other, engine, &[]);
    let ended = command(&format!("oci:{}:one", other.beside("image").display()), &there);
    assert_eq!(ended.code, Some(3), "{ended}");
    assert!(ended.stdout.contains("content"), "{ended}");
}
