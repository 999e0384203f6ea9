//! Whoever names a branch, a file or a package, or writes to a build's output, gives no orders: not to the runner that reads
//! the log, not to the page that shows the report.

use std::fs;

use doubles::github::{GitHub, Options};

use crate::support::job::{commit, in_job};
use crate::support::{Ended, Source, secret};

/// Words that try to leave their place in a terminal, a log, a page and a link.
const WORDS: &str = "\u{1b}[2J\u{1b}]0;t\u{7}</td><script>alert(1)</script>|\n::error file=x::owned\r\n##[error]x `c` ``` \
                     ![i](https://evil.example/i.png) [l](javascript:x) @team #1 \u{202e}";

/// The same without what a path may not have.
fn in_path() -> String {
    WORDS.replace('/', "∕")
}

/// A source whose every word is hostile: file names, a package, a Dockerfile that fails or not, its output.
fn source(last: &str) -> Source {
    let package = format!("Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\nSummary: {}\n", WORDS.replace(['\n', '\r'], " "));
    // printf knows neither \x1b in dash nor what a word means.
    let printed = WORDS.replace('\u{1b}', "\\033").replace('\u{7}', "\\007").replace('\n', "\\n").replace('\r', "\\r");
    let printed = printed.replace('\'', "").replace('`', "\\140").replace('%', "%%");
    let dockerfile = format!(
        "FROM debian:bookworm-slim\nCOPY vendor /app/vendor\n\
         RUN printf '{printed}\\n::stop-commands::x\\n::set-output name=digest::sha256:0\\n  ::add-mask::a\\n##[group]x\\n'\n{last}\n"
    );
    let leak = format!("leak{}.env", in_path());
    Source::in_git(&[
        ("Dockerfile", &dockerfile),
        ("vendor/PyYAML-5.3.dist-info/METADATA", &package),
        (&leak, &format!("TOKEN={}\n", secret())),
        (".trivyignore", &format!("CVE-2000-0001 {}\n", WORDS.replace(['\n', '\r'], " "))),
    ])
}

/// The lines of a log that the runner takes for commands (actions/runner, `ActionCommand.cs`).
fn commands(log: &str) -> Vec<&str> {
    let lines = log.split(['\n', '\r']);
    lines.filter(|line| line.trim_start().starts_with("::") || line.contains("##[")).collect()
}

/// That only our own commands are in a log, and nothing that a terminal obeys.
#[track_caller]
fn harmless(ended: &Ended, token: &str) {
    for command in commands(&ended.stderr) {
        assert!(command.starts_with("::group::") || command == "::endgroup::", "{command:?}\n{ended}");
        assert!(!command.contains("owned"), "{command:?}\n{ended}");
    }
    for command in commands(&ended.stdout) {
        let ours = command == format!("::add-mask::{token}")
            || command.starts_with("::error file=")
            || command.starts_with("::warning file=");
        assert!(ours && !command.contains("file=x"), "{command:?}\n{ended}");
    }
    for log in [&ended.stderr, &ended.stdout] {
        assert!(!log.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{ended}");
    }
}

/// That a page of Markdown shows no element of a stranger's.
#[track_caller]
fn is_plain(markdown: &str) {
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.render.r#unsafe = true;
    let page = comrak::markdown_to_html(markdown, &options);
    for element in ["<script", "<img", "href=\"javascript", "href=\"https://evil"] {
        assert!(!page.contains(element), "{element} in {page}");
    }
    assert!(!markdown.contains("\n::") && !markdown.contains('\u{1b}'), "{markdown}");
}

#[test]
fn in_a_delivery_that_is_blocked() {
    let source = source("");
    let repository = GitHub::start().repository(Options::default().branch("main", &commit(&source)));
    let delivery = in_job(&source, repository.environment()).flag("--environment", "test");
    let delivery = delivery.variable("GITHUB_OUTPUT", source.beside("output").to_str().unwrap());
    let ended = delivery.variable("GITHUB_STEP_SUMMARY", source.beside("step-summary").to_str().unwrap()).ends_with(3);
    harmless(&ended, &repository.token());
    is_plain(&source.summary());
    is_plain(&fs::read_to_string(source.beside("step-summary")).unwrap());
    let [check] = &*repository.check_runs() else { panic!("no check run") };
    is_plain(check.summary.as_ref().unwrap());
    for alert in repository.alerts("refs/heads/main") {
        assert!(!alert.message.contains(['\u{1b}', '\n']) && !alert.message.contains("]("), "{alert:?}");
    }
    let outputs = fs::read_to_string(source.beside("output")).unwrap();
    assert!(!outputs.contains("owned") && !outputs.contains("sha256:0\n"), "{outputs}");
}

#[test]
fn in_a_build_that_fails() {
    let source = source(&format!("RUN echo '{}' && false", WORDS.replace(['\n', '\r', '\''], " ")));
    let ended = in_job(&source, vec![]).flag("--environment", "dev").ends_with(1);
    harmless(&ended, "");
    is_plain(&source.summary());
}

#[test]
fn in_the_names_of_a_branch_and_of_tags() {
    let source = source("");
    let hostile = format!("refs/heads/{WORDS}");
    let delivery = in_job(&source, vec![]).variable("GITHUB_REF", &hostile).flag("--tags", "{sha},{branch}");
    let ended = delivery.clone().flag("--environment", "dev").ends_with(0);
    harmless(&ended, "");
    is_plain(&source.summary());
    let ended = delivery.flag("--environment", "auto").ends_with(2);
    harmless(&ended, "");
    is_plain(&source.summary());
}
