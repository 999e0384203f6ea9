//! What is signed goes to GitHub too, before a tag can be seen.

use bytes::Bytes;
use futures_util::future::join_all;

use super::Delivery;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::attestations::{self, LARGEST};
use crate::github::{Api, Demand};
use crate::record::StageLog;
use crate::text;

/// Hands over bundles, each with the type of what it says; what comes back is the number that each has there. A signature that is in the registry is not
/// made again, so this is done before that: what fails here is done as a whole by the next delivery.
///
/// # Errors
/// GitHub does not take it, where that is required and the environment's gates block.
pub(super) async fn store(delivery: &Delivery, all: &[(&str, &Bytes)], log: &StageLog) -> Result<Vec<Option<u64>>, Error> {
    let demand = delivery.config.github_attestations;
    if demand == Demand::Off {
        return Ok(vec![None; all.len()]);
    }
    let is_owed = demand == Demand::Required && delivery.config.environment.is_blocking();
    let api = match api(delivery) {
        Ok(api) => api,
        // Nobody has asked for it, where there is nobody to ask.
        Err(attestations::Error::Impossible(why)) if demand == Demand::Auto => {
            log.line(&format!("not sent to GitHub: {why}"));
            return Ok(vec![None; all.len()]);
        }
        Err(error) => return refused(delivery, error, is_owed).map(|()| vec![None; all.len()]),
    };
    let (numbers, error) = send(&api, all, log).await;
    if let Some(error) = error {
        refused(delivery, error, is_owed)?;
    }
    let sent = numbers.iter().flatten().count();
    log.line(&format!("{} sent to GitHub", text::count(sent, "attestation")));
    Ok(numbers)
}

/// Sends all: the first by itself, for what a token may not do it need not try several times.
async fn send(api: &Api, all: &[(&str, &Bytes)], log: &StageLog) -> (Vec<Option<u64>>, Option<attestations::Error>) {
    let one = async |(predicate, bytes): &(&str, &Bytes)| {
        if bytes.len() > LARGEST {
            let size = text::size(bytes.len() as u64);
            log.line(&format!("not sent to GitHub, for it has {size}: {predicate}"));
            return Ok(None);
        }
        attestations::store(api, bytes).await.map(Some)
    };
    let Some((first, rest)) = all.split_first() else { return (Vec::new(), None) };
    let first = match one(first).await {
        Ok(number) => number,
        Err(error) => return (vec![None; all.len()], Some(error)),
    };
    let (mut numbers, mut error) = (vec![first], None);
    for answer in join_all(rest.iter().map(one)).await {
        match answer {
            Ok(number) => numbers.push(number),
            Err(refusal) => {
                numbers.push(None);
                error.get_or_insert(refusal);
            }
        }
    }
    (numbers, error)
}

fn api(delivery: &Delivery) -> Result<Api, attestations::Error> {
    let Some(access) = &delivery.config.github else {
        return Err(attestations::Error::Impossible("this is not a job of GitHub Actions"));
    };
    Api::open(access)?.ok_or(attestations::Error::Impossible("the workflow gives no github-token"))
}

/// What follows where GitHub does not take it.
fn refused(delivery: &Delivery, error: attestations::Error, is_owed: bool) -> Result<(), Error> {
    if is_owed {
        return Err(error.into());
    }
    delivery.recorder.warn(Diagnosis::from(&error).in_a_row());
    Ok(())
}
