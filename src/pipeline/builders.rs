//! The builders of a delivery: which one builds for which platform, and who takes the place of one that dies.
//!
//! Who builds is settled before anything is: of the builders that are named for a platform the first that answers, in the order
//! that repository and Dockerfile prefer (`buildkit::fleet`). One that does not answer is passed over and named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Mutex, OnceCell};

use super::Delivery;
use super::claim::dockerfile_name;
use crate::buildkit::Error as BuildError;
use crate::buildkit::builder::{Builder, Host};
use crate::buildkit::endpoint::Address;
use crate::buildkit::error::Untaken;
use crate::buildkit::fleet::FleetKey;
use crate::config::Config;
use crate::error::Error;
use crate::github::Access;
use crate::oci::Platform;
use crate::plan::PlannedBuilders;
use crate::record::StageLog;
use crate::text;

/// The builders of a delivery.
pub(super) struct Builders {
    /// Who builds for each platform, in the order of `platforms`.
    seats: Vec<Seat>,
    /// Calls those that take the place of others: who answered before the build may be gone since.
    next: Callers,
}

/// A platform, and who builds for it.
#[derive(Clone)]
pub(super) struct Seat {
    /// The platform; the builder's own where none is named.
    pub(super) platform: Option<Platform>,
    /// Who builds for it.
    pub(super) builder: Arc<Builder>,
    /// Who would take its place, the preferred one first.
    rest: Vec<Address>,
    /// Whether there is a list to go by. A single builder is just the builder, and needs no name.
    pub(super) is_listed: bool,
}

/// How long a builder that others could stand in for may take to say what it is.
const ANSWER: Duration = Duration::from_secs(30);

/// What came of a call at an address.
type Called = Result<Arc<Builder>, Untaken>;

/// Calls each builder once, however many platforms it is named for, and names it once where it does not answer.
#[derive(Default)]
struct Callers {
    certificates: Option<PathBuf>,
    called: Mutex<BTreeMap<String, Arc<OnceCell<Called>>>>,
}

/// What builds of this Dockerfile of this repository have in common; `root` is the topmost folder of the source.
fn key(config: &Config, root: &Path) -> FleetKey {
    let repository = config.github.as_ref().map_or_else(|| root.to_string_lossy().into_owned(), Access::name);
    FleetKey::of(&repository, &dockerfile_name(&config.build.dockerfile, root))
}

/// Who is asked to build for each platform, for a plan; nothing where there is one builder for all.
pub(crate) fn planned(config: &Config, root: &Path) -> Vec<PlannedBuilders> {
    let Host::Buildkitd(fleet, _) = &config.build.host else { return Vec::new() };
    if fleet.only().is_some() {
        return Vec::new();
    }
    let key = key(config, root);
    let planned = |platform: &Platform| {
        let addresses = fleet.builders_of(Some(platform), key).iter().map(ToString::to_string).collect();
        PlannedBuilders { platform: platform.clone(), addresses }
    };
    config.build.platforms.iter().map(planned).collect()
}

impl Builders {
    /// Finds those of a delivery whose source is in `root`.
    ///
    /// # Errors
    /// A platform has none that answers.
    pub(super) async fn find(delivery: &Delivery, root: &Path, log: &StageLog) -> Result<Self, Error> {
        let build = &delivery.config.build;
        let platforms =
            || if build.platforms.is_empty() { vec![None] } else { build.platforms.iter().cloned().map(Some).collect() };
        let (fleet, certificates) = match &build.host {
            Host::Docker(addresses, certificates) => {
                let builder = Builder::docker(addresses, certificates.as_deref(), &delivery.cleanups).await?;
                return Ok(Self::one(platforms(), builder));
            }
            Host::Buildkitd(fleet, certificates) => (fleet, certificates),
        };
        if let Some(only) = fleet.only() {
            return Ok(Self::one(platforms(), Builder::buildkitd(only, certificates.as_deref()).await?));
        }
        let key = key(&delivery.config, root);
        let [callers, next] = [(); 2].map(|()| Callers { certificates: certificates.clone(), ..Callers::default() });
        let seats = platforms().into_iter().map(async |platform| {
            let candidates = fleet.builders_of(platform.as_ref(), key);
            (platform.clone(), callers.seat(platform, candidates, log).await)
        });
        let (mut seats_taken, mut platforms, mut tried) = (Vec::new(), Vec::new(), Vec::<Untaken>::new());
        for (platform, seat) in join_all(seats).await {
            match seat? {
                Ok(seat) => seats_taken.push(seat),
                Err(untaken) => {
                    platforms.extend(platform);
                    for one in untaken {
                        if !tried.contains(&one) {
                            tried.push(one);
                        }
                    }
                }
            }
        }
        if tried.is_empty() {
            Ok(Self { seats: seats_taken, next })
        } else {
            Err(BuildError::NoBuilder { platforms, tried }.into())
        }
    }

    /// One builder for all platforms.
    fn one(platforms: Vec<Option<Platform>>, builder: Builder) -> Self {
        let builder = Arc::new(builder);
        let seat = |platform| Seat { platform, builder: builder.clone(), rest: Vec::new(), is_listed: false };
        Self { seats: platforms.into_iter().map(seat).collect(), next: Callers::default() }
    }

    /// Who builds for which platform.
    pub(super) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// Each builder once.
    pub(super) fn distinct(&self) -> Vec<&Arc<Builder>> {
        let mut distinct = Vec::<&Arc<Builder>>::new();
        for Seat { builder, .. } in &self.seats {
            if !distinct.iter().any(|other| Arc::ptr_eq(other, builder)) {
                distinct.push(builder);
            }
        }
        distinct
    }

    /// What they are, in a few words: the builder, or how many there are.
    pub(super) fn detail(&self) -> String {
        match self.distinct().as_slice() {
            [only] => only.description().to_owned(),
            several => text::count(several.len(), "builder"),
        }
    }

    /// Who builds for which platform, for the log.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |Seat { platform, builder, is_listed, .. }: &Seat| match platform.as_ref().filter(|_| *is_listed) {
            Some(platform) => format!("builder of {platform}: {}", builder.description()),
            None => format!("builder: {}", builder.description()),
        };
        let mut lines: Vec<_> = self.seats.iter().map(line).collect();
        lines.dedup();
        lines
    }

    /// Who takes the place of the builder of a seat.
    ///
    /// # Errors
    /// Nobody does: these were asked. Or a certificate can't be used.
    pub(super) async fn next(&self, seat: &Seat, log: &StageLog) -> Result<Result<Seat, Vec<Untaken>>, BuildError> {
        self.next.seat(seat.platform.clone(), seat.rest.clone(), log).await
    }
}

impl Seat {
    /// The same for whoever built in the end.
    pub(super) fn taken_by(&self, builder: &Arc<Builder>) -> Self {
        Self { builder: builder.clone(), ..self.clone() }
    }
}

impl Callers {
    /// The first of these builders that answers, one that says that it runs the platform before one that does not say so.
    ///
    /// # Errors
    /// None answers: why each of them does not. Or a certificate can't be used.
    async fn seat(
        &self,
        platform: Option<Platform>,
        candidates: Vec<Address>,
        log: &StageLog,
    ) -> Result<Result<Seat, Vec<Untaken>>, BuildError> {
        let (mut untaken, mut second) = (Vec::new(), None);
        for address in &candidates {
            let builder = match self.call(address, log).await? {
                Ok(builder) => builder,
                Err(reason) => {
                    untaken.push(reason);
                    continue;
                }
            };
            let rest = candidates.iter().filter(|other| *other != address).cloned().collect();
            let seat = Seat { platform: platform.clone(), rest, builder, is_listed: true };
            match &platform {
                Some(platform) if !seat.builder.runs(platform) => {
                    log.line(&format!(
                        "{} does not say that it runs {platform}: it can put files together for it, and run no program of it",
                        seat.builder.description()
                    ));
                    second.get_or_insert(seat);
                }
                _ => return Ok(Ok(seat)),
            }
        }
        Ok(second.ok_or(untaken))
    }

    /// Calls a builder that nobody has called yet.
    async fn call(&self, address: &Address, log: &StageLog) -> Result<Called, BuildError> {
        let cell = self.called.lock().await.entry(address.canonical()).or_default().clone();
        let called = cell.get_or_try_init(|| async {
            let reason = match answer(address, self.certificates.as_deref()).await? {
                Ok(builder) => return Ok(Ok(Arc::new(builder))),
                Err(reason) => reason,
            };
            log.line(&format!("buildkitd at {address} is passed over: {reason}"));
            Ok(Err(Untaken { address: address.to_string(), reason }))
        });
        called.await.cloned()
    }
}

/// The builder at an address; the reason where there is none that answers in time.
///
/// # Errors
/// A certificate can't be used.
async fn answer(address: &Address, certificates: Option<&Path>) -> Result<Result<Builder, String>, BuildError> {
    match tokio::time::timeout(ANSWER, Builder::buildkitd(address, certificates)).await {
        Ok(Ok(builder)) => Ok(Ok(builder)),
        Ok(Err(error)) => Ok(Err(text::words(&error.into_reason()?).to_string())),
        Err(_) => Ok(Err(format!("it has not said within {} what it is", text::span(ANSWER)))),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_builder_that_takes_a_call_and_says_nothing_is_given_up_for_the_next() {
        // Whoever calls is in its queue, and hears nothing.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Address = format!("tcp://{}", silent.local_addr().unwrap()).parse().unwrap();
        let reason = answer(&address, None).await.unwrap().err().unwrap();
        assert_eq!(reason, "it has not said within 30 s what it is");
    }
}
