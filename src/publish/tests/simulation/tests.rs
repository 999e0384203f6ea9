//! Many seeds.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use super::history::History;
use super::judge::{Limit, Promise};
use super::{Told, happens};

/// How many histories are looked at by `make test`; `make faults` asks for more by [`HOW_MANY`].
const HISTORIES: u64 = 500;
/// The variable with the number of histories.
const HOW_MANY: &str = "GP_DELIVER_HISTORIES";
/// The variable with the first seed.
const FIRST: &str = "GP_DELIVER_FIRST_SEED";
/// A history as small as it gets while it breaks the same promise.
fn shrunk(history: History, promise: Promise) -> History {
    let mut smallest = history;
    while let Some(smaller) =
        smallest.smaller().into_iter().find(|history| happens(history).broken.first().is_some_and(|(first, _)| *first == promise))
    {
        smallest = smaller;
    }
    smallest
}

/// A history that broke a promise, as whoever mends it wants to see it.
fn report(seed: u64, history: History) -> String {
    let Some((promise, _)) = happens(&history).broken.into_iter().next() else { return format!("seed {seed}: not again") };
    let smallest = shrunk(history, promise);
    let told = happens(&smallest);
    let how = &told.broken[0].1;
    format!("seed {seed} breaks {promise:?}: {how}\n{smallest}\n{}", told.log.join("\n"))
}

/// What many histories came to.
#[derive(Default)]
struct Found {
    failed: BTreeMap<u64, Vec<Promise>>,
    limits: BTreeMap<Limit, u32>,
    ends: BTreeMap<&'static str, u32>,
}

impl Found {
    fn add(&mut self, seed: u64, told: Told) {
        if !told.broken.is_empty() {
            self.failed.insert(seed, told.promises());
        }
        told.limits.into_iter().for_each(|(limit, times)| *self.limits.entry(limit).or_default() += times);
        told.ends.into_iter().for_each(|(end, times)| *self.ends.entry(end).or_default() += times);
    }

    fn and(mut self, other: Self) -> Self {
        self.failed.extend(other.failed);
        other.limits.into_iter().for_each(|(limit, times)| *self.limits.entry(limit).or_default() += times);
        other.ends.into_iter().for_each(|(end, times)| *self.ends.entry(end).or_default() += times);
        self
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().unwrap())
}

#[test]
fn the_promises_of_publishing_hold_in_random_histories() {
    let (first, count) = (number(FIRST, 0), number(HOW_MANY, HISTORIES));
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let look = || {
        let mut found = Found::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return found;
            }
            found.add(seed, happens(&History::of(seed)));
        }
    };
    let found = std::thread::scope(|scope| {
        let lookers: Vec<_> = (0..threads).map(|_| scope.spawn(look)).collect();
        lookers.into_iter().map(|looker| looker.join().unwrap()).fold(Found::default(), Found::and)
    });
    let Found { failed, limits, ends } = found;
    let ends: Vec<_> = ends.iter().map(|(end, times)| format!("{times} {end}")).collect();
    // Past the harness, which keeps what a test that passes says.
    let counts =
        format!("histories: {count} from seed {first}, {} failures; {}; let pass: {limits:?}\n", failed.len(), ends.join(", "));
    std::io::stderr().write_all(counts.as_bytes()).unwrap();
    let mut by_promise = BTreeMap::<Promise, Vec<u64>>::new();
    failed.iter().for_each(|(seed, promises)| by_promise.entry(promises[0]).or_default().push(*seed));
    let shown = by_promise.iter().map(|(promise, seeds)| {
        let first = report(seeds[0], History::of(seeds[0]));
        format!("{promise:?}: {} histories, {seeds:?}; the first of them:\n{first}", seeds.len())
    });
    assert!(failed.is_empty(), "{}", shown.collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in 0..40 {
        let history = History::of(seed);
        // What is of the same moment has no order.
        let [one, other] = [(); 2].map(|()| {
            let mut log = happens(&history).log;
            log.sort();
            log
        });
        assert!(one.len() > 10);
        let first = one.iter().zip(&other).find(|(one, other)| one != other);
        assert!(one.len() == other.len() && first.is_none(), "seed {seed}: {first:?}");
    }
}
