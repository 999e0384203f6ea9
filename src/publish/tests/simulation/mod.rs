//! Histories of several deliveries to one repository, drawn from seeds, in virtual time: whatever happens to their requests,
//! the promises of publishing hold ([`judge`]).
//!
//! The code that publishes is the product's, down to the repeats and the credentials; beneath it, a request goes into a model
//! of a registry instead of into a socket. A history that breaks a promise is shrunk and printed, and becomes a row of
//! [`found`].

mod chance;
mod delivery;
mod found;
mod history;
mod judge;
mod line;
mod registry;
mod tests;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use history::{History, Run};
use judge::{Limit, Promise};
use world::World;

use crate::net::SEED;
use crate::publish::Error;
use crate::record::Publication;

/// How long a history lasts at most, in virtual time.
const LONGEST: Duration = Duration::from_hours(6);

/// What became of a history.
struct Told {
    broken: Vec<(Promise, String)>,
    limits: BTreeMap<Limit, u32>,
    /// How deliveries ended, and how often.
    ends: BTreeMap<&'static str, u32>,
    log: Vec<String>,
}

impl Told {
    fn promises(&self) -> Vec<Promise> {
        let mut promises: Vec<_> = self.broken.iter().map(|(promise, _)| *promise).collect();
        promises.sort();
        promises.dedup();
        promises
    }
}

/// Lets a history happen.
fn happens(history: &History) -> Told {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    // One thread reads files, so that they are read in one order.
    let runtime = builder.enable_time().start_paused(true).max_blocking_threads(1).build().unwrap();
    SEED.set(Some(history.seed));
    let told = runtime.block_on(all(history));
    SEED.set(None);
    told
}

async fn all(history: &History) -> Told {
    let world = World::new(history);
    let turning = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.turn().await }
    });
    if timeout(LONGEST, course(&world)).await.is_err() {
        world.state().judge.hangs(world.now());
    }
    turning.abort();
    let mut state = world.state();
    let judge = &mut state.judge;
    Told {
        broken: std::mem::take(&mut judge.broken),
        limits: std::mem::take(&mut judge.limits),
        ends: std::mem::take(&mut judge.ended),
        log: std::mem::take(&mut judge.log),
    }
}

async fn course(world: &Arc<World>) {
    let runs = world.history.runs.clone();
    let begun: Vec<_> = runs.iter().enumerate().map(|(index, run)| tokio::spawn(one(Arc::clone(world), index, *run))).collect();
    for run in begun {
        run.await.unwrap();
    }
    while world.is_busy() {
        sleep(Duration::from_millis(100)).await;
    }
    {
        let now = world.now();
        let state = &mut *world.state();
        state.judge.is_over(now, &state.registry);
    }
    // Whatever went wrong, the delivery that follows finishes it.
    let followers = runs.iter().map(|run| Run { cancel: None, crash: None, swapped: false, line: 4, starts: 0, ..*run });
    let mut done = Vec::new();
    for run in followers {
        if done.contains(&run) {
            continue;
        }
        let follower = runs.len() + done.len();
        done.push(run);
        world.state().judge.begins(world.now(), follower, &run, run.tags());
        let outcome = delivery::deliver(world, follower, run, &CancellationToken::new()).await;
        let now = world.now();
        let state = &mut *world.state();
        state.judge.ends(now, follower, &outcome, &state.registry);
        state.judge.follows(now, follower, &outcome, &state.registry);
    }
}

/// One delivery from its beginning to its end, or to its crash.
async fn one(world: Arc<World>, index: usize, run: Run) {
    tokio::time::sleep_until(world.at(world::aligned(run.starts, 2))).await;
    world.state().judge.begins(world.now(), index, &run, run.tags());
    let outcome: Option<Result<Publication, Error>> = tokio::select! {
        biased;
        () = world.crashes[index].cancelled() => None,
        outcome = delivery::deliver(&world, index, run, &world.cancels[index]) => Some(outcome),
    };
    if let Some(outcome) = outcome {
        let now = world.now();
        let state = &mut *world.state();
        state.judge.ends(now, index, &outcome, &state.registry);
    }
}
