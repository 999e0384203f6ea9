//! `scripts/ecr-build-push.sh`: called as teams call it, and as they get it wrong.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use doubles::aws::{Call, Mutability, World};

use crate::support::{Ended, Source, binary, keyless, part};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/ecr-build-push.sh");

/// A folder for `PATH` with our program in it, which is told where a database is.
fn programs(source: &Source) -> String {
    let folder = source.beside("programs");
    fs::create_dir_all(&folder).unwrap();
    let database = part("TRIVY_DB");
    let words = format!("exec '{}' \"$@\" --trivy-db-repository 'oci:{database}:2'", binary().display());
    executable(&folder.join("gp-deliver"), &words);
    format!("{}:{}:/usr/bin:/bin", folder.display(), part("TOOLS"))
}

fn executable(path: &Path, words: &str) {
    fs::write(path, format!("#!/bin/sh\n{words}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The script, by a command line of the documents that a shell reads, in the application's folder.
fn script(source: &Source, line: &str) -> Command {
    let mut command = Command::new("sh");
    // `"$0"` is the script; what the documents call it is a path in the application's folder.
    command.arg("-c").arg(line.replace("./scripts/ecr-build-push.sh", "\"$0\"")).arg(SCRIPT);
    command.current_dir(source.context()).env_clear().env("PATH", programs(source)).stdin(Stdio::null());
    command.env("HOME", source.beside("home")).env("DOCKER_HOST", part("DOCKER"));
    command
}

/// The same with what a person has after logging in at AWS.
fn logged_in(world: &World, source: &Source, line: &str) -> Command {
    let mut command = script(source, line);
    let secrets = world.secrets();
    let at = secrets.iter().position(|secret| secret.starts_with("ASIA")).expect("somebody has signed in");
    command.envs(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].into_iter().zip(&secrets[at..]));
    let of_aws = world.variables().into_iter().filter(|(name, _)| name.starts_with("AWS_"));
    command.envs(of_aws).env("REGISTRY", world.host()).env("REPOSITORY", world.repository());
    command
}

fn ended(mut command: Command) -> Ended {
    command.output().unwrap().into()
}

/// A world in which a job has signed in already.
fn world_and_source(world: World) -> (World, Source) {
    let source = keyless::source();
    let looked = keyless::run(&world, &source, "doctor").output();
    assert!(world.count(Call::AssumeRole) > 0, "{looked}");
    (world, source)
}

/// As the documents have it.
const DOCUMENTED: &str =
    "./scripts/ecr-build-push.sh --registry $REGISTRY --name $REPOSITORY --sha $(git rev-parse --short HEAD) --version 1.0.0";

#[test]
fn the_documents_own_command_lines_push_both_tags_and_nothing_else() {
    let (world, source) = world_and_source(World::options().start());
    let told = ended(logged_in(&world, &source, DOCUMENTED));
    assert_eq!(told.code, Some(0), "{told}");
    told.says("deprecated in CI").does_not_say("::warning::");
    let sha = keyless::sha(&source);
    assert_eq!(world.tags().into_keys().collect::<BTreeSet<_>>(), BTreeSet::from(["1.0.0".to_owned(), sha]));

    source.write("file", "2\n");
    let commit = source.commit("second");
    let line = "./scripts/ecr-build-push.sh --registry $REGISTRY --name $REPOSITORY --sha $GITHUB_SHA --version v1.1.0";
    let mut command = logged_in(&world, &source, line);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_SHA", &commit).env("GITHUB_REF_NAME", "feature/x");
    let told = ended(command);
    assert_eq!(told.code, Some(0), "{told}");
    assert!(told.stdout.starts_with("::warning::"), "{told}");
    let tags = world.tags();
    assert_eq!((tags.len(), &tags[&commit]), (4, &tags["v1.1.0"]), "{tags:?}");

    let line = "./scripts/ecr-build-push.sh --registry $REGISTRY --name $REPOSITORY --sha $(git rev-parse --short HEAD)";
    let told = ended(logged_in(&world, &source, line));
    assert_eq!((told.code, world.tags().len()), (Some(0), 5), "without a version: {told}");
}

#[test]
fn in_a_repository_whose_tags_stay_a_push_and_its_repetition_are_taken() {
    let (world, source) = world_and_source(World::options().tags(Mutability::Immutable, &[]).start());
    for _ in 0..2 {
        let told = ended(logged_in(&world, &source, DOCUMENTED));
        assert_eq!((told.code, world.tags().len()), (Some(0), 2), "{told}");
    }
}

#[test]
fn what_the_scanners_find_holds_nothing_back_and_a_build_that_fails_pushes_nothing() {
    let (world, source) = world_and_source(World::options().start());
    source.write("deploy/staging.env", &format!("TOKEN={}\n", crate::support::secret()));
    source.commit("a leak");
    let told = ended(logged_in(&world, &source, DOCUMENTED));
    assert_eq!((told.code, world.tags().len()), (Some(0), 2), "{told}");
    told.says("1 leaked secret");

    source.write("Dockerfile", "FROM scratch\nCOPY nothing /\n");
    source.commit("broken");
    let told = ended(logged_in(&world, &source, &DOCUMENTED.replace("1.0.0", "1.1.0")));
    assert_eq!((told.code, world.tags().len()), (Some(1), 2), "{told}");
}

#[test]
fn a_command_line_that_is_quoted_wrongly_is_told_where_before_anything_runs() {
    let source = Source::new(&[("Dockerfile", "FROM scratch\n")]);
    let start = "./scripts/ecr-build-push.sh --registry r.example --name app";
    for (line, says) in [
        // Outside of a repository git says nothing on standard output.
        (format!("{start} --sha $(git rev-parse --short HEAD) --version 1.0.0"), "--sha needs a value"),
        (format!("{start} --sha \"$NOTHING\" --version 1.0.0"), "--sha needs a value"),
        (format!("{start} --sha abc1234 --version"), "--version needs a value"),
        (format!("{start} '--sha abc1234'"), "--sha abc1234: not one of its arguments"),
        (format!("{start} --sha 'abc1234 --version 1.0.0'"), "it is to be a tag"),
        (format!("{start} --sha abc1234 --version feature/x"), "--version feature/x: it is to be a tag"),
        (format!("{start} --sha 'abc1234,latest'"), "it is to be a tag"),
        (format!("{start} --sha '{{sha}}'"), "it is to be a tag"),
        (format!("{start} --sha=abc1234"), "--sha=abc1234: not one of its arguments"),
        (start.to_owned(), "--sha is missing"),
        ("./scripts/ecr-build-push.sh --name app --sha abc1234".to_owned(), "--registry is missing"),
        ("./scripts/ecr-build-push.sh --registry r.example --sha abc1234".to_owned(), "--name is missing"),
    ] {
        let told = ended(script(&source, &line));
        assert_eq!(told.code, Some(2), "{line}: {told}");
        told.says(says).says("usage: ecr-build-push.sh").does_not_say("deprecated");
    }
}

#[test]
fn a_registry_of_an_account_with_nine_digits_is_none_of_amazons() {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\n")]);
    let line = "./scripts/ecr-build-push.sh --registry 123456789.dkr.ecr.eu-central-1.amazonaws.com --name app --sha abc1234";
    let told = ended(script(&source, line));
    assert_eq!(told.code, Some(2), "{told}");
    told.says("an account of twelve digits");
    // The same by the image, which has all that it needs.
    let mut command = script(&source, line);
    let path = source.beside("nothing but docker");
    fs::create_dir(&path).unwrap();
    for program in ["docker", "git", "grep", "printenv", "sed", "sh"] {
        let there =
            std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|folder| folder.join(program)).find(|at| at.exists());
        std::os::unix::fs::symlink(there.unwrap(), path.join(program)).unwrap();
    }
    command.env("PATH", &path).env("GP_DELIVER_IMAGE", part("IMAGE"));
    let told = ended(command);
    assert_eq!(told.code, Some(2), "{told}");
    told.says("an account of twelve digits");
}

#[test]
fn without_the_program_its_image_is_run_with_the_credentials_and_the_repository() {
    let source = Source::in_git(&[("app/Dockerfile", "FROM scratch\n")]);
    let folder = source.beside("stand-in");
    fs::create_dir(&folder).unwrap();
    executable(&folder.join("docker"), "printf '%s\\n' \"$@\"");
    let run = |image: &str| {
        let line = "./scripts/ecr-build-push.sh --registry r.example --name app --sha abc1234 --version 1.2.3";
        let mut command = script(&source, line);
        command.current_dir(source.context().join("app")).env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        ended({
            command
                .env("GP_DELIVER_IMAGE", image)
                .env("AWS_SECRET_ACCESS_KEY", "not-in-an-argument")
                .env("AWS_REGION", "eu-west-1");
            command
        })
    };
    run("").says("GP_DELIVER_IMAGE names no image");
    let told = run("gp-deliver@sha256:0");
    let words: Vec<&str> = told.stdout.lines().collect();
    let has = |pair: [&str; 2]| words.windows(2).any(|words| words == pair);
    let root = source.context().canonicalize().unwrap();
    let root = Path::new(&root).display();
    assert!(has(["--volume", &format!("{root}:{root}")]) && has(["--workdir", &format!("{root}/app")]), "{told}");
    assert!(has(["--env", "AWS_SECRET_ACCESS_KEY"]) && has(["--env", "AWS_REGION"]), "{told}");
    told.does_not_say("not-in-an-argument");
    let called = words.iter().position(|word| *word == "gp-deliver@sha256:0").unwrap();
    let expected = [
        "deliver",
        "--environment",
        "dev",
        "--ecr-repository",
        "r.example/app",
        "--version",
        "1.2.3",
        "--tags",
        "abc1234,{version}",
    ];
    assert_eq!(words[called + 1..], expected, "{told}");
}
