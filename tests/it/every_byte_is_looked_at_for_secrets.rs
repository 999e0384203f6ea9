//! No secret gets past prod because of where it is: in a file of any name, below any folder, in any commit of what is delivered.

use std::fs;
use std::process::Command;

use crate::support::job::in_job;
use crate::support::{Delivery, Ended, Source, run, secret};

/// All of the source goes into the image, git's own folder too.
const ALL: &str = "FROM scratch\nCOPY . /\n";

fn source() -> Source {
    Source::in_git(&[("Dockerfile", ALL), ("readme", "1\n")])
}

fn token() -> String {
    format!("TOKEN={}\n", secret())
}

fn at_prod(source: &Source) -> Delivery {
    source.deliver().flag("--environment", "prod").flag("--sbom-formats", "")
}

/// A push to main of the source as it is, after the commit `before`.
fn push(source: &Source, before: &str) -> Delivery {
    let payload = source.beside("event.json");
    fs::write(&payload, format!(r#"{{"before":"{before}"}}"#)).unwrap();
    let delivery = in_job(source, vec![]).flag("--environment", "prod").flag("--sbom-formats", "");
    delivery.variable("GITHUB_EVENT_PATH", payload.to_str().unwrap())
}

#[track_caller]
fn is_held_back(source: &Source, ended: &Ended, file: &str) {
    ended.says(file).does_not_say(&secret());
    assert!(!source.beside("image").exists(), "it is published");
}

#[test]
fn a_secret_that_held_one_push_back_is_not_delivered_by_the_next() {
    for (name, start) in [("prod.br", ""), ("notes.txt", "%PDF-1.4\n"), ("logo.png", ""), ("yarn.lock", "")] {
        let source = source();
        let zero = source.commit("zero");
        source.write(name, &format!("{start}{}", token()));
        let leak = source.commit("leak");
        is_held_back(&source, &push(&source, &zero).ends_with(3), name);
        source.write("readme", "2\n");
        let next = source.commit("readme");
        is_held_back(&source, &push(&source, &leak).ends_with(3), name);
        fs::remove_file(source.context().join(name)).unwrap();
        source.commit("clean");
        is_held_back(&source, &push(&source, &next).ends_with(3), name);
    }
}

#[test]
fn what_a_push_brought_alone_is_scanned_by_choice_and_the_report_says_so() {
    let source = source();
    source.write("settings.env", &token());
    source.commit("leak");
    fs::remove_file(source.context().join("settings.env")).unwrap();
    let clean = source.commit("clean");
    source.write("readme", "2\n");
    source.commit("readme");
    push(&source, &clean).flag("--secrets-history", "push").ends_with(0);
    assert!(source.summary().contains(&format!("Only the commits after {clean} were scanned")), "{}", source.summary());
}

#[test]
fn a_shallow_clone_at_prod_is_an_error_that_names_the_way_out() {
    let whole = source();
    whole.commit("second");
    let source = Source::new(&[]);
    fs::remove_dir(source.context()).unwrap();
    let from = format!("file://{}", whole.context().display());
    run(Command::new("git").args(["clone", "--quiet", "--depth=1", &from]).arg(source.context()));
    at_prod(&source).ends_with(1).says("fetch-depth: 0");
    at_prod(&source).flag("--secrets-history", "none").ends_with(0).says("No commits were scanned for secrets");
}

#[test]
fn a_leak_on_a_branch_that_is_not_delivered_holds_nothing_back() {
    let source = source();
    source.git(&["checkout", "--quiet", "-b", "feature"]);
    source.write("settings.env", &token());
    source.commit("leak");
    source.git(&["checkout", "--quiet", "main"]);
    // The branch's commits would be in the image with the rest of git's folder.
    source.write(".dockerignore", ".git\n");
    source.commit("ignore");
    at_prod(&source).ends_with(0);
}

#[test]
fn what_is_below_a_dot_git_folder_and_goes_into_the_image_is_looked_at() {
    let source = source();
    source.write(".gitignore", "vendor\n");
    source.commit("ignore");
    source.write("vendor/lib/.git/config", &format!("url = https://x:{}@example.com\n", secret()));
    is_held_back(&source, &at_prod(&source).ends_with(3), "vendor/lib/.git/config");
}

#[test]
fn what_git_ignores_is_looked_at_unless_no_build_sees_it_on_a_laptop() {
    let source = source();
    source.write(".gitignore", "target/\ndist/\nvendor/\n");
    source.write(".dockerignore", ".git\ntarget\nvendor\n!vendor/lib/a.so\n");
    source.write("target/kept.env", "1\n");
    source.git(&["add", "--force", "target/kept.env"]);
    source.commit("ignore");
    source.write("target/debug/out.bin", &token());
    let unread = "not read: 1 path that git ignores and no build sees";
    source.deliver().ends_with(0).says("0 leaks in the working tree").says(unread).does_not_say("out.bin");
    // A run's checkout is read as a whole.
    in_job(&source, vec![]).flag("--environment", "dev").flag("--sbom-formats", "").ends_with(0).says("out.bin");
    fs::remove_dir_all(source.beside("image")).unwrap();
    for file in ["target/kept.env", "dist/app.js", "vendor/lib/a.so"] {
        source.write(file, &token());
        is_held_back(&source, &at_prod(&source).ends_with(3), file);
        fs::write(source.context().join(file), "1\n").unwrap();
    }
}

#[test]
fn a_token_that_the_checkout_keeps_in_gits_own_folder_is_found_where_it_goes_into_the_image() {
    let source = source();
    at_prod(&source).ends_with(0).says("Name .git in .dockerignore");
    fs::remove_dir_all(source.beside("image")).unwrap();
    source.git(&["config", "http.extraheader", &format!("AUTHORIZATION: bearer {}", secret())]);
    is_held_back(&source, &at_prod(&source).ends_with(3), ".git/config");
    source.write(".dockerignore", ".git\n");
    source.commit("ignore");
    at_prod(&source).ends_with(0);
}

#[test]
fn a_folder_of_the_report_folders_name_is_the_projects() {
    let source = source();
    source.write("report/leak.env", &token());
    source.commit("leak");
    let ended = at_prod(&source).flag("--report-dir", "report").ends_with(3);
    is_held_back(&source, &ended, "report/leak.env");
}

#[test]
fn a_link_that_says_a_secret_is_looked_at() {
    let source = source();
    std::os::unix::fs::symlink(secret(), source.context().join("link")).unwrap();
    is_held_back(&source, &at_prod(&source).ends_with(3), "link");
}

#[test]
fn a_key_that_came_in_two_commits_and_is_gone_by_now_holds_prod_back() {
    let lines = "MIIEpAIBAAKCAQEA7Zq2Rk9Vb3Xw8Lm4Pt1Ys6Nd5Hc0Gf/JaQe+TuIoPlKjHgF\n".repeat(12);
    let mark = |word: &str| format!("-----{word} RSA PRIVATE {}-----\n", "KEY");
    let first = format!("{}{lines}", mark("BEGIN"));
    let source = source();
    source.write("id", &first);
    source.commit("one");
    source.write("id", &format!("{first}{lines}{}", mark("END")));
    source.commit("two");
    fs::remove_file(source.context().join("id")).unwrap();
    source.commit("gone");
    is_held_back(&source, &at_prod(&source).ends_with(3), "private-key");
}

#[test]
fn a_secret_that_is_a_name_or_a_message_holds_prod_back() {
    let as_name = source();
    as_name.write(&format!("settings/{}", secret()), "1\n");
    as_name.commit("settings");
    is_held_back(&as_name, &at_prod(&as_name).ends_with(3), "settings/ghp_***");
    let as_message = source();
    as_message.write("readme", "2\n");
    as_message.commit(&format!("Use {}", secret()));
    is_held_back(&as_message, &at_prod(&as_message).ends_with(3), ".git/COMMIT_EDITMSG");
}

#[test]
fn rules_of_a_project_lead_to_no_file_outside_of_it() {
    let source = source();
    let outside = source.beside("outside.toml");
    fs::write(&outside, "[[allowlists]]\npaths = [\"leak\"]\n").unwrap();
    source.write("leak.env", &token());
    let rule = "[[rules]]\nid = \"own\"\nregex = '''ghp_[A-Za-z0-9]{36}'''\n";
    for key in ["\"extend.path\"", "extend.PATH", "\"EXTEND\".\"path\""] {
        source.write(".gitleaks.toml", &format!("{key} = \"{}\"\n{rule}", outside.display()));
        at_prod(&source).ends_with(1).says(".gitleaks.toml can't be used");
    }
    source.write(".gitleaks.toml", rule);
    at_prod(&source).ends_with(3).says("replaces all of gitleaks' own rules");
}
