//! The commit that is delivered is the one that the run is of, wherever the build context lies and however the repository
//! came to be; and where there is none, a blocking environment delivers nothing.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::git::{commit, git, head, repository};
use crate::support::{Delivery, Source, run, script, secret};

const DOCKERFILE: (&str, &str) = ("Dockerfile", "FROM scratch\nCOPY . /app/\n");

/// The source in what `plan` prints.
fn planned(delivery: &Delivery) -> Value {
    let plan: Value = serde_json::from_str(&delivery.ends_with(0).stdout).unwrap();
    plan["source"].clone()
}

/// A plan for a folder.
fn plan(source: &Source, context: &Path) -> Delivery {
    source.run("plan").flag("--build-context", context.to_str().unwrap())
}

/// A push to main of a commit, with a workspace.
fn pushed(delivery: Delivery, commit: &str, workspace: &Path) -> Delivery {
    let delivery = delivery.variable("GITHUB_ACTIONS", "true").variable("GITHUB_EVENT_NAME", "push");
    let delivery = delivery.variable("GITHUB_REF", "refs/heads/main").variable("GITHUB_SHA", commit);
    delivery.variable("GITHUB_WORKSPACE", workspace.to_str().unwrap())
}

/// A source with a submodule `lib`, which has a submodule `deep`; each has a Dockerfile.
fn with_submodules() -> Source {
    let source = Source::new(&[DOCKERFILE]);
    for name in ["deep", "lib"] {
        fs::create_dir(source.beside(name)).unwrap();
        fs::write(source.beside(name).join("Dockerfile"), DOCKERFILE.1).unwrap();
        repository(&source.beside(name));
    }
    let deep = source.beside("deep");
    git(&source.beside("lib"), ["submodule", "--quiet", "add", deep.to_str().unwrap(), "deep"]);
    commit(&source.beside("lib"));
    git(&source.context(), ["init", "--quiet", "--initial-branch=main"]);
    let lib = source.beside("lib");
    git(&source.context(), ["submodule", "--quiet", "add", lib.to_str().unwrap(), "lib"]);
    git(&source.context(), ["submodule", "--quiet", "update", "--init", "--recursive"]);
    commit(&source.context());
    source
}

#[test]
fn a_context_in_a_submodule_is_of_the_superprojects_commit() {
    let source = with_submodules();
    let sha = head(&source.context());
    for folder in ["lib", "lib/deep"] {
        let context = source.context().join(folder);
        assert_eq!(planned(&plan(&source, &context))["commit"], *sha, "{folder}");
        let run = pushed(plan(&source, &context), &sha, &source.context());
        let planned = planned(&run);
        assert_eq!((&planned["commit"], &planned["dirty"]), (&sha.clone().into(), &false.into()), "{folder}");
    }
}

#[test]
fn the_log_says_which_of_several_repositories_is_delivered() {
    let source = with_submodules();
    let lib = source.context().join("lib");
    let ended = source.deliver().flag("--build-context", lib.to_str().unwrap()).ends_with(0);
    ended.says(&format!("commit {} of {}", head(&source.context()), source.context().display()));
    ended.says(&format!("{} is a repository inside of it", lib.display()));
    let labels = source.image().config();
    assert_eq!(labels["config"]["Labels"]["org.opencontainers.image.revision"], *head(&source.context()));
}

#[test]
fn a_leak_of_the_superproject_holds_back_a_context_in_its_submodule() {
    let source = with_submodules();
    source.write("token.env", &format!("TOKEN={}\n", secret()));
    commit(&source.context());
    fs::remove_file(source.context().join("token.env")).unwrap();
    commit(&source.context());
    let lib = source.context().join("lib");
    source.deliver().flag("--build-context", lib.to_str().unwrap()).flag("--environment", "prod").ends_with(3);
}

#[test]
fn a_leak_in_the_history_of_the_submodule_holds_it_back_too() {
    let source = with_submodules();
    let lib = source.context().join("lib");
    fs::write(lib.join("token.env"), format!("TOKEN={}\n", secret())).unwrap();
    let leaking = commit(&lib);
    fs::remove_file(lib.join("token.env")).unwrap();
    commit(&lib);
    commit(&source.context());
    let delivery = source.deliver().flag("--build-context", lib.to_str().unwrap()).flag("--environment", "prod");
    delivery.ends_with(3).says("lib/token.env").says(&leaking[..7]);
}

#[test]
fn a_repository_inside_another_that_does_not_know_it_is_its_own() {
    let source = Source::in_git(&[DOCKERFILE]);
    source.write("projects/app/Dockerfile", DOCKERFILE.1);
    let app = source.context().join("projects/app");
    let sha = repository(&app);
    assert_eq!(planned(&plan(&source, &app))["commit"], *sha);
    // Of a run it is the one at the run's commit.
    let outer = head(&source.context());
    let planned = planned(&pushed(plan(&source, &app), &outer, &source.context()));
    assert_eq!((&planned["commit"], &planned["dirty"]), (&outer.into(), &true.into()));
}

#[test]
fn what_lies_around_the_workspace_is_the_runners_own() {
    let source = Source::in_git(&[("work/app/Dockerfile", DOCKERFILE.1)]);
    let app = source.context().join("work/app");
    repository(&app);
    let other = "1".repeat(40);
    let planned = planned(&pushed(plan(&source, &app), &other, &app));
    assert_eq!(planned["commit"], *head(&app));
}

#[test]
fn a_workspace_above_the_repository_is_of_the_dockerfiles_commit_with_all_its_history() {
    let source = Source::new(&[("app/Dockerfile", "FROM scratch\nCOPY app/Dockerfile /\n")]);
    let app = source.context().join("app");
    fs::write(app.join("token.env"), format!("TOKEN={}\n", secret())).unwrap();
    repository(&app);
    fs::remove_file(app.join("token.env")).unwrap();
    let sha = commit(&app);
    let with_dockerfile = |delivery: Delivery| {
        delivery.flag("--dockerfile-path", app.join("Dockerfile").to_str().unwrap()).flag("--environment", "prod")
    };
    let plan = with_dockerfile(pushed(source.run("plan"), &sha, &source.context()));
    let planned = planned(&plan);
    assert_eq!((&planned["commit"], &planned["dirty"]), (&sha.clone().into(), &false.into()));
    with_dockerfile(pushed(source.deliver(), &sha, &source.context())).ends_with(3);
}

#[test]
fn a_leak_beside_the_repository_in_its_workspace_holds_it_back() {
    let source = Source::new(&[("app/Dockerfile", "FROM scratch\nCOPY . /\n"), ("beside.env", &format!("TOKEN={}\n", secret()))]);
    let app = source.context().join("app");
    let sha = repository(&app);
    let delivery = pushed(source.deliver(), &sha, &source.context()).flag("--environment", "prod");
    delivery.flag("--dockerfile-path", app.join("Dockerfile").to_str().unwrap()).ends_with(3).says("beside.env");
}

#[test]
fn what_lies_beside_the_repository_is_in_no_commit() {
    let source = Source::new(&[("app/Dockerfile", "FROM scratch\nCOPY . /\n"), ("beside", "1")]);
    let app = source.context().join("app");
    let sha = repository(&app);
    let plan = pushed(source.run("plan"), &sha, &source.context());
    let planned = planned(&plan.flag("--dockerfile-path", app.join("Dockerfile").to_str().unwrap()).flag("--environment", "dev"));
    assert_eq!((&planned["commit"], &planned["dirty"]), (&sha.into(), &true.into()));
}

#[test]
fn without_a_commit_a_blocking_environment_delivers_nothing() {
    let source = Source::new(&[DOCKERFILE]);
    for environment in ["test", "staging", "prod"] {
        for publish in ["true", "false"] {
            let delivery = source.deliver().flag("--environment", environment).flag("--publish", publish);
            delivery.ends_with(1).says("is in no git repository").says("actions/checkout");
        }
    }
    // A run that names a commit has no more of a history.
    pushed(source.deliver(), &"1".repeat(40), &source.context())
        .flag("--environment", "prod")
        .ends_with(1)
        .says("no git repository");
    git(&source.context(), ["init", "--quiet"]);
    source.deliver().flag("--environment", "prod").ends_with(1).says("has no commit yet");
    assert!(!source.beside("image").exists());
}

#[test]
fn a_dot_git_that_leads_nowhere_is_named_and_delivered_where_no_gate_blocks() {
    for text in [None, Some("gitdir: ../.git/modules/x\n"), Some("::error file=a::owned\n")] {
        let source = Source::new(&[DOCKERFILE]);
        match text {
            None => fs::create_dir(source.context().join(".git")).unwrap(),
            Some(text) => source.write(".git", text),
        }
        assert_eq!(planned(&source.run("plan"))["commit"], Value::Null);
        source.deliver().flag("--environment", "dev").ends_with(0).says("leads to no repository").does_not_say("owned");
        let ended = source.deliver().flag("--environment", "prod").ends_with(1);
        ended.says(&source.context().join(".git").display().to_string()).does_not_say("owned");
    }
}

#[test]
fn another_commit_than_the_runs_is_published_in_no_environment() {
    let source = Source::in_git(&[DOCKERFILE]);
    let first = head(&source.context());
    let second = commit(&source.context());
    let delivery = pushed(source.deliver(), &first, &source.context());
    for environment in ["local", "dev", "prod"] {
        let delivery = delivery.clone().flag("--environment", environment);
        let ended = delivery.ends_with(1);
        ended.says("at another commit than the run").says(&first).says(&second).says("Check out the run's own commit");
        assert!(!source.beside("image").exists());
        delivery.flag("--publish", "false").ends_with(0).does_not_say("at another commit than the run");
    }
    // A person who delivers what is checked out is asked for no other commit.
    delivery.clone().variable("GITHUB_ACTIONS", "").flag("--environment", "dev").ends_with(0);
    delivery.variable("GITHUB_SHA", "").flag("--environment", "prod").ends_with(1).says("GITHUB_SHA");
}

#[test]
fn whatever_started_a_run_only_its_own_commit_is_published() {
    let source = Source::in_git(&[DOCKERFILE]);
    let first = head(&source.context());
    let second = commit(&source.context());
    for (event, reference) in [
        ("push", "refs/heads/main"),
        ("push", "refs/tags/v1.0.0"),
        ("workflow_dispatch", "refs/heads/main"),
        ("release", "refs/tags/v1.0.0"),
        ("schedule", "refs/heads/main"),
        ("repository_dispatch", "refs/heads/main"),
    ] {
        let delivery = pushed(source.deliver(), &second, &source.context()).flag("--environment", "prod");
        let delivery = delivery.variable("GITHUB_EVENT_NAME", event).variable("GITHUB_REF", reference);
        for sha in ["", &first, "HEAD", "main", "HEAD^0", &second[..7], &"0".repeat(40), &format!("{second}^{{}}"), "--all", "@"]
        {
            let ended = delivery.clone().variable("GITHUB_SHA", sha).ends_with(1);
            ended.says("at another commit than the run");
            assert!(!source.beside("image").exists(), "{event} {sha:?}");
        }
        delivery.ends_with(0);
        fs::remove_dir_all(source.beside("image")).unwrap();
    }
}

#[test]
fn a_run_of_a_tags_own_id_is_of_its_commit() {
    let source = Source::in_git(&[DOCKERFILE]);
    git(&source.context(), ["tag", "--annotate", "--message", "x", "v1.0.0"]);
    let tag = git(&source.context(), ["rev-parse", "v1.0.0"]);
    assert_ne!(tag, head(&source.context()));
    pushed(source.deliver(), &tag, &source.context()).flag("--environment", "prod").ends_with(0);
}

#[test]
fn of_several_tags_the_highest_version_is_delivered() {
    let source = Source::in_git(&[DOCKERFILE]);
    for tag in ["v1.2.3-rc.1", "v1.2.3", "v1.2.3-rc.2", "v0.9.0", "latest"] {
        git(&source.context(), ["tag", tag]);
    }
    assert_eq!(planned(&source.run("plan"))["tag"], "v1.2.3");
}

/// A clone of a source, made with these options.
fn cloned(source: &Source, name: &str, options: &[&str]) -> std::path::PathBuf {
    let folder = source.beside(name);
    let address = format!("file://{}", source.context().display());
    let arguments = ["clone", "--quiet"].iter().chain(options).copied();
    git(&source.beside(""), arguments.chain([&*address, folder.to_str().unwrap()]));
    folder
}

#[test]
fn a_repository_of_any_shape_is_known_by_its_commit() {
    let source = Source::in_git(&[DOCKERFILE, ("a", "1")]);
    source.write("a", "2");
    let sha = commit(&source.context());
    let own = source.context();
    let own = own.to_str().unwrap();
    git(&source.context(), ["worktree", "add", "--quiet", source.beside("worktree").to_str().unwrap(), "-b", "other"]);
    let separate = format!("--separate-git-dir={}", source.beside("separate.git").display());
    let mut shapes = vec![
        source.context(),
        source.beside("worktree"),
        cloned(&source, "shallow", &["--depth=1"]),
        cloned(&source, "shared", &["--shared"]),
        cloned(&source, "reference", &["--reference", own]),
        cloned(&source, "separate", &[&separate]),
        cloned(&source, "relative", &["--shared"]),
    ];
    // Alternates may be relative, and a link may stand in the place of `.git`.
    fs::write(source.beside("relative/.git/objects/info/alternates"), "../../../source/.git/objects\n").unwrap();
    let linked = cloned(&source, "linked", &[]);
    fs::rename(linked.join(".git"), source.beside("linked.git")).unwrap();
    std::os::unix::fs::symlink("../linked.git", linked.join(".git")).unwrap();
    shapes.push(linked);
    for name in ["trailing ", " leading", "line\nend", "line end\n", "a: \"b\"\\c d", "-dash", ":(top)x"] {
        shapes.push(cloned(&source, name, &[]));
    }
    let detached = cloned(&source, "detached", &[]);
    git(&detached, ["checkout", "--quiet", "--detach"]);
    shapes.push(detached);
    let split = cloned(&source, "split", &[]);
    git(&split, ["update-index", "--split-index"]);
    shapes.push(split);
    let of_another = cloned(&source, "of-another", &[]);
    run(std::process::Command::new("chown").args(["-R", "4242:4242"]).arg(&of_another));
    shapes.push(of_another);
    for shape in shapes {
        let planned = planned(&plan(&source, &shape));
        assert_eq!((&planned["commit"], &planned["dirty"]), (&sha.clone().into(), &false.into()), "{}", shape.display());
    }
}

#[test]
fn a_repository_of_another_hash_is_known_by_its_commit() {
    let source = Source::new(&[DOCKERFILE]);
    git(&source.context(), ["init", "--quiet", "--initial-branch=main", "--object-format=sha256"]);
    let sha = commit(&source.context());
    assert_eq!(sha.len(), 64);
    let planned = planned(&source.run("plan"));
    assert_eq!((&planned["commit"], &planned["branch"], &planned["dirty"]), (&sha.into(), &"main".into(), &false.into()));
    source.deliver().flag("--environment", "prod").ends_with(0);
}

#[test]
fn the_users_own_git_variables_change_nothing() {
    let source = Source::in_git(&[DOCKERFILE]);
    let other = Source::in_git(&[DOCKERFILE]);
    let elsewhere = other.context().join(".git");
    let mut delivery = source.run("plan");
    for name in ["GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"] {
        delivery = delivery.variable(name, elsewhere.to_str().unwrap());
    }
    let planned = planned(&delivery);
    assert_eq!((&planned["commit"], &planned["dirty"]), (&head(&source.context()).into(), &false.into()));
}

#[test]
fn none_of_gits_variables_starts_a_program_or_leads_elsewhere() {
    let source = Source::in_git(&[DOCKERFILE, ("a", "1")]);
    let other = Source::in_git(&[DOCKERFILE]);
    let sha = head(&source.context());
    let program = source.beside("program");
    script(&program, &format!("#!/bin/sh\ntouch {}\ncat\n", source.beside("mark").display()));
    let program = program.to_str().unwrap();
    let file = source.beside("gitconfig");
    fs::write(&file, format!("[core]\n\tfsmonitor = {program}\n\tpager = {program}\n[filter \"x\"]\n\tclean = {program}\n"))
        .unwrap();
    let programs = source.beside("programs");
    fs::create_dir(&programs).unwrap();
    for name in ["git-status", "git-rev-parse", "git-config", "git-ls-tree", "git-ls-files", "git-cat-file"] {
        std::os::unix::fs::symlink(program, programs.join(name)).unwrap();
    }
    let elsewhere = other.context().join(".git");
    let (file, programs, trace) = (file.to_str().unwrap(), programs.to_str().unwrap(), source.beside("trace"));
    let parameters = format!("'core.fsmonitor'='{program}'");
    let objects = elsewhere.join("objects");
    // A file that has changed is one that git looks at.
    source.write("a", "2");
    let mut delivery = source.run("plan");
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", file),
        ("GIT_CONFIG_SYSTEM", file),
        ("GIT_CONFIG", file),
        ("GIT_CONFIG_PARAMETERS", &parameters),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.fsmonitor"),
        ("GIT_CONFIG_VALUE_0", program),
        ("GIT_EXEC_PATH", programs),
        ("GIT_TEMPLATE_DIR", programs),
        ("GIT_SSH_COMMAND", program),
        ("GIT_SSH", program),
        ("GIT_PROXY_COMMAND", program),
        ("GIT_ASKPASS", program),
        ("GIT_EXTERNAL_DIFF", program),
        ("GIT_PAGER", program),
        ("GIT_EDITOR", program),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects.to_str().unwrap()),
        ("GIT_REPLACE_REF_BASE", "refs/heads/"),
        ("GIT_SHALLOW_FILE", file),
        ("GIT_GRAFT_FILE", file),
        ("GIT_ATTR_SOURCE", "main"),
        ("GIT_TRACE", trace.to_str().unwrap()),
        ("GIT_TRACE2_EVENT", trace.to_str().unwrap()),
        ("XDG_CONFIG_HOME", programs),
    ] {
        delivery = delivery.variable(name, value);
    }
    let planned = planned(&delivery);
    assert_eq!((&planned["commit"], &planned["dirty"]), (&sha.into(), &true.into()));
    assert!(!source.beside("mark").exists() && !trace.exists());
}

/// A source whose second commit takes out a secret that the first brought.
fn leaking() -> (Source, String) {
    let source = Source::in_git(&[DOCKERFILE, ("token.env", &format!("TOKEN={}\n", secret()))]);
    fs::remove_file(source.context().join("token.env")).unwrap();
    let sha = commit(&source.context());
    (source, sha)
}

#[test]
fn no_file_of_the_repository_makes_another_history_of_it() {
    let (source, sha) = leaking();
    git(&source.context(), ["replace", "--graft", "HEAD"]);
    assert_eq!(git(&source.context(), ["rev-list", "--count", "HEAD"]), "1");
    source.deliver().flag("--environment", "prod").ends_with(3).says("token.env");
    let (grafted, sha_of_grafted) = leaking();
    fs::write(grafted.context().join(".git/info/grafts"), format!("{sha_of_grafted}\n")).unwrap();
    assert_eq!(git(&grafted.context(), ["rev-list", "--count", "HEAD"]), "1");
    grafted.deliver().flag("--environment", "prod").ends_with(3).says("token.env");
    // Another commit in the place of the one that is checked out.
    let first = git(&grafted.context(), ["rev-parse", "HEAD"]);
    git(&source.context(), ["replace", "--force", &sha, &git(&source.context(), ["commit-tree", "-m", "x", "HEAD^{tree}"])]);
    assert_eq!(planned(&source.run("plan"))["commit"], *sha);
    assert_eq!(first, sha_of_grafted);
    // One that says it is shallow has no history to judge.
    let (shallow, sha) = leaking();
    fs::write(shallow.context().join(".git/shallow"), format!("{sha}\n")).unwrap();
    assert_eq!(git(&shallow.context(), ["rev-list", "--count", "HEAD"]), "1");
    shallow.deliver().flag("--environment", "prod").ends_with(1).says("The clone is shallow");
}

#[test]
fn a_working_tree_that_the_configuration_names_hides_nothing() {
    let source = Source::in_git(&[DOCKERFILE, ("a", "1")]);
    let clean = cloned(&source, "clean", &[]);
    source.write("a", "2");
    source.write("token.env", &format!("TOKEN={}\n", secret()));
    git(&source.context(), ["config", "core.worktree", clean.to_str().unwrap()]);
    assert_eq!(git(&source.context(), ["status", "--porcelain"]), "");
    assert_eq!(planned(&source.run("plan"))["dirty"], true);
    source.deliver().flag("--environment", "prod").ends_with(3).says("token.env");
}

#[test]
fn a_dot_git_that_leads_to_another_repository_makes_its_files_no_commits() {
    let source = Source::in_git(&[DOCKERFILE, ("a", "1")]);
    let other = Source::in_git(&[DOCKERFILE, ("b", "1")]);
    fs::remove_dir_all(source.context().join(".git")).unwrap();
    source.write(".git", &format!("gitdir: {}\n", other.context().join(".git").display()));
    let planned = planned(&source.run("plan"));
    assert_eq!((&planned["commit"], &planned["dirty"]), (&head(&other.context()).into(), &true.into()));
    // A folder of the common files that is elsewhere has another's objects, and not this one's commit.
    let own = source.beside("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("HEAD"), format!("{}\n", "1".repeat(40))).unwrap();
    fs::write(own.join("commondir"), other.context().join(".git").to_str().unwrap()).unwrap();
    source.write(".git", &format!("gitdir: {}\n", own.display()));
    source.deliver().flag("--environment", "prod").ends_with(1);
    assert!(!source.beside("image").exists());
}

#[test]
fn a_partial_clone_without_its_history_is_an_error_that_names_the_filter() {
    let source = Source::in_git(&[DOCKERFILE, ("a", "1")]);
    source.write("a", "2");
    commit(&source.context());
    git(&source.context(), ["config", "uploadpack.allowFilter", "true"]);
    let partial = cloned(&source, "partial", &["--filter=blob:none"]);
    let delivery = source.deliver().flag("--build-context", partial.to_str().unwrap());
    delivery.ends_with(1).says("partial").says("\"blob:none\"").says("`filter`").says("fetch-depth: 0");
    delivery.flag("--secrets-history", "none").ends_with(0);
    assert_eq!(planned(&plan(&source, &partial))["dirty"], false);
}

#[test]
fn a_sparse_checkout_is_said_and_is_no_change() {
    let source = Source::in_git(&[DOCKERFILE, ("in/a", "1"), ("out/a", "1")]);
    for cone in ["--cone", "--no-cone"] {
        git(&source.context(), ["sparse-checkout", "set", cone, "in"]);
        source.write("Dockerfile", DOCKERFILE.1);
        assert!(!source.context().join("out").exists());
        assert_eq!(planned(&source.run("plan"))["dirty"], false, "{cone}");
        source.deliver().ends_with(0).says("`sparse-checkout`");
    }
}

#[test]
fn a_link_that_leads_what_is_built_out_of_the_checkout_is_refused() {
    let source = Source::new(&[DOCKERFILE, ("app/Dockerfile", DOCKERFILE.1)]);
    fs::create_dir(source.beside("outside")).unwrap();
    fs::write(source.beside("outside/Dockerfile"), DOCKERFILE.1).unwrap();
    let context = source.context();
    for (name, target) in [("beside", "../outside"), ("process", "/proc/self"), ("inside", "app"), ("twice", "beside")] {
        std::os::unix::fs::symlink(target, context.join(name)).unwrap();
    }
    repository(&context);
    let dockerfile = |path: &str| source.run("plan").flag("--dockerfile-path", context.join(path).to_str().unwrap());
    for name in ["beside", "process", "twice"] {
        let deliver = source.run("plan").flag("--dockerfile-path", context.join("Dockerfile").to_str().unwrap());
        deliver.flag("--build-context", context.join(name).to_str().unwrap()).ends_with(1).says("leads out of the checkout");
    }
    dockerfile("beside/Dockerfile").ends_with(1).says("leads out of the checkout");
    plan(&source, &context.join("inside")).ends_with(0);
    dockerfile("inside/Dockerfile").ends_with(0);
}
