//! What happens in a simulation: deliveries, what goes wrong with their requests, and how a history is drawn from a seed.

use std::fmt;

use super::chance::Chance;

/// All that happens to one repository, in milliseconds of virtual time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History {
    pub(super) registry: Kind,
    /// How long each request takes follows from it.
    pub(super) seed: u64,
    pub(super) runs: Vec<Run>,
    pub(super) troubles: Vec<Trouble>,
    /// When all credentials that were given out stop being good.
    pub(super) expiries: Vec<u64>,
}

/// What a registry keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The last write wins; a tag can be removed (distribution 3, zot, Harbor).
    RemovesTags,
    /// The last write wins; a manifest is removed with its tags, and no tag alone (distribution 2).
    RemovesManifests,
    /// The last write wins; nothing is removed (ghcr.io, Docker Hub).
    RemovesNothing,
    /// A tag can be set on the condition that it names nothing.
    KnowsConditions,
    /// Amazon ECR with tags that may move.
    Ecr,
    /// Amazon ECR with fixed tags that may not (`IMMUTABLE_WITH_EXCLUSION`).
    EcrImmutable,
}

/// One delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) commit: u8,
    pub(super) environment: Environment,
    /// Builds of one commit that come to other bytes.
    pub(super) build: u8,
    /// Whether it has but one fixed tag, the commit's.
    pub(super) plain: bool,
    /// Whether it has a moving tag.
    pub(super) latest: bool,
    pub(super) starts: u64,
    /// About how long a request takes, and an answer.
    pub(super) line: u64,
    /// When it is cancelled, after its start.
    pub(super) cancel: Option<u64>,
    /// When it ends by SIGKILL, after its start.
    pub(super) crash: Option<u64>,
    /// Whether another image is in the place of the one that was cleared.
    pub(super) swapped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Environment {
    Dev,
    Prod,
}

/// Some of a delivery's requests go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) run: u8,
    pub(super) call: Call,
    /// Which of the requests of this kind is the first.
    pub(super) nth: u32,
    /// How many in all.
    pub(super) times: u32,
    pub(super) fate: Fate,
}

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Ping,
    Token,
    HasBlob,
    BeginUpload,
    PutBlob,
    HasManifest,
    PutManifest,
    DeleteManifest,
    List,
    Look(Name),
    Put(Name),
    Delete(Name),
    /// `BatchDeleteImage`.
    Untag(Name),
}

/// The tags of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Commit,
    Environment,
    Latest,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nobody listens.
    Refused,
    /// It never arrives, and its connection is cut.
    Lost,
    /// It is obeyed, and its connection is cut before the answer.
    AnswerLost,
    /// It never arrives, and nobody says so.
    Silence,
    /// It is obeyed, and nobody says so.
    ObeyedInSilence,
    /// Its connection is cut, and it arrives this much later.
    Late(u64),
    /// It takes this much longer to arrive.
    Slow(u64),
    /// Its answer takes this much longer.
    SlowAnswer(u64),
    /// It is refused, and the client is asked to stay away for so many seconds.
    Refusal(u16, Option<u64>),
    /// It is obeyed, and the answer says that it failed.
    ObeyedAndFailed(u16),
    /// It is obeyed, and the connection is cut within the answer.
    Truncated,
    /// It is obeyed, and the answer is another one's.
    Wrong,
}

const NAMES: [Name; 3] = [Name::Commit, Name::Environment, Name::Latest];

impl History {
    /// The history of a seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let kinds = [
            Kind::RemovesTags,
            Kind::RemovesManifests,
            Kind::RemovesNothing,
            Kind::KnowsConditions,
            Kind::Ecr,
            Kind::EcrImmutable,
        ];
        let registry = chance.pick(&kinds);
        let count = chance.pick(&[1, 2, 2, 2, 3, 3, 4]);
        let (line, spread) = (chance.pick(&[5, 5, 20, 80, 300, 1_200]), chance.pick(&[1, 30, 300, 1_500, 6_000]));
        let runs: Vec<Run> = (0..count).map(|_| Run::drawn(&mut chance, line, spread)).collect();
        let troubles = chance.pick(&[0, 1, 2, 2, 3, 4, 6, 9]);
        let troubles = (0..troubles).map(|_| Trouble::drawn(&mut chance, count)).collect();
        let expiries = if chance.one_in(6) { vec![500 + chance.below(8_000)] } else { Vec::new() };
        Self { registry, seed, runs, troubles, expiries }
    }

    /// Histories with one thing less.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        for gone in (0..self.runs.len()).filter(|_| self.runs.len() > 1) {
            let mut less = self.clone();
            less.runs.remove(gone);
            less.troubles.retain(|trouble| usize::from(trouble.run) != gone);
            less.troubles.iter_mut().filter(|trouble| usize::from(trouble.run) > gone).for_each(|trouble| trouble.run -= 1);
            smaller.push(less);
        }
        let mut with = |change: &mut dyn FnMut(&mut Self)| {
            let mut less = self.clone();
            change(&mut less);
            if less != *self {
                smaller.push(less);
            }
        };
        (0..self.troubles.len()).for_each(|gone| {
            with(&mut |less| {
                less.troubles.remove(gone);
            });
        });
        (0..self.expiries.len()).for_each(|gone| {
            with(&mut |less| {
                less.expiries.remove(gone);
            });
        });
        for index in 0..self.runs.len() {
            with(&mut |less| less.runs[index].cancel = None);
            with(&mut |less| less.runs[index].crash = None);
            with(&mut |less| less.runs[index].swapped = false);
            with(&mut |less| less.runs[index].plain = false);
            with(&mut |less| less.runs[index].line = 5);
            with(&mut |less| less.runs[index].starts = 0);
        }
        for index in 0..self.troubles.len() {
            with(&mut |less| less.troubles[index].times = 1);
            with(&mut |less| less.troubles[index].nth = 0);
        }
        smaller
    }
}

impl Run {
    fn drawn(chance: &mut Chance, line: u64, spread: u64) -> Self {
        let line = if chance.one_in(4) { chance.pick(&[5, 20, 80, 300, 1_200]) } else { line };
        let ends = |chance: &mut Chance| Some(chance.below(line * 60 + 2_500) + 10);
        Self {
            commit: u8::try_from(chance.pick(&[0, 0, 0, 0, 1])).unwrap(),
            environment: chance.pick(&[Environment::Dev, Environment::Dev, Environment::Prod]),
            build: u8::try_from(chance.below(2)).unwrap(),
            plain: chance.one_in(5),
            latest: !chance.one_in(4),
            starts: if chance.one_in(8) { 20_000 + chance.below(60_000) } else { chance.below(spread) },
            line,
            cancel: if chance.one_in(5) { ends(chance) } else { None },
            crash: if chance.one_in(8) { ends(chance) } else { None },
            swapped: chance.one_in(25),
        }
    }
}

impl Trouble {
    fn drawn(chance: &mut Chance, runs: u64) -> Self {
        let name = chance.pick(&NAMES);
        let call = match chance.below(24) {
            0 => Call::Ping,
            1 => Call::Token,
            2 => chance.pick(&[Call::HasBlob, Call::BeginUpload, Call::PutBlob, Call::HasManifest]),
            3 => Call::PutManifest,
            4 => Call::DeleteManifest,
            5 => Call::List,
            6..=11 => Call::Look(name),
            12..=19 => Call::Put(name),
            _ => chance.pick(&[Call::Delete(name), Call::Untag(name)]),
        };
        Self {
            run: u8::try_from(chance.below(runs)).unwrap(),
            call,
            nth: if let Call::Look(_) = call { u32::try_from(chance.below(9)).unwrap() } else { chance.pick(&[0, 0, 0, 1]) },
            times: chance.pick(&[1, 1, 1, 2, 3, 5, 12]),
            fate: Fate::drawn(chance),
        }
    }
}

impl Fate {
    fn drawn(chance: &mut Chance) -> Self {
        let retry_after = chance.pick(&[None, None, Some(0), Some(2), Some(20), Some(50), Some(90)]);
        match chance.below(16) {
            0 => Self::Refused,
            1 => Self::Lost,
            2 | 3 => Self::AnswerLost,
            4 => Self::Silence,
            5 => Self::ObeyedInSilence,
            6 => Self::Late(chance.pick(&[100, 1_000, 5_000, 30_000])),
            7 => Self::Slow(chance.pick(&[500, 3_000, 15_000, 50_000])),
            8 => Self::SlowAnswer(chance.pick(&[500, 3_000, 15_000, 50_000])),
            9 => Self::Refusal(429, retry_after),
            10 => Self::Refusal(503, retry_after),
            11 => Self::Refusal(chance.pick(&[403, 401, 500, 502, 504]), None),
            12 | 13 => Self::ObeyedAndFailed(chance.pick(&[500, 502, 503, 504])),
            14 => Self::Truncated,
            _ => Self::Wrong,
        }
    }
}

impl fmt::Display for History {
    /// As the table of histories has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registry, seed, runs, troubles, expiries } = self;
        write!(f, "History {{ registry: {registry:?}, seed: {seed:#x}, runs: vec!{runs:?}, ")?;
        write!(f, "troubles: vec!{troubles:?}, expiries: vec!{expiries:?} }}")
    }
}
