//! The world of a simulation: virtual time, the lines to the registry, and what happens on them. All that happens is in one
//! queue, so that the same history happens in the same way each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::chance::mixed;
use super::history::{Call, Fate, History, Kind, Name};
use super::judge::Judge;
use super::registry::{Answer, Ask, Registry, Which};
use crate::net::TransportError;
use crate::oci::{Digest, Tag};

/// The name of the repository, whose registry is nowhere.
pub(super) const HOST: &str = "registry.example";
/// For how long a token or a password is good, in seconds.
pub(super) const GOOD_FOR: u64 = 600;
/// The line of a delivery that nothing happens to.
const QUICK: u64 = 4;

pub(super) struct World {
    pub(super) history: History,
    state: Mutex<State>,
    changed: Notify,
    start: Instant,
    pub(super) cancels: Vec<CancellationToken>,
    pub(super) crashes: Vec<CancellationToken>,
}

pub(super) struct State {
    pub(super) registry: Registry,
    pub(super) judge: Judge,
    queue: BTreeMap<(u64, u64), Event>,
    /// How many requests there were of each kind about each thing.
    counts: BTreeMap<(usize, Call, String), u32>,
    dead: BTreeSet<usize>,
    /// The tokens and passwords that are good, and until when.
    good: BTreeMap<String, u64>,
    given: u32,
}

enum Event {
    Arrival(Box<Sent>),
    Answer { run: usize, reply: oneshot::Sender<Reply>, with: Reply, told: Told },
    Cancel(usize),
    Crash(usize),
    Expiry,
}

/// A request on its way.
struct Sent {
    run: usize,
    /// What all that chance has to say of it follows from.
    way: u64,
    ask: Ask,
    shown: Option<String>,
    fate: Option<Fate>,
    reply: Option<oneshot::Sender<Reply>>,
    /// Which of the judge's writes it is.
    write: Option<usize>,
}

/// What a run learns by an answer.
#[derive(Default)]
struct Told {
    look: Option<(Tag, Option<Digest>, u64)>,
    write: Option<usize>,
}

/// What comes of a request, to the one who sent it.
#[derive(Debug)]
pub(super) enum Reply {
    Whole(Answer),
    Truncated(Answer),
    Failed(TransportError),
}

impl World {
    pub(super) fn new(history: &History) -> Arc<Self> {
        let tokens = || (0..history.runs.len()).map(|_| CancellationToken::new()).collect();
        let mut queue = BTreeMap::new();
        for (index, run) in history.runs.iter().enumerate() {
            for (after, event) in [(run.cancel, Event::Cancel(index)), (run.crash, Event::Crash(index))] {
                if let Some(after) = after {
                    let key = (aligned(run.starts + after, 0), mixed(&[7, index as u64, after, queue.len() as u64]));
                    queue.insert(key, event);
                }
            }
        }
        for at in &history.expiries {
            queue.insert((aligned(*at, 0), mixed(&[8, *at])), Event::Expiry);
        }
        let state = State {
            registry: Registry::new(history.registry),
            judge: Judge::new(history),
            queue,
            counts: BTreeMap::new(),
            dead: BTreeSet::new(),
            good: BTreeMap::new(),
            given: 0,
        };
        Arc::new(Self {
            history: history.clone(),
            state: Mutex::new(state),
            changed: Notify::new(),
            start: Instant::now(),
            cancels: tokens(),
            crashes: tokens(),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The time since the beginning.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    pub(super) fn at(&self, milliseconds: u64) -> Instant {
        self.start + Duration::from_millis(milliseconds)
    }

    fn line(&self, run: usize) -> u64 {
        self.history.runs.get(run).map_or(QUICK, |run| run.line)
    }

    fn delay(&self, run: usize, way: u64, phase: u64) -> u64 {
        let line = self.line(run);
        line / 2 + mixed(&[way, phase]) % (line + 1) + 1
    }

    /// Lets all happen at its time.
    pub(super) async fn turn(&self) {
        loop {
            let next = self.state().queue.first_key_value().map(|((at, _), _)| *at);
            match next {
                Some(at) => tokio::select! {
                    biased;
                    () = sleep_until(self.at(at)) => self.happen(),
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// Whether a request is on its way.
    pub(super) fn is_busy(&self) -> bool {
        self.state().queue.values().any(|event| matches!(event, Event::Arrival(_)))
    }

    /// Sends a request. What comes of it is told, or nothing ever is: then the sender is gone.
    pub(super) fn send(&self, run: usize, ask: Ask, shown: Option<String>) -> oneshot::Receiver<Reply> {
        let (reply, receiver) = oneshot::channel();
        let now = self.now();
        let mut state = self.state();
        if state.dead.contains(&run) {
            return receiver;
        }
        let call = call_of(&ask);
        let shown_as = shown_as(&ask);
        let count = state.counts.entry((run, call, shown_as.clone())).and_modify(|count| *count += 1).or_insert(0);
        let count = *count;
        let trouble = self.history.troubles.iter().find(|trouble| {
            usize::from(trouble.run) == run && trouble.call == call && (trouble.nth..trouble.nth + trouble.times).contains(&count)
        });
        let fate = trouble.map(|trouble| trouble.fate);
        let way = mixed(&[self.history.seed, run as u64, code(call), u64::from(count), number(&shown_as)]);
        let (there, back) = (self.delay(run, way, 1), self.delay(run, way, 2));
        let write = state.judge.sends(now, run, &ask);
        let arrives = |after: u64| aligned(now + after, 1);
        let answered = |after: u64| aligned(now + after, 3);
        let key = |phase: u64| mixed(&[way, phase]);
        state.judge.note(now, run, &format!("sends {shown_as}{}", fate.map_or_else(String::new, |fate| format!(" [{fate:?}]"))));
        let mut sent = Box::new(Sent { run, way, ask, shown, fate, reply: None, write });
        let failed = match fate {
            Some(Fate::Refused) => Some((there, TransportError::Refused, None)),
            Some(Fate::Lost) => Some((there + back, TransportError::Cut("the connection was lost".into()), None)),
            Some(Fate::Late(by)) => {
                Some((there + back, TransportError::Cut("the connection was lost".into()), Some(there + back + by)))
            }
            Some(Fate::Silence) => return receiver,
            _ => None,
        };
        match failed {
            Some((after, error, late)) => {
                let event = Event::Answer { run, reply, with: Reply::Failed(error), told: Told::default() };
                state.queue.insert((answered(after), key(3)), event);
                if let Some(late) = late {
                    state.queue.insert((arrives(late), key(4)), Event::Arrival(sent));
                }
            }
            None => {
                let slow = if let Some(Fate::Slow(by)) = fate { by } else { 0 };
                sent.reply = Some(reply);
                state.queue.insert((arrives(there + slow), key(4)), Event::Arrival(sent));
            }
        }
        drop(state);
        self.changed.notify_one();
        receiver
    }

    /// A token or password, good from now.
    pub(super) fn issue(&self) -> String {
        let now = self.now();
        self.state().issue(now)
    }

    fn happen(&self) {
        let now = self.now();
        let mut state = self.state();
        while let Some(entry) = state.queue.first_entry() {
            if entry.key().0 > now {
                break;
            }
            match entry.remove() {
                Event::Arrival(sent) => self.arrive(&mut state, now, *sent),
                Event::Answer { run, reply, with, told } => {
                    if state.dead.contains(&run) {
                        continue;
                    }
                    if let (Reply::Failed(_), Some(write)) = (&with, told.write) {
                        state.judge.loses(write);
                    }
                    state.judge.learns(now, run, told.look, told.write);
                    // Whoever has closed the connection hears nothing.
                    let _ = reply.send(with);
                }
                Event::Cancel(run) => {
                    state.judge.cancelled(now, run);
                    self.cancels[run].cancel();
                }
                Event::Crash(run) => {
                    state.judge.note(now, run, "crashes");
                    state.dead.insert(run);
                    state.judge.crashed(run);
                    self.crashes[run].cancel();
                }
                Event::Expiry => {
                    state.judge.note(now, usize::MAX, "all credentials expire");
                    state.good.clear();
                }
            }
        }
    }

    fn arrive(&self, state: &mut State, now: u64, sent: Sent) {
        let Sent { run, way, ask, shown, fate, reply, write } = sent;
        let answer = match fate {
            Some(Fate::Refusal(status, retry_after)) => {
                let refusal = Answer::refusal(status, "UNKNOWN", "not now");
                retry_after.map_or(refusal.clone(), |seconds| refusal.with("retry-after", seconds.to_string()))
            }
            Some(Fate::Wrong) if matches!(ask, Ask::Put { .. } | Ask::Delete(_)) => Answer::new(202),
            _ => {
                let refusal = state.admit(now, self.history.registry, &ask, shown.as_deref());
                if let (Some(refusal), Some(write)) = (&refusal, write) {
                    state.judge.refuses(write, refusal.status);
                }
                let answer = refusal.unwrap_or_else(|| {
                    let before = state.registry.tags.clone();
                    let answer = state.registry.apply(run, &ask);
                    let (registry, judge) = (&state.registry, &mut state.judge);
                    judge.happened(now, run, &ask, write, &before, registry, answer.status);
                    answer
                });
                match fate {
                    Some(Fate::ObeyedAndFailed(status)) => Answer::refusal(status, "UNKNOWN", "it failed"),
                    Some(Fate::Wrong) => Answer { body: Bytes::from_static(b"{\"schemaVersion\":2}"), ..answer },
                    _ => answer,
                }
            }
        };
        state.judge.note(now, run, &format!("{} arrives: {}", shown_as(&ask), answer.status));
        let Some(reply) = reply else { return };
        let look = match (&ask, answer.status, fate) {
            (Ask::Look { which: Which::Tag(tag), .. }, 200 | 404, None | Some(Fate::Slow(_) | Fate::SlowAnswer(_))) => {
                Some((tag.clone(), state.registry.tags.get(tag).map(|named| named.digest), now))
            }
            _ => None,
        };
        let slow = if let Some(Fate::SlowAnswer(by)) = fate { by } else { 0 };
        let at = aligned(now + self.delay(run, way, 2) + slow, 3);
        let with = match fate {
            Some(Fate::AnswerLost) => Reply::Failed(TransportError::Cut("the connection was lost".into())),
            Some(Fate::ObeyedInSilence) => return,
            Some(Fate::Truncated) => Reply::Truncated(answer),
            _ => Reply::Whole(answer),
        };
        state.queue.insert((at, mixed(&[way, 5])), Event::Answer { run, reply, with, told: Told { look, write } });
    }
}

impl State {
    fn issue(&mut self, now: u64) -> String {
        self.given += 1;
        let text = format!("secret-{}", self.given);
        self.good.insert(text.clone(), now + GOOD_FOR * 1_000);
        text
    }

    /// What the registry says before it looks at the request: nothing, if it lets it in.
    fn admit(&mut self, now: u64, kind: Kind, ask: &Ask, shown: Option<&str>) -> Option<Answer> {
        let is_ecr = matches!(kind, Kind::Ecr | Kind::EcrImmutable);
        let challenge = if is_ecr {
            format!("Basic realm=\"https://{HOST}/\",service=\"ecr.amazonaws.com\"")
        } else {
            format!("Bearer realm=\"https://{HOST}/token\",service=\"{HOST}\"")
        };
        match ask {
            Ask::Ping => Some(Answer::new(401).with("www-authenticate", challenge)),
            Ask::Token => {
                let body = serde_json::json!({"token": self.issue(now), "expires_in": GOOD_FOR}).to_string();
                Some(Answer { body: body.into(), ..Answer::new(200) })
            }
            Ask::Untag(_) => None,
            _ if shown.is_some_and(|shown| self.good.get(shown).is_some_and(|until| *until > now)) => None,
            _ if is_ecr && shown.is_some() => {
                Some(Answer::refusal(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again."))
            }
            _ => Some(Answer::new(401).with("www-authenticate", challenge)),
        }
    }
}

/// The first moment from `at` on whose rest by four is this: what happens at the same moment happens in an order that nobody
/// has chosen, so requests, answers and cancels each have moments of their own.
pub(super) fn aligned(at: u64, rest: u64) -> u64 {
    at + (rest + 4 - at % 4) % 4
}

fn name_of(tag: &Tag) -> Name {
    match tag.as_str() {
        "latest" => Name::Latest,
        text if text.contains('-') => Name::Environment,
        _ => Name::Commit,
    }
}

fn call_of(ask: &Ask) -> Call {
    match ask {
        Ask::Ping => Call::Ping,
        Ask::Token => Call::Token,
        Ask::HasBlob(_) => Call::HasBlob,
        Ask::BeginUpload => Call::BeginUpload,
        Ask::PutBlob { .. } => Call::PutBlob,
        Ask::Look { which: Which::Digest(_), .. } | Ask::Look { head: true, .. } => Call::HasManifest,
        Ask::Look { which: Which::Tag(tag), .. } => Call::Look(name_of(tag)),
        Ask::Put { which: Which::Digest(_), .. } => Call::PutManifest,
        Ask::Put { which: Which::Tag(tag), .. } => Call::Put(name_of(tag)),
        Ask::Delete(Which::Digest(_)) => Call::DeleteManifest,
        Ask::Delete(Which::Tag(tag)) => Call::Delete(name_of(tag)),
        Ask::List => Call::List,
        Ask::Untag(tag) => Call::Untag(name_of(tag)),
    }
}

fn code(call: Call) -> u64 {
    let name = |name: Name| match name {
        Name::Commit => 0,
        Name::Environment => 1,
        Name::Latest => 2,
    };
    match call {
        Call::Ping => 1,
        Call::Token => 2,
        Call::HasBlob => 3,
        Call::BeginUpload => 4,
        Call::PutBlob => 5,
        Call::HasManifest => 6,
        Call::PutManifest => 7,
        Call::DeleteManifest => 8,
        Call::List => 9,
        Call::Look(tag) => 10 + name(tag),
        Call::Put(tag) => 20 + name(tag),
        Call::Delete(tag) => 30 + name(tag),
        Call::Untag(tag) => 40 + name(tag),
    }
}

/// A number for a text (FNV-1a).
fn number(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn shown_as(ask: &Ask) -> String {
    let which = |which: &Which| match which {
        Which::Tag(tag) => tag.to_string(),
        Which::Digest(digest) => digest.short(),
    };
    match ask {
        Ask::Ping => "ping".to_owned(),
        Ask::Token => "token".to_owned(),
        Ask::HasBlob(digest) => format!("HEAD blob {}", digest.short()),
        Ask::BeginUpload => "POST upload".to_owned(),
        Ask::PutBlob { digest, .. } => format!("PUT blob {}", digest.map(|digest| digest.short()).unwrap_or_default()),
        Ask::Look { which: what, head } => format!("{} {}", if *head { "HEAD" } else { "GET" }, which(what)),
        Ask::Put { which: what, content, .. } => format!("PUT {} = {}", which(what), Digest::of(content).short()),
        Ask::Delete(what) => format!("DELETE {}", which(what)),
        Ask::List => "GET tags".to_owned(),
        Ask::Untag(tag) => format!("BatchDeleteImage {tag}"),
    }
}
