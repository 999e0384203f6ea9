//! Faults of the services of a Sigstore: the certificate authority, the log and the timestamp authority.

use std::path::PathBuf;

use doubles::aws::World;
use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, rule};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use super::scene::{Case, Comes, Scene, Template, case, ended_by, try_all};
use super::{DAY, jumped};
use crate::support::{Delivery, part};
use Comes::{Cancelled, Fails, Killed, Overcome};

/// What is asked, as `docs/faults.md` has it.
const SIGSTORE: &str = "the certificate authority, the log and the timestamp authority";

const WORKFLOW: &str = "octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";

/// One of the services, as the test parts call it.
type Service = &'static str;
const AUTHORITY: Service = "FULCIO";
const LOG: Service = "REKOR";
const TIMESTAMPS: Service = "TSA";

/// What happens at a call of one of the services.
#[derive(Debug)]
enum Trouble {
    /// Nobody listens there.
    Nobody(Service),
    /// So many calls come to this.
    Answers(Service, usize, Answer),
    /// The process that was started gets a signal while a call is under way.
    Signal(Service, &'static str),
    /// The clock jumps by so many seconds while a call is under way.
    Jump(Service, i64),
    /// The run's token is no longer good when it is shown.
    Expired,
}

/// What a call comes to.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// Nothing, and no end.
    Hung,
    /// The connection ends after so many bytes of the answer.
    Cut(usize),
    /// It is done, and the connection ends before any answer.
    Silence,
    /// This status.
    Status(u16),
    /// Another try is asked for, in so many seconds.
    Later(&'static str),
    /// This content.
    Content(&'static str),
    /// The last byte is another.
    Spoilt,
}

fn cases() -> Vec<Case<Trouble>> {
    use Answer::{Content, Cut, Later, Silence, Spoilt, Status};
    use Trouble::{Answers, Expired, Jump, Nobody, Signal};
    let mut cases = vec![
        case(SIGSTORE, "expired", Expired, Fails),
        // Somebody else's client has gone, and their entry was in the same batch.
        case(SIGSTORE, "5xx", Answers(LOG, 1, Status(499)), Overcome),
        // More often than there are statements: one of them meets it twice, as where an answer is lost and then the batch is.
        case(SIGSTORE, "wrong", Answers(LOG, 7, Status(409)), Overcome),
        case(SIGSTORE, "wrong", Answers(LOG, ALWAYS, Status(409)), Fails),
    ];
    for service in [AUTHORITY, LOG, TIMESTAMPS] {
        cases.extend([
            case(SIGSTORE, "refused", Nobody(service), Fails),
            case(SIGSTORE, "cut", Answers(service, 1, Cut(40)), Overcome),
            case(SIGSTORE, "cut", Answers(service, 1, Silence), Overcome),
            case(SIGSTORE, "cut", Answers(service, ALWAYS, Silence), Fails),
            case(SIGSTORE, "5xx", Answers(service, 1, Status(503)), Overcome),
            case(SIGSTORE, "5xx", Answers(service, ALWAYS, Status(500)), Fails),
            case(SIGSTORE, "429", Answers(service, 1, Status(429)), Overcome),
            case(SIGSTORE, "429", Answers(service, 1, Later("1")), Overcome),
            case(SIGSTORE, "wrong", Answers(service, ALWAYS, Content("{}")), Fails),
            case(SIGSTORE, "wrong", Answers(service, ALWAYS, Content("<!DOCTYPE html>Welcome")), Fails),
            case(SIGSTORE, "wrong", Answers(service, ALWAYS, Spoilt), Fails),
            case(SIGSTORE, "truncated", Answers(service, ALWAYS, Content("{\"logIndex\":\"12\",\"lo")), Fails),
            case(SIGSTORE, "SIGTERM", Signal(service, "TERM"), Cancelled),
            case(SIGSTORE, "SIGKILL", Signal(service, "KILL"), Killed),
            case(SIGSTORE, "clock", Jump(service, DAY), Overcome),
            // The root's keys are not good yet then.
            case(SIGSTORE, "clock", Jump(service, -DAY), Fails),
        ]);
    }
    cases
}

/// Those that take minutes.
fn slow_cases() -> Vec<Case<Trouble>> {
    let hung = |service, times| Trouble::Answers(service, times, Answer::Hung);
    let of = |service| [case(SIGSTORE, "hung", hung(service, 1), Overcome), case(SIGSTORE, "hung", hung(service, ALWAYS), Fails)];
    [AUTHORITY, LOG, TIMESTAMPS].into_iter().flat_map(of).collect()
}

pub fn cells() -> Vec<(&'static str, &'static str)> {
    cases().into_iter().chain(slow_cases()).map(|case| case.cell).collect()
}

/// A call that waits until the test lets it go, which it does when it is dropped.
struct Held {
    arrived: mpsc::UnboundedReceiver<()>,
    over: watch::Sender<bool>,
}

/// What is before a service.
struct Line {
    proxy: Proxy,
    _runtime: Runtime,
}

impl Line {
    fn to(service: Service, times: usize, fault: Fault) -> Self {
        let runtime = Runtime::new().unwrap();
        let upstream = address(service);
        let rules = vec![rule("POST", "/", times, fault)];
        let proxy = runtime.block_on(Proxy::start(&upstream, Challenge::Nothing, rules));
        Self { proxy, _runtime: runtime }
    }

    fn held(service: Service) -> (Self, Held) {
        let (over, until) = watch::channel(false);
        let (tell, arrived) = mpsc::unbounded_channel();
        (Self::to(service, 1, Fault::HoldAndTell(until, tell)), Held { arrived, over })
    }
}

impl Held {
    fn arrived(&mut self) {
        self.arrived.blocking_recv().expect("the call arrives");
    }

    fn release(&self) {
        self.over.send_replace(true);
    }
}

/// `HOST:PORT`.
fn address(service: Service) -> String {
    let url = part(service);
    url.trim_start_matches("http://").split('/').next().unwrap().to_owned()
}

/// The delivery, with a service elsewhere.
fn with(delivery: &Delivery, service: Service, at: &str) -> Delivery {
    let configuration = document("signing_config.json").replace(&address(service), at);
    delivery.clone().flag("--sigstore-signing-config", &configuration)
}

fn document(name: &str) -> String {
    std::fs::read_to_string(PathBuf::from(part("SIGSTORE")).join(name)).unwrap()
}

/// A delivery by a job whose clock goes wrong by so many seconds.
fn by_a_job(scene: &Scene, seconds: i64) -> Delivery {
    let commit = scene.source.git(&["rev-parse", "HEAD"]);
    let job = World::options().issued_by(&PathBuf::from(part("SIGSTORE"))).environment("test").clock(seconds);
    let job = job.claim("job_workflow_ref", WORKFLOW).claim("sha", commit.clone()).claim("workflow_sha", commit.clone());
    // It lives as long as the test program.
    let service = Box::leak(Box::new(job.token_service()));
    let variables = service.variables().into_iter();
    let delivery = variables.fold(scene.delivery.clone(), |delivery, (name, value)| delivery.variable(&name, &value));
    delivery
        .variable("GITHUB_SHA", &commit)
        .flag("--environment", "test")
        .flag("--code-scanning", "off")
        .flag("--sigstore-signing-config", &document("signing_config.json"))
        .flag("--sigstore-trusted-root", &document("trusted_root.json"))
}

fn fault(answer: Answer) -> Fault {
    match answer {
        Answer::Hung => Fault::Hold(never()),
        Answer::Cut(after) => Fault::CutAnswer(after),
        Answer::Silence => Fault::Silence,
        Answer::Status(status) => Fault::Answer(status, "BROKEN", None),
        Answer::Later(seconds) => Fault::Answer(429, "TOOMANYREQUESTS", Some(("Retry-After", seconds.to_owned()))),
        Answer::Content(content) => Fault::Content("application/json", content.as_bytes().to_vec()),
        Answer::Spoilt => Fault::Corrupt,
    }
}

/// What is never true.
fn never() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    // Whoever waits is told when nobody can make it true any more.
    Box::leak(Box::new(sender));
    receiver
}

fn try_signing(cases: &[Case<Trouble>]) {
    let template = Template::plain();
    try_all(SIGSTORE, cases, |case| {
        let mut scene = Scene::in_registry(&template);
        scene.delivery = by_a_job(&scene, 0);
        let ended = match case.trouble {
            Trouble::Nobody(service) => with(&scene.delivery, service, "127.0.0.1:1").output(),
            Trouble::Answers(service, times, answer) => {
                let line = Line::to(service, times, fault(answer));
                with(&scene.delivery, service, &line.proxy.address).output()
            }
            Trouble::Signal(service, name) => {
                let (line, mut held) = Line::held(service);
                ended_by(&with(&scene.delivery, service, &line.proxy.address), || held.arrived(), name)
            }
            Trouble::Jump(service, seconds) => {
                let (line, mut held) = Line::held(service);
                jumped(&scene, &with(&scene.delivery, service, &line.proxy.address), |clock| {
                    held.arrived();
                    clock.jump(seconds);
                    held.release();
                })
            }
            Trouble::Expired => by_a_job(&scene, -DAY).output(),
        };
        scene.holds(case.comes, &ended);
    });
}

#[test]
fn no_fault_of_a_sigstore_shows_what_was_not_cleared_or_leaves_anything() {
    try_signing(&cases());
}

#[test]
#[ignore = "takes minutes: make faults"]
fn a_sigstore_that_hangs_is_given_up() {
    try_signing(&slow_cases());
}
