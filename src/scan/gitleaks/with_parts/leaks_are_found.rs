//! A secret in the source is found wherever it is, and its value is in nothing that is given back.

use super::repository::{Repository, secret};
use crate::process::testing::launcher;
use crate::scan::gitleaks::{self, History, Leaks, Lists};

async fn scan(repository: &Repository, history: History) -> Leaks {
    let lists = Lists::of_change(repository.root(), None).await.unwrap();
    let exclude = ["report".into(), ".git".into()];
    let request = repository.request(&history, &exclude, &lists);
    let leaks = gitleaks::scan(&launcher(), &request).await.unwrap();
    let all = format!("{leaks:?}");
    assert!((0..40).all(|number| !all.contains(&secret(number))), "a secret's value is given back: {all}");
    leaks
}

fn places(leaks: &Leaks) -> Vec<(&str, u32, Option<&str>)> {
    leaks.findings.iter().map(|leak| (leak.file.as_str(), leak.line, leak.commit.as_deref())).collect()
}

#[tokio::test]
async fn a_clean_source_has_no_leaks() {
    let repository = Repository::new();
    repository.write("a.txt", "nothing here\n");
    repository.commit();
    let leaks = scan(&repository, History::Full).await;
    assert_eq!(leaks, Leaks { commits: 1, ..Leaks::default() });
}

#[tokio::test]
async fn a_leak_in_the_working_tree_is_found_committed_or_not() {
    let repository = Repository::new();
    repository.write("committed/a.txt", &format!("one\ntwo\nkey = {}\n", secret(1)));
    let commit = repository.commit();
    repository.write("new.txt", &format!("key = {}\n", secret(2)));
    let leaks = scan(&repository, History::Full).await;
    assert_eq!(places(&leaks), [("committed/a.txt", 3, Some(&*commit)), ("new.txt", 1, None)]);
    let leak = &leaks.findings[0];
    assert_eq!((leak.rule.as_str(), leak.fingerprint.as_str()), ("aws-access-token", "committed/a.txt:aws-access-token:3"));
    assert!(leaks.suppressions.is_empty());
}

#[tokio::test]
async fn a_leak_that_a_later_commit_removed_is_still_a_leak() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("key = {}\n", secret(1)));
    let commit = repository.commit();
    repository.remove("a.txt");
    repository.commit();
    let leaks = scan(&repository, History::Full).await;
    assert_eq!(places(&leaks), [("a.txt", 1, Some(&*commit))]);
    assert_eq!(leaks.findings[0].fingerprint, format!("{commit}:a.txt:aws-access-token:1"));
    assert_eq!(leaks.commits, 2);
}

#[tokio::test]
async fn the_history_is_that_of_the_delivered_commit_and_of_no_other_branch() {
    let repository = Repository::new();
    repository.write("a.txt", "one\n");
    repository.commit();
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("b.txt", &format!("key = {}\n", secret(1)));
    let commit = repository.commit();
    repository.git(&["checkout", "--quiet", "main"]);
    assert_eq!(places(&scan(&repository, History::Full).await), []);
    repository.git(&["merge", "--quiet", "--no-ff", "feature"]);
    repository.git(&["rm", "--quiet", "b.txt"]);
    repository.commit();
    assert_eq!(places(&scan(&repository, History::Full).await), [("b.txt", 1, Some(&*commit))]);
}

#[tokio::test]
async fn neither_a_files_name_nor_its_first_bytes_hide_a_leak_in_the_tree_or_in_a_commit() {
    let names = [
        "prod.br",
        "a.zip",
        "logo.png",
        "x.svg",
        "id.bin",
        "package-lock.json",
        "go.sum",
        "node_modules/a/.env",
        "vendor/k8s.io/a.go",
        "venv/lib/x.py",
        "jquery.js",
        "gradlew",
        ".gitleaks.toml.old",
        "verification-metadata.xml",
        "rename.txt",
        "sub/.gitignore",
        "@octokit/auth-token/README.md",
        "x.\u{17f}vg",
        "a-1.0.di\u{17f}t-info/x",
    ];
    let starts = ["", "%PDF-1.4\n", "PK\u{3}\u{4}", "\u{1f}\u{8b}\u{8}\0", "\u{7f}ELF\0\0\n", "#!/bin/sh\n", "MZ\0\0"];
    let repository = Repository::new();
    for (number, name) in (0..).zip(names) {
        repository.write(name, &format!("key = {}\n", secret(number)));
    }
    for (number, start) in (20..).zip(starts) {
        repository.write(&format!("start{number}"), &format!("{start}\nkey = {}\n", secret(number)));
    }
    repository.commit();
    let expected = names.len() + starts.len();
    assert_eq!(scan(&repository, History::None).await.findings.len(), expected);
    repository.git(&["rm", "--quiet", "-r", "."]);
    repository.commit();
    assert_eq!(scan(&repository, History::Full).await.findings.len(), expected);
}

#[tokio::test]
async fn a_repository_inside_hides_nothing() {
    let repository = Repository::new();
    repository.write("vendor/lib/.git/config", &format!("url = https://x:{}@example.com/\n", secret(1)));
    repository.write("b/.git", &format!("{}\n", secret(2)));
    let leaks = scan(&repository, History::None).await;
    assert_eq!(places(&leaks), [("b/.git", 1, None), ("vendor/lib/.git/config", 1, None)]);
}

#[tokio::test]
async fn a_leak_is_found_across_the_ends_of_what_gitleaks_is_given_at_once() {
    let repository = Repository::new();
    // Every stretch of 100,000 bytes ends somewhere near one of them, on long lines and on short ones.
    for (number, filler) in (1..).zip(["x".repeat(99_990), "x\n".repeat(49_990), "y".repeat(300_000) + " "]) {
        repository.write(&format!("{number}.txt"), &format!("{filler} key = {} {filler}", secret(number)));
    }
    repository.commit();
    let lines: Vec<_> =
        scan(&repository, History::Full).await.findings.iter().map(|leak| (leak.line, leak.commit.is_some())).collect();
    assert_eq!(lines, [(1, true), (49_991, true), (1, true)]);
}

#[tokio::test]
async fn a_leak_that_only_a_merge_brought_in_is_found() {
    let repository = Repository::new();
    repository.write("a.txt", "base\n");
    repository.commit();
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("a.txt", "theirs\n");
    repository.commit();
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("a.txt", "ours\n");
    repository.commit();
    repository.git(&["merge", "--quiet", "--strategy=ours", "--no-commit", "feature"]);
    repository.write("a.txt", &format!("key = {}\n", secret(1)));
    let merge = repository.commit();
    repository.write("a.txt", "clean\n");
    repository.commit();
    assert_eq!(places(&scan(&repository, History::Full).await), [("a.txt", 1, Some(&*merge))]);
}

#[tokio::test]
async fn a_leak_that_only_a_merge_of_three_brought_in_is_found() {
    let repository = Repository::new();
    repository.write("a.txt", "base\n");
    let base = repository.commit();
    for branch in ["one", "two", "three"] {
        repository.git(&["checkout", "--quiet", "-b", branch, &base]);
        repository.write(branch, branch);
        repository.commit();
    }
    repository.git(&["merge", "--quiet", "--no-commit", "one", "two"]);
    repository.write("b.txt", &format!("key = {}\n", secret(1)));
    let merge = repository.commit();
    repository.remove("b.txt");
    repository.commit();
    assert_eq!(places(&scan(&repository, History::Full).await), [("b.txt", 1, Some(&*merge))]);
}

#[tokio::test]
async fn a_leak_that_a_merge_commits_as_the_label_of_a_conflict_is_found() {
    let repository = Repository::new();
    repository.write("a.txt", "base\n");
    repository.commit();
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("a.txt", "theirs\n");
    repository.commit();
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("a.txt", "ours\n");
    repository.commit();
    repository.git(&["merge", "--quiet", "--strategy=ours", "--no-commit", "feature"]);
    repository.write("a.txt", &format!("<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> {}\n", secret(1)));
    let merge = repository.commit();
    repository.write("a.txt", "clean\n");
    repository.commit();
    assert_eq!(places(&scan(&repository, History::Full).await), [("a.txt", 5, Some(&*merge))]);
}

/// The text of a private key, in two halves: no file of ours holds it whole.
fn key() -> (String, String) {
    let lines = |begin: usize| -> String {
        let letters = b"MIIEpAIBwKCqgZ7VRSQ5TJN2XMPLKabcdefgh0123456789ij+kl";
        let line = |number: usize| letters.iter().cycle().skip(number * 7).step_by(3).take(64).map(|byte| char::from(*byte));
        (begin..begin + 12).flat_map(|number| line(number).chain(['\n'])).collect()
    };
    let mark = |word: &str| format!("-----{word} RSA PRIVATE {}-----\n", "KEY");
    (format!("{}{}", mark("BEGIN"), lines(0)), format!("{}{}", lines(12), mark("END")))
}

#[tokio::test]
async fn a_key_that_came_in_two_commits_is_found_though_neither_has_it_as_a_whole() {
    for filler in ["", &"a line\n".repeat(9000)] {
        let (first, second) = key();
        let repository = Repository::new();
        repository.write("id", &format!("{filler}{first}"));
        repository.commit();
        repository.write("id", &format!("{filler}{first}{second}"));
        let both = repository.commit();
        repository.remove("id");
        repository.commit();
        let line = u32::try_from(filler.lines().count()).unwrap() + 1;
        let leaks = scan(&repository, History::Full).await;
        assert_eq!(places(&leaks), [("id", line, Some(&*both))]);
        assert_eq!(leaks.findings[0].rule, "private-key");
    }
}

#[tokio::test]
async fn a_leak_is_of_the_first_commit_that_has_its_lines_whatever_changes_beside_it() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("one\nkey = {}\n", secret(1)));
    let first = repository.commit();
    repository.write("a.txt", &format!("zero\none\nkey = {}\nthree\n", secret(1)));
    repository.commit();
    let filler = "x\n".repeat(90_000);
    repository.write("a.txt", &format!("key = {}\n{filler}", secret(2)));
    let second = repository.commit();
    repository.write("a.txt", &format!("key = {}\n{filler}y\n", secret(2)));
    repository.commit();
    repository.remove("a.txt");
    repository.commit();
    let leaks = scan(&repository, History::Full).await;
    let mut expected = [("a.txt", 2, Some(&*first)), ("a.txt", 1, Some(&*second))];
    let mut found = places(&leaks);
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_content_that_is_at_many_paths_is_a_leak_at_each() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("key = {}\n", secret(1)));
    let first = repository.commit();
    repository.write("a.txt", &format!("key = {}\nmore\n", secret(1)));
    repository.write("b/c.txt", &format!("key = {}\nmore\n", secret(1)));
    let second = repository.commit();
    repository.git(&["mv", "b/c.txt", "d.txt"]);
    let third = repository.commit();
    let leaks = scan(&repository, History::Full).await;
    let commit = |file: &str| places(&leaks).into_iter().find(|place| place.0 == file).unwrap().2.unwrap().to_owned();
    assert_eq!((commit("a.txt"), commit("b/c.txt"), commit("d.txt"), leaks.findings.len()), (first, second, third, 3));
}

#[tokio::test]
async fn a_leak_in_the_message_of_a_commit_or_of_a_tag_is_found() {
    let repository = Repository::new();
    repository.write("a.txt", "one\n");
    let first = repository.commit();
    repository.git(&["commit", "--quiet", "--allow-empty", "--message", &format!("A change\n\nkey = {}", secret(1))]);
    let second = repository.git(&["rev-parse", "HEAD"]);
    let author = format!("{} <a@example.com>", secret(2));
    repository.git(&["commit", "--quiet", "--allow-empty", "--author", &author, "--message", "x"]);
    let third = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["tag", "--annotate", "v1", &first, "--message", &format!("key = {}", secret(3))]);
    repository.git(&["tag", "light", &first]);
    // Of another branch, which is not looked through.
    repository.git(&["checkout", "--quiet", "--orphan", "other"]);
    repository.write("other.txt", "other\n");
    let other = repository.commit();
    repository.git(&["tag", "--annotate", "v2", &other, "--message", &format!("key = {}", secret(4))]);
    repository.git(&["checkout", "--quiet", "main"]);
    let leaks = scan(&repository, History::Full).await;
    let message = ".git/COMMIT_EDITMSG";
    let mut expected = [(message, 3, Some(&*second)), (message, 4, Some(&*third)), (".git/refs/tags/v1", 1, Some(&*first))];
    let mut found = places(&leaks);
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_leak_in_the_name_of_a_file_or_a_folder_is_found_and_not_shown() {
    let repository = Repository::new();
    repository.write(&format!("a/{}/b.txt", secret(1)), "one\n");
    repository.write(&format!("a/x-{}.txt", secret(2)), "one\n");
    let first = repository.commit();
    repository.git(&["rm", "--quiet", "-r", "."]);
    repository.write(&secret(3), "one\n");
    for number in 0..600 {
        repository.write(&format!("many/an-ordinary-name-{number}"), "x");
    }
    let leaks = scan(&repository, History::Full).await;
    assert_eq!(places(&leaks), [("AKIA***", 1, None), ("a/AKIA***", 1, Some(&*first)), ("a/x-AK***", 1, Some(&*first))]);
}

#[tokio::test]
async fn no_name_takes_a_rule_away_that_asks_for_another() {
    let password = "hunter-2-and-more";
    let repository = Repository::new();
    for folder in ["src", "node_modules/a", "\u{e9}", "n\nl"] {
        let php = format!("'secret_key' => 'sk_{}'\n", &"Zx9".repeat(10)[..29]);
        repository.write(&format!("{folder}/a.php"), &php);
        repository.write(&format!("{folder}/main.tf"), &format!("password = \"{password}\"\n"));
        let nuget = format!("<add key=\"ClearTextPassword\" value=\"{password}\" />\n");
        repository.write(&format!("{folder}/nuget.config"), &nuget);
        repository.write_bytes(format!("{folder}/key.p12").as_bytes(), b"\x30\x82\0\xff");
        repository.write_bytes(format!("{folder}/zip.pfx").as_bytes(), b"PK\x03\x04\0\0");
    }
    repository.commit();
    let wanted = ["freemius-secret-key", "hashicorp-tf-password", "nuget-config-password", "pkcs12-file"];
    let counts = |leaks: &Leaks| wanted.map(|rule| leaks.findings.iter().filter(|leak| leak.rule == rule).count());
    assert_eq!(counts(&scan(&repository, History::None).await), [4, 4, 4, 8]);
    repository.git(&["rm", "--quiet", "-r", "."]);
    repository.commit();
    assert_eq!(counts(&scan(&repository, History::Full).await), [4, 4, 4, 8]);
}

#[tokio::test]
async fn a_word_that_stands_for_no_secret_does_not_make_one_harmless_that_has_it() {
    let token = |text: &str| format!("gh{}_{}", "p", text);
    let (first, second) = key();
    let commented = |word: &str| format!("{}Comment: {word}\n\n{}{second}", &first[..32], &first[32..]);
    let texts = [
        token("trueZq7Rk2Vb9Xw4Lm1Pt8Ys3Nd6Hc5Gf0Ja"),
        token("Zq7Rk2Vb9Xw4LmFaLsEPt8Ys3Nd6Hc5Gf0Ja"),
        token("Zq7Rk2Vb9Xw4Lm1Pt8Ys3Nd6Hc5Gf0Janull"),
        commented("false"),
        commented("abcdefghijklmnopqrstuvwxyz"),
        commented("014df517-39d1-4453-b7b3-9930c563627c"),
    ];
    let repository = Repository::new();
    for (number, text) in texts.iter().enumerate() {
        repository.write(&format!("{number}"), &format!("{text}\n"));
    }
    // What nobody means.
    repository.write("alphabet", &format!("{}\n", token("abcdefghijklmnopqrstuvwxyz0123456789")));
    let leaks = scan(&repository, History::None).await;
    let found: Vec<_> = leaks.findings.iter().map(|leak| leak.file.as_str()).collect();
    assert_eq!(found, ["0", "1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn the_rules_are_those_of_the_gitleaks_that_is_run() {
    let gitleaks = std::fs::read(launcher().find("gitleaks").unwrap().path()).unwrap();
    let own = include_bytes!("../default.toml");
    let at = gitleaks.windows(64).position(|window| window == &own[..64]).unwrap();
    assert!(gitleaks[at..].starts_with(own), "src/scan/gitleaks/default.toml is of another version");
}

#[tokio::test]
async fn what_was_there_before_the_wanted_commits_is_not_theirs() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("one\nkey = {}\n", secret(1)));
    let base = repository.commit();
    repository.write("a.txt", &format!("zero\none\nkey = {}\nkey = {}\n", secret(1), secret(2)));
    let second = repository.commit();
    repository.remove("a.txt");
    let last = repository.commit();
    let leaks = scan(&repository, History::Commits(format!("{base}..{last}").parse().unwrap())).await;
    assert_eq!(places(&leaks), [("a.txt", 4, Some(&*second))]);
}

#[tokio::test]
async fn only_the_wanted_commits_are_looked_through() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("key = {}\n", secret(1)));
    let first = repository.commit();
    repository.write("a.txt", "clean\n");
    repository.write("b.txt", &format!("key = {}\n", secret(2)));
    let second = repository.commit();
    repository.remove("b.txt");
    let third = repository.commit();
    let leaks = scan(&repository, History::Commits(format!("{first}..{third}").parse().unwrap())).await;
    assert_eq!((places(&leaks), leaks.commits), (vec![("b.txt", 1, Some(&*second))], 2));
    let leaks = scan(&repository, History::Commits(format!("{third}..{third}").parse().unwrap())).await;
    assert_eq!((places(&leaks), leaks.commits), (vec![], 0));
    assert_eq!(places(&scan(&repository, History::None).await), []);
}

#[tokio::test]
async fn no_name_and_no_content_hides_a_leak() {
    let names: [&[u8]; 11] = [
        b"q\"uote and space",
        b"a b.txt",
        b"t\tab",
        b"q\"uote",
        b"x b/y",
        b"\xff\xfe",
        b"n\nl",
        "é".as_bytes(),
        b"-dash",
        b".gp-deliver/x",
        b"a:b",
    ];
    let repository = Repository::new();
    for (number, name) in (0..).zip(names) {
        // With binary bytes, without an end of line, and with what looks like a patch.
        let text = format!("\0\u{1}\n@@ -1 +1 @@\n+++ b/x\ndiff --git a/x b/x\nkey = {}", secret(number));
        repository.write_bytes(name, text.as_bytes());
    }
    let commit = repository.commit();
    assert_eq!(scan(&repository, History::None).await.findings.len(), names.len());
    std::fs::read_dir(repository.root()).unwrap().flatten().filter(|entry| entry.file_name() != ".git").for_each(|entry| {
        let _ = std::fs::remove_file(entry.path()).or_else(|_| std::fs::remove_dir_all(entry.path()));
    });
    repository.commit();
    let leaks = scan(&repository, History::Full).await;
    assert_eq!(leaks.findings.len(), names.len());
    assert!(leaks.findings.iter().all(|leak| leak.commit.as_deref() == Some(&*commit) && leak.line == 5));
}

#[tokio::test]
async fn what_the_repository_configures_hides_no_leak_and_starts_no_program() {
    let repository = Repository::new();
    let trace = repository.path(".git/trace");
    let touch = format!("touch {} #", trace.display());
    for (key, value) in [
        ("diff.hide.textconv", touch.as_str()),
        ("diff.hide.command", &touch),
        ("diff.external", &touch),
        ("core.fsmonitor", &touch),
        ("core.pager", &touch),
        ("gpg.program", &touch),
        ("log.showSignature", "true"),
        ("color.ui", "always"),
        ("color.diff", "always"),
        ("log.showRoot", "false"),
        ("log.abbrevCommit", "true"),
        ("log.decorate", "full"),
        ("format.pretty", "oneline"),
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.relative", "true"),
        ("log.diffMerges", "off"),
    ] {
        repository.git(&["config", key, value]);
    }
    repository.write(".gitattributes", "*.txt -diff\n*.md diff=hide\n*.bin binary\n");
    for (number, name) in (1..).zip(["a.txt", "b.md", "c.yml", "d.sh"]) {
        repository.write(name, &format!("key = {}\n", secret(number)));
    }
    let root = repository.commit();
    repository.write_bytes(b".git/info/attributes", b"* -diff\n");
    let other = {
        repository.git(&["rm", "--quiet", "-r", "--ignore-unmatch", "a.txt", "b.md", "c.yml", "d.sh"]);
        repository.commit()
    };
    // A replacement that shows an empty first commit instead.
    repository.git(&["replace", &root, &other]);
    // The git of the test itself may have started one.
    let _ = std::fs::remove_file(&trace);
    let leaks = scan(&repository, History::Full).await;
    assert_eq!(leaks.findings.iter().filter(|leak| leak.commit.as_deref() == Some(&*root)).count(), 4, "{leaks:?}");
    assert!(!trace.exists());
}

#[tokio::test]
async fn a_repository_of_another_user_is_looked_through() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("key = {}\n", secret(1)));
    repository.commit();
    repository.remove("a.txt");
    // Only root can give files away; for others the repository stays their own, and the promise is as it was.
    let _ = std::process::Command::new("chown").args(["-R", "12345"]).arg(repository.root()).output().unwrap();
    assert_eq!(scan(&repository, History::Full).await.findings.len(), 1);
}

#[tokio::test]
async fn our_own_report_is_not_the_projects() {
    let repository = Repository::new();
    repository.write("report/a.txt", &format!("key = {}\n", secret(1)));
    repository.write("report.txt", &format!("key = {}\n", secret(2)));
    repository.write("sub/report/a.txt", &format!("key = {}\n", secret(3)));
    assert_eq!(places(&scan(&repository, History::None).await), [("report.txt", 1, None), ("sub/report/a.txt", 1, None)]);
}
