//! Documents, workflows and help that repeat the code's tables say what the tables say. `GP_DELIVER_BLESS=1 cargo test --lib
//! documentation` writes what stands between two marks anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

use crate::docs::document::holds;
use crate::environment::{Choice, Environment, Origin, Trigger};
use crate::tags::{self, VARIABLES, Values};
use crate::variables;

const REUSABLE: &str = ".github/workflows/_build-and-release.yml";
const CALLERS: [&str; 2] = ["docs/templates/workflows/delivery.yml", "docs/templates/workflows/monorepo.yml"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn yaml(name: &str) -> Value {
    serde_yaml::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Pages that people read.
fn pages() -> Vec<String> {
    let docs = std::fs::read_dir(path("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    docs.map(|path| format!("docs/{}", path.file_name().unwrap().display())).chain(["README.md".to_owned()]).collect()
}

/// What maps to an environment in a repository, in the order of the table.
fn triggers() -> impl Iterator<Item = (Environment, Trigger)> {
    let all = Environment::ALL.into_iter();
    let all = all.flat_map(|environment| environment.triggers().iter().map(move |trigger| (environment, *trigger)));
    all.filter(|(_, trigger)| *trigger != Trigger::Outside)
}

/// The environments that a workflow may choose.
fn in_workflows() -> Vec<&'static str> {
    let chosen = Environment::ALL.into_iter().filter(|environment| !environment.triggers().contains(&Trigger::Outside));
    chosen.map(Environment::name).collect()
}

/// The tags of a delivery without templates of its own, as a table has them.
fn tags_of(environment: Environment, version: Option<&str>) -> String {
    let version = version.map(|version| version.parse().unwrap());
    let (commit, now) = (Some("a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"), jiff::Timestamp::UNIX_EPOCH);
    let values = Values { environment, commit, branch: None, version: version.as_ref(), now };
    let planned = tags::plan(&tags::usual(), &values).unwrap();
    planned.tags.iter().map(|planned| format!("`{}`", planned.tag)).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_readmes_table_of_events_is_the_codes() {
    let row = |(environment, trigger)| {
        let (event, version) = match trigger {
            Trigger::Branch(name) => (format!("push to `{name}`"), None),
            Trigger::Tags(prefix) => (format!("tag `{prefix}1.2.3`"), Some("1.2.3")),
            Trigger::Outside => return None,
        };
        Some(format!("| {event} | `{environment}` | {} |\n", tags_of(environment, version)))
    };
    let rows: String = triggers().filter_map(row).collect();
    let by_hand = tags_of(Environment::first_blocking(), None);
    let table = format!(
        "| event | goes to | as |\n|---|---|---|\n{rows}\
         | run by hand | the chosen environment | {by_hand} |\n\
         | pull request (a fork's too), merge queue | nowhere: it is built and judged by the rules of the branch it is for | |\n"
    );
    holds("README.md", "triggers", &table);
}

#[test]
fn the_table_of_what_auto_comes_to_is_the_codes() {
    let row = |(environment, trigger)| match trigger {
        Trigger::Branch(name) => Some(format!("| push to `{name}` | `{environment}` | yes |\n")),
        Trigger::Tags(prefix) => {
            Some(format!("| a tag `{prefix}*`, pushed or released | `{environment}` | yes, also as `{{version}}` |\n"))
        }
        Trigger::Outside => None,
    };
    let rows: String = triggers().filter_map(row).collect();
    let table = format!(
        "| event | environment | published |\n|---|---|---|\n{rows}\
         | `workflow_dispatch`, `schedule`, `repository_dispatch` | that of their branch or tag | yes |\n\
         | `pull_request` (a fork's too), `merge_group` | that of the branch it is for | never |\n\
         | any other event | that of its ref | never: it may be a stranger's |\n"
    );
    holds("docs/inputs.md", "triggers", &table);
    let outside = Environment::of(Origin::Outside).unwrap();
    assert!(text("docs/inputs.md").contains(&format!("Outside GitHub Actions `auto` is `{outside}`.")));
}

#[test]
fn what_is_said_to_hold_from_an_environment_up_holds_from_the_first_blocking_one() {
    let phrase = Regex::new("[Ff]rom `?([a-z]+)`? up\\b").unwrap();
    let mut found = Vec::new();
    for page in pages() {
        found.extend(phrase.captures_iter(&text(&page)).map(|found| (page.clone(), found[1].to_owned())));
    }
    assert!(found.len() > 1, "{found:?}");
    let first = Environment::first_blocking();
    // The Security tab has them from there on too, and no page says otherwise.
    assert_eq!(Environment::ALL.into_iter().find(|environment| environment.requirements().sarif_upload), Some(first));
    for (page, name) in found {
        assert_eq!(name, first.name(), "{page}");
    }
}

#[test]
fn an_environment_in_an_example_is_one_that_there_is() {
    let flag = Regex::new("--environment ([^ `\\n]+)").unwrap();
    let mut count = 0;
    for page in pages() {
        for found in flag.captures_iter(&text(&page)) {
            count += 1;
            assert!(found[1].parse::<Choice>().is_ok(), "{page}: {}", &found[0]);
        }
    }
    assert!(count > 1);
}

fn strings(value: &Value) -> BTreeSet<&str> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list")).iter().map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn a_caller_runs_for_what_maps_to_an_environment_and_offers_each() {
    let branches: BTreeSet<_> = triggers()
        .filter_map(|(_, trigger)| match trigger {
            Trigger::Branch(name) => Some(name.to_owned()),
            Trigger::Tags(_) | Trigger::Outside => None,
        })
        .collect();
    let tags: BTreeSet<_> = triggers()
        .filter_map(|(_, trigger)| match trigger {
            Trigger::Tags(prefix) => Some(format!("{prefix}*")),
            Trigger::Branch(_) | Trigger::Outside => None,
        })
        .collect();
    let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    for caller in CALLERS {
        let on = &yaml(caller)["on"];
        assert_eq!(owned(strings(&on["push"]["branches"])), branches, "{caller}");
        assert_eq!(owned(strings(&on["push"]["tags"])), tags, "{caller}");
        assert_eq!(owned(strings(&on["pull_request"]["branches"])), branches, "{caller}");
    }
    let expected: Vec<_> = [Choice::AUTO].into_iter().chain(in_workflows()).collect();
    for workflow in CALLERS.into_iter().chain([REUSABLE]) {
        let chosen = &yaml(workflow)["on"]["workflow_dispatch"]["inputs"]["environment"];
        assert_eq!(chosen["options"], serde_json::json!(expected), "{workflow}");
        assert_eq!(chosen["default"], Choice::AUTO, "{workflow}");
    }
}

#[test]
fn the_reusable_workflow_maps_what_the_table_maps() {
    let workflow = yaml(REUSABLE);
    let job = &workflow["jobs"]["deliver"];
    let branch = Regex::new("github\\.ref == 'refs/heads/([^']+)' && '([^']+)'").unwrap();
    let tag = Regex::new("startsWith\\(github\\.ref, 'refs/tags/([^']+)'\\) && '([^']+)'").unwrap();
    let expected: BTreeSet<_> =
        triggers().map(|(environment, trigger)| (format!("{trigger:?}"), environment.name().to_owned())).collect();
    for expression in [&job["environment"], &job["concurrency"]["group"]] {
        let expression = expression.as_str().unwrap();
        let of = |pattern: &Regex, kind: &str| -> BTreeSet<_> {
            let found = pattern.captures_iter(expression);
            found.map(|found| (format!("{kind}({:?})", &found[1]), found[2].to_owned())).collect()
        };
        let found: BTreeSet<_> = of(&branch, "Branch").into_iter().chain(of(&tag, "Tags")).collect();
        assert_eq!(found, expected, "{expression}");
    }
    let description = workflow["on"]["workflow_call"]["inputs"]["environment"]["description"].as_str().unwrap();
    let names = in_workflows();
    let (last, others) = names.split_last().unwrap();
    assert!(description.starts_with(&format!("{} or {last};", others.join(", "))), "{description}");
    for (environment, trigger) in triggers() {
        let name = match trigger {
            Trigger::Branch(name) => name.to_owned(),
            Trigger::Tags(prefix) => format!("{prefix}*"),
            Trigger::Outside => continue,
        };
        let (_, of_environment) = description.split_once(&format!("{environment} for ")).unwrap();
        assert!(of_environment.contains(&name), "{name}: {description}");
    }
}

#[test]
fn every_tag_variable_stands_in_the_docs_and_in_the_help() {
    let row = |variable: &tags::Variable| {
        let kind = if variable.fixed { "fixed" } else { "moves" };
        format!("| `{variable}` | {} | {kind} |\n", variable.what)
    };
    let rows: String = VARIABLES.iter().map(row).collect();
    holds("docs/inputs.md", "tag-variables", &format!("| variable | value | a tag with it |\n|---|---|---|\n{rows}"));
    let mut command = crate::cli::command();
    let deliver = command.find_subcommand_mut("deliver").unwrap();
    let help = deliver.render_long_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    for variable in &VARIABLES {
        assert!(help.contains(&format!("{variable} {}", variable.what)), "{variable}: {help}");
    }
}

#[test]
fn every_variable_of_the_environment_stands_in_the_docs() {
    let rows = variables::ALL.iter().map(|(name, what)| format!("| `{name}` | {} |\n", what.trim()));
    let table = format!("| variable | what it is for |\n|---|---|\n{}", rows.collect::<String>());
    holds("docs/environment-variables.md", "variables", &table);
}

/// The code of the product: each file's part before its tests, files of tests left out.
fn code() -> Vec<(PathBuf, String)> {
    let tests = Regex::new(r"#\[cfg\(test\)\]\s*(?:pub\(crate\) )?mod (\w+)\s*([;{])").unwrap();
    let files = walkdir::WalkDir::new(path("src")).into_iter().map(|entry| entry.unwrap().into_path());
    let files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| (std::fs::read_to_string(&path).unwrap(), path))
        .collect();
    let of_tests: BTreeSet<_> = files
        .iter()
        .flat_map(|(text, _)| tests.captures_iter(text).filter(|found| &found[2] == ";").map(|found| found[1].to_owned()))
        .collect();
    let product = files.into_iter().filter(|(_, path)| !of_tests.contains(&*path.file_stem().unwrap().to_string_lossy()));
    let before_tests = |text: String| match tests.captures_iter(&text).find(|found| &found[2] == "{") {
        Some(found) => text[..found.get(0).unwrap().start()].to_owned(),
        None => text,
    };
    product.map(|(text, path)| (path, before_tests(text))).collect()
}

#[test]
fn the_environment_is_read_in_one_place_and_by_constants() {
    let code = code();
    assert!(code.len() > 100, "{}", code.len());
    for (file, text) in code.iter().filter(|(file, _)| !file.ends_with("src/variables.rs")) {
        assert!(!text.contains("env::var"), "{} reads the environment: src/variables.rs does that", file.display());
        // What a program that we start finds there is no reading.
        let text = text.replace(".env(\"", "");
        let written: Vec<_> = variables::ALL.iter().filter(|(name, _)| text.contains(&format!("\"{name}\""))).collect();
        assert!(written.is_empty(), "{} names {written:?}: src/variables.rs has constants of them", file.display());
    }
}

/// The sources below a folder.
fn sources(folder: &str) -> String {
    let files = walkdir::WalkDir::new(path(folder)).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"));
    files.map(|entry| std::fs::read_to_string(entry.path()).unwrap()).collect()
}

#[test]
fn each_promise_of_the_threat_model_names_a_test_that_is_there() {
    let page = text("docs/security.md");
    let (units, name) = (sources("src"), Regex::new("`([a-z_]+)::([a-z_:]+)`").unwrap());
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what"));
    for row in rows {
        let named: Vec<_> = name.captures_iter(row).collect();
        assert!(!named.is_empty(), "no test shows this: {row}");
        for test in named {
            let function = format!("fn {}()", test[2].rsplit("::").next().unwrap());
            let module = path(&format!("tests/it/{}.rs", &test[1]));
            let place = if module.exists() { std::fs::read_to_string(module).unwrap() } else { units.clone() };
            assert!(place.contains(&function), "docs/security.md names {}, which is not there", &test[0]);
        }
    }
}
