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
    let engine = &engines()[2];
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

#[test]
fn every_builder_dates_the_configuration_and_one_that_can_not_date_files_says_so_once() {
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", &dockerfile()), ("a", "1")]);
        let seconds: i64 = source.git(&["show", "--no-patch", "--format=%ct"]).parse().unwrap();
        let delivery = source.deliver().on(&engine);
        let ended = delivery.ends_with(0);
        let said = ended.stderr.matches("can't date the files of new layers").count();
        assert_eq!(said, usize::from(engine.name != "buildkitd"), "{}: {ended}", engine.name);
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
