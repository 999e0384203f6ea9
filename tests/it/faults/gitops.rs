//! Faults of GitHub while the files that a cluster is brought to are read and written. The image is out by then: what is to hold is
//! that the branch is as it was or has the image in one commit more, whatever was answered; that the exit code and the output say
//! which; and that the same once more ends well.

use std::fs;

use doubles::github::{App, Call, Fault, Moment, Options, Repository, Times};

use super::scene::{Case, Comes, case, try_all};
use super::{DAY, GITHUB, namespace};
use crate::a_cluster_is_brought_to_what_is_out::{Cluster, image, named, result, source};
use crate::support::processes::signal;
use crate::support::{Delivery, Ended, Source};
use Comes::{Cancelled, Fails, Killed, Overcome};

/// What happens.
#[derive(Debug)]
enum AtGitHub {
    /// GitHub does this, where the branch takes a commit.
    Push(Call, Times, Fault),
    /// The same, where it gets a pull request.
    Proposal(Call, Times, Fault),
    /// The same, where a GitHub App writes.
    AsApp(Call, Times, Fault),
    /// The process that was started gets a signal during this call.
    Signal(Call, &'static str),
    /// The clock jumps by so many seconds meanwhile.
    Jump(i64),
}

/// What is asked until the branch has a commit.
const OF_A_PUSH: [Call; 9] = [
    Call::GetRef,
    Call::GetCommitObject,
    Call::GetTree,
    Call::GetBlob,
    Call::ListCommits,
    Call::CompareCommits,
    Call::CreateTree,
    Call::CreateCommit,
    Call::UpdateRef,
];
/// What is asked besides until there is a pull request.
const OF_A_PROPOSAL: [Call; 3] = [Call::CreateRef, Call::ListPulls, Call::CreatePull];
/// What a GitHub App asks before and after.
const OF_AN_APP: [Call; 3] = [Call::GetInstallation, Call::CreateAppToken, Call::RevokeAppToken];

fn cases() -> Vec<Case<AtGitHub>> {
    use AtGitHub::{AsApp, Jump, Proposal, Push, Signal};
    use Times::{Always, First};
    let passing = [
        ("refused", Fault::Refused),
        ("cut", Fault::Silence),
        ("truncated", Fault::Cut),
        ("5xx", Fault::Status(502)),
        ("429", Fault::Haste { status: 429, retry_after: Some(1) }),
        ("wrong", Fault::Wrong),
    ];
    let lasting = [("5xx", Fault::Status(500)), ("expired", Fault::Expired), ("wrong", Fault::Wrong)];
    let mut cases = vec![
        // What is waited for longest comes first.
        case(GITHUB, "hung", Push(Call::UpdateRef, First(1), Fault::Hang), Overcome),
        case(GITHUB, "refused", Push(Call::GetBlob, Always, Fault::Refused), Fails),
        case(GITHUB, "truncated", Push(Call::GetTree, Always, Fault::Cut), Fails),
        // What was done is done, whoever hears of it.
        case(GITHUB, "cut", Push(Call::UpdateRef, Always, Fault::Silence), Overcome),
        // The image is there by then.
        case(GITHUB, "5xx", Push(Call::ListPulls, Always, Fault::Status(500)), Overcome),
        case(GITHUB, "5xx", Proposal(Call::CreatePull, Always, Fault::Status(500)), Fails),
        // A token that nobody ends ends by itself.
        case(GITHUB, "5xx", AsApp(Call::RevokeAppToken, Always, Fault::Status(500)), Overcome),
        case(GITHUB, "hung", AsApp(Call::RevokeAppToken, Always, Fault::Hang), Overcome),
        case(GITHUB, "SIGTERM", Signal(Call::UpdateRef, "TERM"), Cancelled),
        case(GITHUB, "SIGTERM", Signal(Call::CreateAppToken, "TERM"), Cancelled),
        case(GITHUB, "SIGKILL", Signal(Call::UpdateRef, "KILL"), Killed),
        case(GITHUB, "clock", Jump(DAY), Overcome),
        case(GITHUB, "clock", Jump(-DAY), Overcome),
    ];
    for call in OF_A_PUSH {
        cases.extend(passing.map(|(name, fault)| case(GITHUB, name, Push(call, First(1), fault), Overcome)));
    }
    for call in [Call::GetRef, Call::CompareCommits, Call::UpdateRef] {
        cases.extend(lasting.map(|(name, fault)| case(GITHUB, name, Push(call, Always, fault), Fails)));
    }
    for call in OF_AN_APP {
        cases.extend(passing.map(|(name, fault)| case(GITHUB, name, AsApp(call, First(1), fault), Overcome)));
    }
    for call in [Call::GetInstallation, Call::CreateAppToken] {
        cases.extend(lasting.map(|(name, fault)| case(GITHUB, name, AsApp(call, Always, fault), Fails)));
    }
    for call in OF_A_PROPOSAL {
        cases.extend(passing.map(|(name, fault)| case(GITHUB, name, Proposal(call, First(1), fault), Overcome)));
    }
    cases
}

pub fn cells() -> Vec<(&'static str, &'static str)> {
    super::cells(cases())
}

/// The mode of a scene in which a GitHub App writes; the others are those of `gitops-mode`.
const AS_APP: &str = "app";

fn is_proposal(mode: &str) -> bool {
    mode == "pull-request"
}

/// A branch with an image, and a source with a commit after that.
struct Scene {
    app: App,
    cluster: Cluster,
    source: Source,
    at: Repository,
}

impl Scene {
    fn set() -> Self {
        let app = App::new();
        let (cluster, (source, at)) = (Cluster::with(|_| (), Options::default().app(&app)), source());
        fs::create_dir(source.beside("tmp")).unwrap();
        let scene = Self { app, cluster, source, at };
        scene.run(1, "auto").ends_with(0);
        scene.source.commit("second");
        scene
    }

    fn run(&self, of: u8, mode: &str) -> Delivery {
        // GitHub's description of a pull request is not played in full.
        let at = if is_proposal(mode) { self.at.enterprise() } else { self.at.environment() };
        let run = named(&self.cluster, &self.source, at, &image(of));
        let run = if mode == AS_APP {
            let run = run.variable("INPUT_GITOPS-TOKEN", "").flag("--gitops-app-id", &self.app.id());
            run.variable("INPUT_GITOPS-APP-PRIVATE-KEY", &self.app.key())
        } else {
            run.flag("--gitops-mode", mode)
        };
        run.variable("TMPDIR", &self.source.beside("tmp").display().to_string())
    }

    /// Whose call it is: the one that is compared in, or the one that is written.
    fn of(&self, call: Call) -> &Repository {
        if call == Call::CompareCommits { &self.at } else { &self.cluster.github }
    }

    fn with(&self, call: Call, times: Times, fault: Fault, mode: &str) -> Ended {
        let at = self.of(call);
        // The first delivery has asked before.
        let asked = at.count(call);
        let times = match times {
            Times::First(1) => Times::Nth(asked + 1),
            times => times,
        };
        at.fail(call, times, fault);
        let ended = self.run(2, mode).output();
        at.mend(call);
        ended
    }

    /// The branch that the image gets to.
    fn branch(&self, mode: &str) -> String {
        let pulls = self.cluster.github.pull_requests();
        if is_proposal(mode) { pulls.first().map_or("main".to_owned(), |pull| pull.head.clone()) } else { "main".to_owned() }
    }

    fn holds(&self, comes: Comes, mode: &str, ended: &Ended) {
        let (code, says) = match comes {
            Overcome if !is_proposal(mode) => (Some(0), "updated"),
            Overcome => (Some(0), "pull-request"),
            Fails => (Some(4), "failed"),
            Cancelled => (Some(143), ""),
            Killed | Comes::KilledAfterwards => (None, ""),
        };
        assert_eq!((ended.code, &*result(&self.source)), (code, says), "{ended}");
        ended.does_not_say("panicked");
        let of_app = self.cluster.github.app_tokens().into_iter().map(|token| token.text);
        let tokens: Vec<_> = of_app.chain([self.cluster.github.token()]).collect();
        let tells = |line: &str| !line.starts_with("::add-mask::") && tokens.iter().any(|token| line.contains(token));
        assert!(!ended.stderr.lines().chain(ended.stdout.lines()).any(tells));
        if comes == Overcome {
            self.is_there(mode);
        } else {
            assert!(self.cluster.file("main", "apps/web.yaml").contains(&image(1)), "{ended}");
            assert_eq!(self.cluster.commits("main"), 2, "{ended}");
        }
        if comes != Killed {
            assert_eq!(fs::read_dir(self.source.beside("tmp")).unwrap().count(), 0, "scratch folders");
        }
        self.run(2, mode).ends_with(0);
        self.is_there(mode);
    }

    fn is_there(&self, mode: &str) {
        let branch = self.branch(mode);
        assert!(self.cluster.file(&branch, "apps/web.yaml").contains(&image(2)));
        assert_eq!(
            (self.cluster.commits(&branch), self.cluster.github.pull_requests().len()),
            (3, usize::from(is_proposal(mode)))
        );
    }
}

#[test]
fn no_fault_of_github_leaves_a_branch_between_two_images() {
    try_all("GitHub, where a cluster's files are", &cases(), |case| {
        let scene = Scene::set();
        match case.trouble {
            AtGitHub::Push(call, times, fault) => scene.holds(case.comes, "auto", &scene.with(call, times, fault, "auto")),
            AtGitHub::Proposal(call, times, fault) => {
                scene.holds(case.comes, "pull-request", &scene.with(call, times, fault, "pull-request"));
            }
            AtGitHub::AsApp(call, times, fault) => scene.holds(case.comes, AS_APP, &scene.with(call, times, fault, AS_APP)),
            AtGitHub::Signal(call, name) => {
                let mode = if call == Call::CreateAppToken { AS_APP } else { "auto" };
                let held = scene.cluster.github.hold(call, scene.cluster.github.count(call) + 1, Moment::Before);
                let running = scene.run(2, mode).spawn();
                held.arrived();
                signal(running.id(), name);
                // The request that nobody waits for any more is never answered.
                scene.holds(case.comes, mode, &running.wait_with_output().unwrap().into());
                drop(held);
            }
            AtGitHub::Jump(seconds) => {
                let held = scene.cluster.github.hold(Call::UpdateRef, 2, Moment::Before);
                let (mut command, clock) = namespace::with_clock(&scene.source, &scene.run(2, "auto"));
                let running = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
                held.arrived();
                clock.jump(seconds);
                drop(held);
                scene.holds(case.comes, "auto", &running.wait_with_output().unwrap().into());
            }
        }
    });
}
