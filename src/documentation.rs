//! Documents, workflows and help that repeat the code's tables say what the tables say; what the binary prints is held by
//! `tests/it/docs.rs`. `GP_DELIVER_BLESS=1 cargo test --lib documentation` writes what stands between two marks anew.

#[path = "../tests/it/support/document.rs"]
mod document;
mod tables;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

use self::document::holds;
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

/// A row of the table of bounds: what is bounded, the limit, and what happens there.
type Bound = (&'static str, String, &'static str);

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn gib(bytes: u64) -> String {
    format!("{} GiB", bytes >> 30)
}

/// The bounds of what comes and goes.
fn bounds_of_transfers() -> Vec<Bound> {
    use crate::aws::ecr::findings::{MAX_PAGES, PAGE};
    use crate::findings::wait::LAST_LOOK;
    use crate::net::Pace;
    use crate::oci::registry::{MAX_REDIRECTS, MAX_TAGS, Patience};
    use crate::scan::database;
    use crate::text::{self, span};
    use crate::{buildkit, pipeline};
    let Patience { answer, token, commit, commit_rate, tags, .. } = Patience::USUAL;
    vec![
        ("content to and from a registry", Pace::REMOTE.to_string(), "it is given up; of the database, the next mirror is asked"),
        (
            "the beginning of a registry's answer",
            format!("{}, {MAX_REDIRECTS} redirects included; a token {}", span(answer), span(token)),
            "it is asked once more, and then given up",
        ),
        (
            "its answer to a blob that it has",
            format!("{} and a second for each {}", span(commit), text::size(commit_rate)),
            "it is sent once more, and then given up",
        ),
        ("a mirror's word on what it has", span(database::ANSWER), "the next mirror is asked"),
        (
            "the tags of a repository",
            format!("{MAX_TAGS} in {}", span(tags)),
            "none is known, and what would need them is not done",
        ),
        (
            "an answer of a builder that is no work for it",
            span(buildkit::session::silence::ANSWER),
            "there is none; the build fails",
        ),
        (
            "what Amazon ECR's own scan found in an image",
            format!("{} pages of {} findings; `ecr-scan-wait`, and {} for the last look", MAX_PAGES, PAGE, span(LAST_LOOK)),
            "there is no result",
        ),
        ("an answer of an SSH agent", span(buildkit::session::ssh::PATIENCE), "the step's connection to it ends"),
        ("content from a builder", Pace::BUILDER.to_string(), "the build fails"),
        ("an image that an engine saves, before its first byte", span(buildkit::builder::FIRST_PIECE), "the build fails"),
        (
            "a builder that does not answer in the middle of a build, or asks no more whether its client is there",
            span(buildkit::session::silence::SILENCE),
            "the build fails; a step may be silent for as long as it likes",
        ),
        ("a build", span(pipeline::build_sessions::LONGEST), "the build fails"),
        (
            "what a build cache has: the list of it, and then a build that says nothing, while no step or only silent ones run",
            format!(
                "{}; {}, {}",
                span(buildkit::progress::CACHE_ANSWER),
                span(buildkit::progress::CACHE_SILENCE),
                span(buildkit::progress::CACHE_SILENCE_OF_STEPS)
            ),
            "it is built without the cache",
        ),
        ("writing a build cache", span(pipeline::caching::LONGEST), "it is not written"),
        (
            "a build cache in a folder",
            format!(
                "{} once it is written and {} meanwhile, with {} of the disk left",
                text::size(buildkit::cache_folder::MAX_BYTES),
                text::size(buildkit::cache_folder::MAX_BYTES_WRITING),
                text::size(buildkit::cache_folder::LEFT_FREE)
            ),
            "what was written first goes; what does not fit is not written",
        ),
        (
            "what the steps of a build print",
            mib(buildkit::progress::MAX_OUTPUT as u64),
            "the log says that the rest is left out, and each step how much; a failure has its last lines",
        ),
        (
            "steps of a build, and warnings of its Dockerfile",
            format!("{} and {}", buildkit::progress::MAX_STEPS, buildkit::progress::MAX_WARNINGS),
            "the rest is left out",
        ),
    ]
}

/// The bounds of what is read, run and written.
fn bounds_of_contents() -> Vec<Bound> {
    use crate::oci::registry::MAX_MANIFEST;
    use crate::oci::{archive, bounds, layer, layout};
    use crate::scan::{database, gitleaks, syft, trivy};
    use crate::text::{self, span};
    use crate::{pipeline, process, report};
    assert_eq!(MAX_MANIFEST, layout::MAX_DOCUMENT_BYTES);
    vec![
        ("a manifest, an index, a configuration", mib(MAX_MANIFEST), "the image is refused"),
        ("manifests of an index", bounds::MAX_MANIFESTS.to_string(), "the image is refused before they are fetched"),
        ("layers of a manifest", bounds::MAX_LAYERS.to_string(), "the image is refused before they are fetched"),
        ("an image, as it is sent", text::size(bounds::MAX_BYTES), "the image is refused before it is fetched"),
        (
            "the layers of an image that was not built here, unpacked",
            format!(
                "{} and {} files, with {} of the disk left",
                gib(layer::MAX_BYTES),
                layer::MAX_ENTRIES,
                mib(crate::oci::disk::RESERVE)
            ),
            "it is not taken",
        ),
        ("a path in a layer", format!("{} bytes", layer::MAX_PATH), "the file is looked through under another name"),
        ("what an archive says of a file before it: names, attributes", mib(archive::MAX_HEADERS), "the image is not taken"),
        (
            "a database",
            format!(
                "{} packed, {} unpacked and {} times what it was",
                gib(database::MAX_ARCHIVE_BYTES),
                gib(database::MAX_DATABASE_BYTES),
                database::MAX_RATIO
            ),
            "the next mirror is asked",
        ),
        (
            "scanners at once",
            format!("a processor each, {} at least, and {} of memory each", process::FEWEST, mib(process::MEMORY)),
            "the others wait, which is no part of their time",
        ),
        ("a scanner", span(pipeline::scanning::DEADLINE), "the scan fails"),
        (
            "a scanner's report",
            format!(
                "gitleaks {}, trivy {}, syft {}",
                mib(gitleaks::run::MAX_REPORT_BYTES),
                gib(trivy::report::MAX_BYTES),
                gib(syft::MAX_BYTES)
            ),
            "the scan fails",
        ),
        (
            "`record.json`",
            format!("{} findings, {} entries of other lists", report::bounded::FINDINGS, report::bounded::ENTRIES),
            "the worst stay, and a warning in it says what is left out; gates and outputs go by all",
        ),
        ("the report of another job", mib(report::claimed::BYTES), "it is not shown"),
        ("`summary.md`", mib(report::summary::LIMIT as u64), "tables are cut, with a line that says so"),
        (
            "a SARIF file",
            format!("{} results and {} after gzip", report::sarif::RESULTS, text::size(report::sarif::COMPRESSED as u64)),
            "the worst stay, and the file says what is left out",
        ),
        ("annotations", report::annotations::MOST.to_string(), "the last one says how many more there are"),
    ]
}

#[test]
fn the_bounds_that_the_threat_model_names_are_the_codes() {
    let rows = bounds_of_transfers()
        .into_iter()
        .chain(bounds_of_contents())
        .map(|(what, limit, happens)| format!("| {what} | {limit} | {happens} |\n"));
    holds("docs/security.md", "bounds", &format!("| what | limit | what happens |\n|---|---|---|\n{}", rows.collect::<String>()));
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

#[test]
fn every_variable_that_stays_in_the_environment_stands_in_the_docs() {
    let names: Vec<_> = variables::HARMLESS.iter().map(|name| format!("`{name}`")).collect();
    holds("docs/environment-variables.md", "harmless", &format!("{}.\n", names.join(", ")));
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
        for reader in ["env::var", "env::{", "env::home_dir", "env::set_var", "env::remove_var", "Env::real", "option_env!"] {
            assert!(!text.contains(reader), "{} reads the environment ({reader}): src/variables.rs does that", file.display());
        }
        let reads_arguments = text.contains("env::args") && !file.ends_with("src/main.rs");
        assert!(!reads_arguments, "{} reads the arguments: those of the process are not those of the run", file.display());
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
    // The last table is held to the code itself.
    let page = page.split("\n## Bounds\n").next().unwrap();
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

#[test]
fn each_promise_of_the_readme_has_its_row_in_the_threat_model() {
    let (readme, page) = (text("README.md"), text("docs/security.md"));
    let between = |page: &str, begin: &str, end: &str| {
        let (_, rest) = page.split_once(begin).unwrap_or_else(|| panic!("{begin} is not there"));
        rest.split_once(end).unwrap_or_else(|| panic!("{end} is not there")).0.to_owned()
    };
    let section = between(&readme, "## What you can rely on", "\n## ");
    let bold = section.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("**"));
    let promises: Vec<_> = bold.map(|(promise, _)| promise.trim_end_matches('.')).collect();
    assert!(promises.len() > 20, "{promises:?}");
    let rows = between(&page, "\n## Each promise of the README", "\n## ");
    let rows: Vec<_> = rows.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ")).skip(1).collect();
    assert_eq!(rows.iter().map(|(promise, _)| *promise).collect::<Vec<_>>(), promises);
}
