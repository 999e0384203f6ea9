//! The repository that a cluster is brought to is written as a GitHub App: by a token for that repository and for no more than is
//! done there, which nobody sees and which ends with the run.

use doubles::github::{App, Call, Fault, Moment, Options, Repository, Times};

use crate::a_cluster_is_brought_to_what_is_out::{Cluster, image, named, result, source, write};
use crate::support::git::commit;
use crate::support::{Delivery, Ended, Source, job, part};

/// What the App is given as.
struct Given<'a> {
    id: &'a str,
    key: &'a str,
}

/// The repository, with an App that may be installed in it.
fn with(app: &App) -> Cluster {
    Cluster::with(|_| (), Options::default().app(app))
}

/// `gitops` for an image, as the App and by no token.
fn gitops(cluster: &Cluster, source: &Source, at: &Repository, given: &Given<'_>) -> Delivery {
    let run = named(cluster, source, at.environment(), &image(1)).variable("INPUT_GITOPS-TOKEN", "");
    run.flag("--gitops-app-id", given.id).variable("INPUT_GITOPS-APP-PRIVATE-KEY", given.key)
}

/// That nothing the App was given or has is said, but to the runner, and before anything else is.
fn keeps_to_itself(cluster: &Cluster, key: &str, ended: &Ended) {
    let lines = || ended.stdout.lines().chain(ended.stderr.lines());
    let tokens = cluster.github.app_tokens();
    let secrets: Vec<_> = tokens.iter().map(|token| token.text.clone()).collect();
    let content = key.lines().filter(|line| !line.starts_with('-') && line.len() == 64);
    for secret in secrets.iter().map(String::as_str).chain(content) {
        let told: Vec<_> = lines().filter(|line| line.contains(secret)).collect();
        assert!(!told.is_empty() && told.iter().all(|line| line.starts_with("::add-mask::")), "{secret}: {ended}");
    }
    let assertions = |line: &&str| line.contains("eyJhbGciOiJSUzI1NiIs");
    assert!(lines().filter(assertions).all(|line| line.starts_with("::add-mask::")), "{ended}");
}

#[test]
fn a_token_is_for_that_repository_and_what_is_done_there_and_ends_with_the_run() {
    let app = App::new();
    let (id, client_id, key, other_form) = (app.id(), app.client_id(), app.key(), app.pkcs8_key());
    for (given, installation) in
        [(Given { id: &client_id, key: &key }, None), (Given { id: &id, key: &other_form }, Some(app.installation().to_string()))]
    {
        let (cluster, (source, at)) = (with(&app), source());
        let run = gitops(&cluster, &source, &at, &given);
        let run = installation.iter().fold(run, |run, number| run.flag("--gitops-app-installation-id", number));
        let ended = run.variable("GP_DELIVER_LOG", "debug").ends_with(0);
        assert!(cluster.file("main", "apps/web.yaml").contains(&image(1)));
        assert_eq!(result(&source), "updated");
        let [token] = &*cluster.github.app_tokens() else { panic!("{:?}", cluster.github.app_tokens()) };
        let slug = cluster.github.slug();
        assert_eq!(token.repositories.as_deref(), Some(&[slug.split_once('/').unwrap().1.to_owned()][..]));
        assert_eq!(token.permissions, ["contents: write", "pull-requests: write"]);
        assert!(token.revoked);
        let journal = cluster.github.journal();
        assert_eq!(journal.last().map(|entry| entry.call), Some(Call::RevokeAppToken));
        assert_eq!(cluster.github.count(Call::GetInstallation), usize::from(installation.is_none()));
        keeps_to_itself(&cluster, given.key, &ended);
    }
}

#[test]
fn a_delivery_writes_there_as_the_app() {
    let (app, source) = (App::new(), job::clean());
    let name = format!("{}/{}", part("REGISTRY"), job::commit(&source));
    let files = |work: &std::path::Path| {
        write(work, "apps/web.yaml", &format!("image: {name}:old\n"));
        commit(work);
    };
    let cluster = Cluster::with(files, Options::default().app(&app));
    let at = job::repository(&source, Options::default().git(&source.context().join(".git")));
    let delivery = job::push(&source, &at, "dev").flag("--destination", &name).flag("--gitops-app-id", &app.client_id());
    let delivery = delivery.flag("--gitops-repository", &cluster.github.slug()).flag("--gitops-path", "apps/web.yaml");
    let ended = delivery.variable("INPUT_GITOPS-APP-PRIVATE-KEY", &app.key()).ends_with(0);
    let record = source.record();
    let digest = record["publication"]["digest"].as_str().unwrap();
    assert_eq!(record["gitops"]["result"].as_str(), Some("updated"), "{ended}");
    assert!(cluster.file("main", "apps/web.yaml").contains(&format!("@{digest}")));
    assert!(cluster.github.app_tokens().iter().all(|token| token.revoked));
    keeps_to_itself(&cluster, &app.key(), &ended);
    let written = format!("{record}{}", source.summary());
    assert!(cluster.github.app_tokens().iter().all(|token| !written.contains(&token.text)));
}

#[test]
fn a_token_and_an_app_or_half_of_one_is_an_error() {
    let (app, (source, at)) = (App::new(), source());
    let cluster = with(&app);
    let (id, key) = (app.id(), app.key());
    let run = |id: &str, key: &str| gitops(&cluster, &source, &at, &Given { id, key });
    run(&id, &key).variable("INPUT_GITOPS-TOKEN", "ghs_abcdefghij").ends_with(2).says("and not both");
    run(&id, "").variable("INPUT_GITOPS-TOKEN", "ghs_abcdefghij").ends_with(2).says("and not both");
    run("", &key).ends_with(2).says("gitops-app-id").says("it is expected with gitops-app-private-key");
    run(&id, "").ends_with(4).says("or `gitops-app-id` with `gitops-app-private-key`");
    run("", "").flag("--gitops-app-installation-id", "1").ends_with(2).says("of no use without gitops-app-id");
    run("octo app", &key).ends_with(2).says("the client ID of a GitHub App is expected");
    run(&id, &key).flag("--gitops-app-installation-id", "+1").ends_with(2).says("the number of an installation is expected");
    let public = key.replace("PRIVATE", "PUBLIC");
    for wrong in [&public, &format!("{key}{key}"), &key.replace('\n', "\\n"), "hunter2hunter2"] {
        let ended = run(&id, wrong).ends_with(2);
        ended.says("an RSA key in PEM is expected");
        // The runner is told it, and nobody else is.
        let mut told = ended.stdout.lines().chain(ended.stderr.lines()).filter(|line| line.contains("hunter2"));
        assert!(told.all(|line| line.starts_with("::add-mask::")), "{ended}");
    }
    assert!(cluster.github.journal().is_empty());
}

#[test]
fn what_the_app_is_refused_is_said_with_what_to_do_and_is_no_answer_about_a_branch() {
    let (source, at) = source();
    let known = App::new();
    let (key, wrong) = (known.key(), known.wrong_key());
    for (app, key, says) in [
        (
            App::new(),
            &wrong,
            &["A JSON web token could not be decoded", "`gitops-app-private-key` is a private key of the App"][..],
        ),
        (App::new().without_keys(), &key, &["Integration must generate a public key", "not deleted there"]),
        (App::new().elsewhere(), &key, &["404 Not Found", "install the App in that repository"]),
        (App::new().suspended(), &key, &["403", "This installation has been suspended", "lift the suspension"]),
        (
            App::new().permissions(&["contents: write", "metadata: read"]),
            &key,
            &[
                "The permissions requested are not granted",
                "`pull requests: write`, have the owner of that repository accept them",
            ],
        ),
        (
            App::new().ahead(-300),
            &key,
            &["'Expiration time' claim ('exp') is too far in the future", "the clock of this machine"],
        ),
    ] {
        let cluster = with(&app);
        let ended = gitops(&cluster, &source, &at, &Given { id: &app.client_id(), key }).ends_with(4);
        for text in says.iter().chain(&["The GitHub App gets no token for the repository"]) {
            ended.says(text);
        }
        ended.does_not_say("panicked");
        assert_eq!((result(&source), cluster.github.count(Call::GetRef), cluster.commits("main")), ("failed".into(), 0, 1));
    }
    let cluster = with(&known);
    let run = |id: &str| gitops(&cluster, &source, &at, &Given { id, key: &key });
    run("Iv23liOfSomebodyElse").ends_with(4).says("Integration not found").says("Check `gitops-app-id`");
    let stranger = run(&known.id()).flag("--gitops-app-installation-id", "1").ends_with(4);
    stranger.says("Leave `gitops-app-installation-id` out");
    // What it may not do in the end is refused as for a token.
    let archived = Cluster::with(|_| (), Options::default().app(&known).archived());
    let ended = gitops(&archived, &source, &at, &Given { id: &known.id(), key: &key }).ends_with(4);
    ended.says("archived").says("or the App, the permissions");
    assert!(archived.github.app_tokens().iter().all(|token| token.revoked));
}

#[test]
fn clocks_may_differ_by_a_minute() {
    for seconds in [-55, 55] {
        let app = App::new().ahead(seconds);
        let (cluster, (source, at)) = (with(&app), source());
        gitops(&cluster, &source, &at, &Given { id: &app.id(), key: &app.key() }).ends_with(0);
        assert_eq!(result(&source), "updated", "{seconds}");
    }
}

#[test]
fn a_token_that_ends_before_the_run_is_followed_by_another_one() {
    let app = App::new();
    let (id, key) = (app.id(), app.key());
    let given = Given { id: &id, key: &key };
    // Somebody ends it in the middle.
    let (cluster, (source, at)) = (with(&app), source());
    let held = cluster.github.hold(Call::UpdateRef, 1, Moment::Before);
    let running = gitops(&cluster, &source, &at, &given).spawn();
    held.arrived();
    cluster.github.revoke_app_tokens();
    drop(held);
    let ended = Ended::from(running.wait_with_output().unwrap());
    assert_eq!((ended.code, &*result(&source)), (Some(0), "updated"), "{ended}");
    assert_eq!((cluster.github.app_tokens().len(), cluster.commits("main")), (2, 2));
    assert!(cluster.github.app_tokens().iter().all(|token| token.revoked));
    keeps_to_itself(&cluster, &app.key(), &ended);
    // Each is about to end.
    let brief = App::new().lifetime(30);
    let cluster = with(&brief);
    gitops(&cluster, &source, &at, &Given { id: &brief.id(), key: &key }).ends_with(0);
    assert!(cluster.github.app_tokens().len() > 2);
    // None is good.
    let cluster = with(&app);
    cluster.github.fail(Call::GetRef, Times::Always, Fault::Expired);
    gitops(&cluster, &source, &at, &given).ends_with(4).says("401");
    assert_eq!(cluster.github.app_tokens().len(), 2);
}
