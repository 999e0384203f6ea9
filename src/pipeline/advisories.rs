//! The vulnerability database of a delivery.

use std::sync::Arc;

use super::{Delivery, Ending, Task, mirrors};
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::oci::registry::Store;
use crate::record::{StageLog, StageName};
use crate::scan;
use crate::scan::database::{self, Database, Keys, Kind, Mirror};
use crate::scanner::Tool;
use crate::text;
use crate::user_cache;

/// What vulnerabilities are looked up in.
pub(super) enum Advisories {
    /// A database.
    Known(Database),
    /// It can't be had, and this environment goes on without: the warning that says so.
    Missing(String),
}

/// Begins to get the vulnerability database.
pub(super) fn database(delivery: &Arc<Delivery>) -> Task<Advisories> {
    let owned = Arc::clone(delivery);
    Task::begin(delivery, &[StageName::Database], async move { advisories(&owned).await })
}

async fn advisories(delivery: &Delivery) -> Result<Advisories, Error> {
    let blocks = delivery.is_held_back_by(Tool::TRIVY);
    delivery
        .stage(StageName::Database, async |log| {
            match fetch(delivery, Kind::Vulnerabilities, &delivery.config.database_mirrors, &log).await {
                Ok(database) => {
                    let detail = format!(
                        "of {}, from {}",
                        database.record.updated_at.strftime("%Y-%m-%d %H:%M UTC"),
                        database.record.repository
                    );
                    Ok((Advisories::Known(database), Ending::Pass(detail)))
                }
                Err(error @ scan::Error::Database { .. }) if !blocks => {
                    let Diagnosis { what, why, excerpt, .. } = Diagnosis::from(&error);
                    let reasons = excerpt.join("; ");
                    let warning = format!("{what}, so vulnerabilities are not looked for. {why} {reasons}");
                    Ok((Advisories::Missing(warning), Ending::Skip(what)))
                }
                Err(error) => Err(error.into()),
            }
        })
        .await
}

pub(super) async fn fetch(delivery: &Delivery, kind: Kind, mirrors: &[Mirror], log: &StageLog) -> Result<Database, scan::Error> {
    let (store, own) = (Store::from_env(), mirrors::of(delivery));
    // Without a home there is no cache that lasts.
    let cache = user_cache::folder().unwrap_or_else(|| delivery.staging.join("databases"));
    let max_age = delivery.config.database_max_age;
    let keys = Keys::of(&store).or(own);
    let request = database::Request { kind, mirrors, cache: &cache, keys, max_age, grace: database::GRACE };
    let fetched = database::fetch(&request, &|bytes| log.progress(&text::size(bytes))).await;
    own.line().iter().for_each(|line| log.line(line));
    fetched
}
