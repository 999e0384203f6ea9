use std::fmt::Debug;
use std::path::Path;

use super::*;
use crate::inputs::{self, About};

/// Makes sense of inputs in an empty folder, with a Dockerfile where one is asked for.
fn in_folder<T>(dockerfile: bool, read: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    if dockerfile {
        std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    }
    read(folder.path())
}

fn event() -> Event {
    let variable = |name: &str| match name {
        "GITHUB_ACTIONS" => Some("true".to_owned()),
        "GITHUB_EVENT_NAME" => Some("push".to_owned()),
        "GITHUB_REF" => Some("refs/heads/main".to_owned()),
        _ => None,
    };
    Event::read(variable).unwrap()
}

fn given(folder: &Path, pairs: &[(&str, &str)]) -> Inputs {
    Inputs::collect(|input| {
        let given = pairs.iter().find(|(name, _)| *name == input.name).map(|(_, value)| (*value).to_owned());
        given.or_else(|| (input.name == "build-context").then(|| folder.display().to_string()))
    })
}

fn resolve(folder: &Path, pairs: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Config::resolve(&given(folder, pairs), &Env { variable: &variable, event: Some(&event()) })
}

fn said(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| format!("{} {}", problem.input, problem.value)).collect()
}

/// Something that is no value of any input that has a form, and one of all that have none.
const NONSENSE: &str = "(nonsense)";

#[test]
fn every_input_is_read() {
    let differs = |input: &About, base: &[(&str, &str)]| {
        let with = [base, &[(input.name, NONSENSE)]].concat();
        let outcome = |pairs: &[(&str, &str)]| {
            in_folder(true, |folder| {
                format!("{:?}", resolve(folder, pairs, &[])).replace(&folder.display().to_string(), "FOLDER")
            })
        };
        outcome(&with) != outcome(base)
    };
    for input in inputs::ALL {
        let read = differs(input, &[]) || differs(input, &[("ecr-repository", "team/app")]);
        assert!(read, "nothing asks for {}", input.name);
    }
}

#[test]
fn the_token_is_read_from_its_variable_alone() {
    let repository = ("GITHUB_REPOSITORY", "acme/app");
    let token = |variables: &[(&str, &str)]| {
        let config = in_folder(true, |folder| resolve(folder, &[("github-token", "from-a-flag")], variables)).unwrap();
        match config.github.unwrap().credential {
            Some(Credential::Token(token)) => Some(token.expose().to_owned()),
            _ => None,
        }
    };
    assert_eq!(token(&[repository]), None);
    assert_eq!(token(&[repository, ("INPUT_GITHUB-TOKEN", "hunter2")]), Some("hunter2".to_owned()));
}

#[test]
fn every_problem_of_every_input_is_named_in_the_order_of_the_inputs() {
    let pairs = [
        ("tags", "a b,{x}"),
        ("platforms", "linux,Linux/x"),
        ("build-args", "1=x\n-"),
        ("build-secrets", "id=a\nid=b,env=UNSET\nid=c,src=/absent"),
        ("labels", "a\n=b"),
        ("environment", "qa"),
        ("dockerfile-path", "absent.Dockerfile"),
        ("allowed-account-ids", "1,2"),
        ("ecr-repository", "team/app"),
        ("audience", "x"),
    ];
    let problems = in_folder(true, |folder| resolve(folder, &pairs, &[])).unwrap_err();
    let expected = [
        "environment qa",
        "dockerfile-path absent.Dockerfile",
        "build-args 1=x",
        "build-args -",
        "build-secrets id=a",
        "platforms linux",
        "platforms Linux/x",
        "labels a",
        "labels =b",
        "tags a b",
        "tags {x}",
        "allowed-account-ids 1",
        "allowed-account-ids 2",
    ];
    assert_eq!(said(&problems), expected);
    assert_eq!(Problem::inputs(&problems), 8);
}

#[test]
fn every_secret_that_is_not_there_is_named() {
    let secrets = "id=a,env=SET\nid=b,env=UNSET\nid=c,src=/absent\nid=a,env=SET";
    let problems = in_folder(true, |folder| resolve(folder, &[("build-secrets", secrets)], &[("SET", "x")])).unwrap_err();
    let expected = ["build-secrets id=b,env=UNSET", "build-secrets id=c,src=/absent", "build-secrets id=a,env=SET"];
    assert_eq!(said(&problems), expected);
}

#[test]
fn a_command_that_builds_nothing_asks_for_no_dockerfile_and_no_other_part_of_a_build() {
    let outcome = |build: bool, pairs: &[(&str, &str)]| -> Result<(), Vec<Problem>> {
        in_folder(false, |folder| {
            let (inputs, env) = (given(folder, pairs), Env { variable: &|_| None, event: None });
            if build { Config::resolve(&inputs, &env).map(|_| ()) } else { Config::without_build(&inputs, &env).map(|_| ()) }
        })
    };
    let pairs = [("build-secrets", "nonsense"), ("dockerfile-path", "absent.Dockerfile")];
    assert_eq!(outcome(false, &pairs), Ok(()));
    let problems = outcome(true, &pairs).unwrap_err();
    assert_eq!(said(&problems), ["dockerfile-path absent.Dockerfile", "build-secrets nonsense"]);
    assert_eq!(said(&outcome(false, &[("tags", "{nope}")]).unwrap_err()), ["tags {nope}"]);
}

#[test]
fn what_is_said_without_the_build_is_what_is_said_with_it() {
    fn shown(value: &impl Debug) -> String {
        format!("{value:?}")
    }
    in_folder(true, |folder| {
        let inputs =
            given(folder, &[("ecr-repository", "team/app"), ("role-to-assume", "arn:aws:iam::012345678901:role/deliver")]);
        let env = Env { variable: &|_| None, event: Some(&event()) };
        let (with, without) = (Config::resolve(&inputs, &env).unwrap(), Config::without_build(&inputs, &env).unwrap());
        assert_eq!(
            (with.environment, with.context, with.destination),
            (without.environment, without.context, without.destination)
        );
        assert_eq!(shown(&(with.tags, with.publish, with.version)), shown(&(without.tags, without.publish, without.version)));
    });
}

#[test]
fn where_builds_are_run_is_by_all_builders_on_other_machines_in_any_order() {
    let of = |lines: &str| {
        let config =
            in_folder(true, |folder| resolve(folder, &[("buildkit-host", lines), ("platforms", "linux/amd64,linux/arm64")], &[]));
        config.unwrap().builder()
    };
    let here = of("unix:///run/buildkit/buildkitd.sock");
    assert_eq!(of("tcp://127.0.0.1:1234"), here);
    let two = of("linux/amd64=tcp://a:1\nlinux/arm64=tcp://b:1");
    assert_eq!(of("linux/arm64=tcp://b:1\nlinux/amd64=tcp://a:1\nunix:///run/other.sock"), two);
    for other in ["tcp://a:1", "linux/amd64=tcp://b:1\nlinux/arm64=tcp://a:1", "tcp://a:1\ntcp://b:1"] {
        assert_ne!(of(other), two, "{other}");
    }
    assert_ne!(two, here);
}

#[test]
fn each_platform_needs_a_builder_and_several_builders_need_platforms() {
    let problems = |lines: &str, platforms: &str| {
        let given = [("buildkit-host", lines), ("platforms", platforms)];
        in_folder(true, |folder| resolve(folder, &given, &[])).map(drop).map_err(|problems| said(&problems))
    };
    assert_eq!(problems("tcp://a:1", ""), Ok(()));
    assert_eq!(problems("tcp://a:1\nlinux/arm64=tcp://b:1", "linux/arm64,linux/amd64,linux/s390x"), Ok(()));
    assert_eq!(problems("linux/arm64=tcp://b:1", "linux/arm64"), Ok(()), "one line is enough for one platform");
    assert_eq!(problems("tcp://a:1\ntcp://b:1", ""), Err(vec!["platforms ".to_owned()]));
    let missing = ["platforms linux/amd64", "platforms linux/s390x"].map(str::to_owned).to_vec();
    assert_eq!(problems("linux/arm64=tcp://b:1", "linux/arm64,linux/amd64,linux/s390x"), Err(missing));
    assert_eq!(problems("linux/arm64=tcp://b:1", ""), Err(vec!["platforms ".to_owned()]));
}
