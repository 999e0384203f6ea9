//! A Dockerfile takes files from folders, images and layouts by names of its own, as `docker buildx build --build-context` has
//! it, on every engine that knows how; what it takes is part of what the image says of itself, and nothing leads out.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use doubles::registry::{Options, Registry};
use serde_json::{Value, json};

use crate::support::{Delivery, Engine, Source, engines, read_json, run, secret, tool};

const BASE: &str = "debian:bookworm-slim";

const DOCKERFILE: &str = "FROM base AS one\nFROM scratch\nCOPY --from=libs . /libs/\nCOPY --from=team/pushed /file /pushed\n\
                          COPY --from=one /file /layout\nCOPY a /\n";

/// The engines that know named contexts.
fn newer() -> Vec<Engine> {
    engines().into_iter().filter(|engine| engine.name != "docker with a graph driver").collect()
}

/// An image of one file, as a layout.
fn image(content: &str) -> Source {
    let made = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY file /\n"), ("file", content)]);
    made.deliver().flag("--tags", "one").ends_with(0);
    made
}

fn digest(layout: &Path) -> String {
    read_json(&layout.join("index.json"))["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

/// A source with a folder of its own ignore file beside what is built, and with names of everything in the Dockerfile.
fn source() -> Source {
    Source::in_git(&[
        ("app/Dockerfile", DOCKERFILE),
        ("app/a", "a"),
        ("app/.dockerignore", "x\n"),
        ("libs/common/x", "x"),
        ("libs/common/y.log", "y"),
        ("libs/common/deep/z", "z"),
        ("libs/common/.dockerignore", "*.log\n"),
    ])
}

/// The folder that is built.
fn app(source: &Source) -> Delivery {
    source.deliver().flag("--build-context", source.context().join("app").to_str().unwrap())
}

fn with(delivery: Delivery, contexts: &[String]) -> Delivery {
    delivery.flag("--build-contexts", &contexts.join("\n"))
}

fn folder(name: &str, source: &Source, path: &str) -> String {
    format!("{name}={}", source.context().join(path).display())
}

/// What an image says that it was built from.
fn said(source: &Source) -> Value {
    let label = source.image().config()["config"]["Labels"]["gp-deliver.build"].as_str().unwrap().to_owned();
    serde_json::from_str::<Value>(&label).unwrap()["contexts"].clone()
}

#[test]
fn a_folder_an_image_and_a_layout_give_the_same_files_as_the_builders_own_client_gets() {
    let registry = Registry::start(Options::default());
    let pushed = format!("{}/team/other:1", registry.address);
    let made = image("pushed");
    run(Command::new(tool("crane")).args(["push", "--insecure"]).arg(made.beside("image")).arg(&pushed));
    let layout = image("layout");
    let place = layout.beside("image");
    for engine in newer() {
        let source = source();
        let contexts = [
            folder("libs", &source, "libs/common"),
            format!("docker.io/team/pushed:latest=docker-image://{pushed}"),
            format!("base=oci-layout://{}", place.display()),
        ];
        let ended = with(app(&source), &contexts).on(&engine).ends_with(0);
        ended.does_not_say("changes that are in no commit").does_not_say("is called");
        let files = source.image().files();
        let expected =
            [("a", "a"), ("layout", "layout"), ("libs/.dockerignore", "*.log\n"), ("libs/deep/z", "z"), ("libs/x", "x")];
        let expected: BTreeMap<_, _> = expected.into_iter().chain([("pushed", "pushed")]).collect();
        assert!(
            files
                .iter()
                .map(|(path, content)| (&**path, &**content))
                .eq(expected.iter().map(|(path, text)| (*path, text.as_bytes()))),
            "{}: {files:?}",
            engine.name
        );
        // What it took is known by digest, and what tells this image from another of the commit says so.
        let [image, own] = [digest(&made.beside("image")), digest(&place)];
        let said_of = json!({"base": format!("oci-layout://{own}"), "libs": "libs/common", "team/pushed": format!("docker-image://{pushed}")});
        assert_eq!(said(&source), said_of, "{}", engine.name);
        let materials = &source.record()["image"]["platforms"][0]["materials"];
        let named = json!([
            {"kind": "image", "reference": pushed, "digest": image, "platform": "linux/amd64"},
            {"kind": "layout", "context": "base", "digest": own, "platform": "linux/amd64"},
        ]);
        assert_eq!(*materials, json!({"named": named, "unknown": [], "network": false}), "{}", engine.name);
        if engine.name == "buildkitd" {
            assert_eq!(by_buildctl(&source, &pushed, &place), files);
        }
    }
}

/// The files that BuildKit's own client gets of the same.
fn by_buildctl(source: &Source, pushed: &str, layout: &Path) -> BTreeMap<String, Vec<u8>> {
    let (root, output) = (source.context(), source.beside("oracle"));
    let mut build = Command::new(tool("buildctl"));
    build.args(["--addr", &std::env::var("GP_DELIVER_TEST_BUILDKITD").unwrap(), "build", "--frontend", "dockerfile.v0"]);
    for local in ["context=app", "dockerfile=app", "libs=libs/common"] {
        let (name, path) = local.split_once('=').unwrap();
        build.arg("--local").arg(format!("{name}={}", root.join(path).display()));
    }
    build.arg("--oci-layout").arg(format!("store={}", layout.display()));
    for option in [
        "frontend.caps=moby.buildkit.frontend.contexts+forward".to_owned(),
        "context:libs=local:libs".to_owned(),
        format!("context:team/pushed=docker-image://{pushed}"),
        format!("context:base=oci-layout://store@{}", digest(layout)),
    ] {
        build.args(["--opt", &option]);
    }
    run(build.arg("--output").arg(format!("type=local,dest={}", output.display())));
    let mut files = BTreeMap::new();
    let mut folders = vec![output.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                files.insert(entry.strip_prefix(&output).unwrap().to_string_lossy().into_owned(), fs::read(&entry).unwrap());
            }
        }
    }
    files
}

#[test]
fn a_context_takes_the_place_of_a_base_image_of_a_stage_and_of_what_a_step_mounts() {
    let dockerfile = format!(
        "FROM {BASE} AS tool\nRUN false\nFROM {BASE} AS build\nRUN --mount=type=bind,from=libs,target=/libs cat /libs/x > /mounted\n\
         FROM scratch\nCOPY --from=build /mounted /\nCOPY --from=tool x /tool\nCOPY --from=r.example/absent:1 x /base\n"
    );
    for engine in newer() {
        let source = Source::in_git(&[("app/Dockerfile", &dockerfile), ("libs/x", "x"), ("app/a", "a")]);
        let contexts = ["libs", "tool", "r.example/absent:1"].map(|name| folder(name, &source, "libs"));
        with(app(&source), &contexts).on(&engine).ends_with(0);
        let files = source.image().files();
        assert!(
            files.keys().eq(["base", "mounted", "tool"]) && files.values().all(|text| text == b"x"),
            "{}: {files:?}",
            engine.name
        );
    }
}

#[test]
fn an_engine_that_would_pass_over_them_is_not_asked_and_says_so_before_the_build() {
    let source = source();
    let delivery = with(app(&source), &[folder("libs", &source, "libs/common")]);
    let ended = delivery.on(&engines()[0]).ends_with(1);
    ended.says("can't be asked for `build-contexts`").says("Docker 23").does_not_say("build began");
    let stages = source.record()["stages"].as_array().unwrap().clone();
    assert!(stages.iter().all(|stage| stage["name"] != "build" || stage["outcome"]["is"] != "failed"), "{stages:?}");
    // Nor is a reader of Dockerfiles of before.
    let old = Source::in_git(&[
        ("Dockerfile", "# syntax=docker/dockerfile:1.3\nFROM scratch\nCOPY --from=libs . /\n"),
        ("libs/x", "x"),
    ]);
    let delivery = with(old.deliver(), &[folder("libs", &old, "libs")]);
    delivery.on(&engines()[1]).ends_with(1).says("docker/dockerfile:1.3").says("line 1 of the Dockerfile").says("1.4");
}

#[test]
fn a_name_that_nothing_in_the_dockerfile_has_is_said() {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY --from=libs x /\n"), ("libs/x", "x")]);
    let contexts = [folder("libs", &source, "libs"), folder("lib", &source, "libs")];
    let ended = with(source.deliver(), &contexts).on(&engines()[1]).ends_with(0);
    ended.says("Nothing in the Dockerfile is called lib,").does_not_say("is called libs");
}

#[test]
fn what_is_no_commits_in_a_named_folder_is_a_change_and_what_its_ignore_file_leaves_out_is_none() {
    let source = source();
    let contexts = [
        folder("libs", &source, "libs/common"),
        "base=docker-image://r.example/x".to_owned(),
        "team/pushed=docker-image://r.example/x".to_owned(),
    ];
    let dirty = || {
        let root = source.context().join("app");
        let plan = with(source.run("plan").flag("--build-context", root.to_str().unwrap()), &contexts).ends_with(0);
        serde_json::from_str::<Value>(&plan.stdout).unwrap()["source"]["dirty"].as_bool().unwrap()
    };
    assert!(!dirty());
    source.write("libs/common/new.log", "1");
    source.write("libs/other", "1");
    assert!(!dirty());
    source.write("libs/common/deep/new", "1");
    assert!(dirty());
    fs::remove_file(source.context().join("libs/common/deep/new")).unwrap();
    assert!(!dirty());
    fs::remove_file(source.context().join("libs/common/x")).unwrap();
    assert!(dirty());
}

#[test]
fn an_image_of_another_context_is_not_taken_for_that_of_the_commit() {
    let registry = Registry::start(Options::default());
    let dockerfile = "FROM scratch\nCOPY --from=libs x /\n";
    let source = Source::in_git(&[("Dockerfile", dockerfile), ("one/x", "1"), ("two/x", "2")]);
    let deliver = |libs: &str| {
        let destination = format!("{}/team/app", registry.address);
        let delivery = source.deliver().on(&engines()[1]).flag("--destination", &destination).flag("--environment", "dev");
        with(delivery, &[folder("libs", &source, libs)])
    };
    let taken = || source.record()["reuse"].clone();
    deliver("one").ends_with(0);
    assert_eq!(taken(), Value::Null);
    deliver("one").ends_with(0);
    assert_eq!(taken()["is"], "delivered");
    // The commit's tags name the other image for good, so that this is no delivery of it.
    deliver("two").ends_with(1);
    assert_eq!(taken(), Value::Null);
    // A layout is another one where its content is.
    let (first, second) = (image("first"), image("second"));
    let place = source.beside("layout");
    let of_layout = |from: &Source| {
        let _ = fs::remove_dir_all(&place);
        run(Command::new("cp").arg("--recursive").arg(from.beside("image")).arg(&place));
        let delivery = source.deliver().on(&engines()[1]).flag("--destination", &format!("{}/team/layout", registry.address));
        let context = format!("libs=oci-layout://{}", place.display());
        let delivery = with(delivery, &[context]).flag("--dockerfile-path", source.context().join("Layout").to_str().unwrap());
        let ended = delivery.flag("--environment", "dev").output();
        (ended.code, ended.to_string())
    };
    source.write("Layout", "FROM libs\n");
    source.commit("layout");
    for _ in 0..2 {
        let (code, told) = of_layout(&first);
        assert_eq!(code, Some(0), "{told}");
    }
    assert_eq!(taken()["is"], "delivered");
    let (code, told) = of_layout(&second);
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(taken(), Value::Null);
}

#[test]
fn the_builder_keeps_no_file_of_one_folder_for_another_of_the_same_name() {
    for engine in newer() {
        let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY --from=libs . /\n"), ("one/x", "1"), ("two/x", "2")]);
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        for path in ["one/x", "two/x"] {
            fs::File::options().write(true).open(source.context().join(path)).unwrap().set_modified(time).unwrap();
        }
        for (libs, content) in [("one", b"1"), ("two", b"2")] {
            with(source.deliver(), &[folder("libs", &source, libs)]).on(&engine).ends_with(0);
            assert_eq!(source.image().files()["x"], content, "{}", engine.name);
        }
    }
}

/// What must not be read.
const TOKEN: &str = "token-4b5a6978";

#[test]
fn nothing_outside_of_the_source_is_a_context() {
    let source = source();
    fs::create_dir(source.beside("outside")).unwrap();
    fs::write(source.beside("outside/x"), TOKEN).unwrap();
    symlink("../../outside", source.context().join("libs/out")).unwrap();
    symlink("../../outside/x", source.context().join("libs/common/link")).unwrap();
    let engine = &engines()[1];
    let deliver = |place: PathBuf| with(app(&source), &[format!("libs={}", place.display())]).on(engine);
    for (place, words) in [
        (source.beside("outside"), "is outside of the source"),
        (source.context().join("libs/../../outside"), "is outside of the source"),
        (source.context().join("libs/out"), "leads out of the checkout"),
        (PathBuf::from("/proc/self"), "/proc/self can't be used"),
    ] {
        deliver(place.clone()).ends_with(1).says(words).does_not_say(TOKEN);
    }
    deliver(source.context().join("libs/absent")).ends_with(2).says("a folder is expected for libs");
    // A link in one is sent as it is, and brings nothing.
    fs::remove_file(source.context().join("libs/out")).unwrap();
    let copies = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY --from=libs link x /\n"), ("libs/x", "x")]);
    fs::write(copies.beside("outside"), TOKEN).unwrap();
    symlink("../../outside", copies.context().join("libs/link")).unwrap();
    copies.commit("link");
    let ended = with(copies.deliver(), &[folder("libs", &copies, "libs")]).on(engine).output();
    let brought = ended.code == Some(0) && copies.image().files().values().any(|content| content == TOKEN.as_bytes());
    assert!(!brought, "{ended}");
}

#[test]
fn a_layout_that_is_not_what_its_digests_say_is_refused() {
    // A builder that has a layer asks for its bytes no more, so that they are others each time.
    let made = image(&format!("{:?}", std::time::SystemTime::now()));
    let source = Source::in_git(&[("Dockerfile", "FROM base\nCOPY a /\n"), ("a", "a")]);
    let place = source.beside("layout");
    let fresh = || {
        let _ = fs::remove_dir_all(&place);
        run(Command::new("cp").arg("--recursive").arg(made.beside("image")).arg(&place));
    };
    let deliver = |engine: &Engine, more: &str| {
        with(source.deliver(), &[format!("base=oci-layout://{}{more}", place.display())]).on(engine)
    };
    fresh();
    let manifest: Value = read_json(&place.join("blobs").join(digest(&place).replace(':', "/")));
    let layer = place.join("blobs").join(manifest["layers"][0]["digest"].as_str().unwrap().replace(':', "/"));
    for engine in newer() {
        fresh();
        deliver(&engine, ":two").ends_with(1).says("no image with the tag two");
        deliver(&engine, &format!("@sha256:{}", "0".repeat(64))).ends_with(1).says("can't be used as a build context");
        // A layer of other bytes.
        let mut bytes = fs::read(&layer).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&layer, bytes).unwrap();
        deliver(&engine, ":one").ends_with(1).says("what is named sha256:");
        fs::remove_file(&layer).unwrap();
        deliver(&engine, ":one").ends_with(1);
        fresh();
        deliver(&engine, ":one").ends_with(0);
    }
}

#[test]
fn secrets_in_a_named_folder_are_found_also_in_what_git_ignores_and_in_its_own_folder() {
    let source =
        Source::in_git(&[("app/Dockerfile", "FROM scratch\nCOPY --from=libs . /\n"), (".gitignore", "*.env\n"), ("libs/x", "x")]);
    source.write("libs/settings.env", &format!("TOKEN={}\n", secret()));
    let engine = &engines()[1];
    let ended = with(app(&source), &[folder("libs", &source, "libs")]).on(engine).flag("--environment", "dev").ends_with(0);
    ended.says("libs/settings.env");
    fs::remove_file(source.context().join("libs/settings.env")).unwrap();
    source.git(&["config", "http.extraheader", &format!("AUTHORIZATION: basic {}", secret())]);
    let ended = with(app(&source), &[folder("libs", &source, "")]).on(engine).flag("--environment", "dev").ends_with(0);
    ended.says("git's own folder").says(".git/config");
}
