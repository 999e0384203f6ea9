//! The commands of the README's part about a repository, with its file, do what is said there.

use std::path::Path;
use std::process::Command;

use doubles::aws::{ImageScan, ShelfImage, World};
use serde_json::json;

use crate::support::{Ended, binary};

/// What stands between two marks of the README, without the fences.
fn block(mark: &str) -> String {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, rest) = readme.split_once(&format!("<!-- {mark} -->\n")).unwrap();
    let (block, _) = rest.split_once(&format!("<!-- /{mark} -->")).unwrap();
    block.split_inclusive('\n').filter(|line| !line.starts_with("```")).collect()
}

/// How each command begins, how it ends where all of them are run in their order, and what it shows.
const EXPECTED: [(&str, i32, &str); 10] = [
    ("repository diff", 3, "different:"),
    ("repository ensure team/app", 0, "changed:"),
    ("repository ensure team/app --registry", 0, "registry scanning"),
    ("repository show", 0, "all stay but prod and *-latest"),
    ("repository list", 0, "Repositories in the registry: 1."),
    ("images", 0, "not asked for of the"),
    ("lifecycle presets", 0, "environments-safe"),
    ("lifecycle check", 0, ""),
    ("lifecycle preview", 3, "Refused: rule"),
    ("policy settings", 0, "SetUpRepository"),
];

#[test]
fn its_commands_run_in_their_order() {
    let world = World::options().start();
    world
        .set_role_policy(&json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}));
    world.scan(ImageScan::basic());
    world.answer("DescribeImageSigningStatus", json!({"signingStatuses": []}));
    world.shelve([ShelfImage::new("live", &["prod"], 90.0)]);
    world.shelve((0..30).map(|at| ShelfImage::new(&format!("{at}"), &[&format!("a{at}")], 1.0 + f64::from(at))));
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join(".gp-deliver")).unwrap();
    write(".gp-deliver/repository.yaml", &block("repository-yaml"));
    let simple = Command::new(binary()).args(["lifecycle", "presets", "--print", "simple"]).output().unwrap();
    write("policy.json", &String::from_utf8(simple.stdout).unwrap());
    let commands = block("repository-commands");
    let commands: Vec<&str> = commands.lines().filter_map(|line| line.strip_prefix("$ gp-deliver ")).collect();
    assert_eq!(commands.len(), EXPECTED.len(), "each command has its row here: {commands:#?}");
    for (command, (begins, code, shows)) in commands.iter().zip(EXPECTED) {
        let command = command.split('#').next().unwrap().trim();
        assert!(command.starts_with(begins), "{command}");
        let mut run = Command::new(binary());
        run.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path()).current_dir(folder.path());
        run.envs(world.variables()).args(command.split_whitespace());
        // Those who have no credentials of their own name a role.
        let asks = !command.contains("presets") && !command.contains("check") && !command.contains("--role-to-assume");
        if asks {
            run.args(["--role-to-assume", &world.role()]);
        }
        let ended = Ended::from(run.output().unwrap());
        assert!(ended.code == Some(code) && ended.stdout.contains(shows), "{command}: {ended}");
    }
    // What was wanted is so now, of the registry too.
    let mut again = Command::new(binary());
    again.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path()).current_dir(folder.path()).envs(world.variables());
    again.args(["repository", "diff", &world.repository(), "--registry", "--role-to-assume", &world.role()]);
    let again = Ended::from(again.output().unwrap());
    assert_eq!(again.code, Some(0), "{again}");
}
