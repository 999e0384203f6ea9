//! GitHub is told where the published image is kept, once it has attestations of it.

use std::time::Duration;

use super::{Delivery, Ending};
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::{Api, Demand, api, storage_records};
use crate::oci::reference::Repository;
use crate::record::{Publication, StageName};
use crate::text;

/// How long GitHub is asked. The image is out by then, and nobody waits for this.
const DEADLINE: Duration = Duration::from_secs(30);

/// Notes it. What GitHub refuses is told, and takes nothing back.
pub(super) async fn write(delivery: &Delivery, publication: &Publication) {
    let demand = delivery.config.github_attestations;
    // A record is of what was attested. Where GitHub takes no attestations, that is said already.
    let attested = delivery.recorder.write(|record| record.attestations.iter().any(|one| one.github.is_some()));
    let Some(access) = delivery.config.github.as_ref().filter(|_| demand != Demand::Off && attested) else { return };
    // A folder is no place that others can reach.
    let destination = Some(&*publication.destination).filter(|named| !named.starts_with("oci:"));
    let Some(repository) = destination.and_then(|named| named.parse::<Repository>().ok()) else { return };
    let noted = delivery.stage(StageName::StorageRecord, async |_| {
        let asked = async {
            let Some(api) = Api::open(access)? else { return Ok(0) };
            storage_records::create(&api, &repository, publication.digest).await
        };
        let refused = match tokio::time::timeout(DEADLINE, asked).await {
            Ok(Ok(records)) => {
                return Ok(((), Ending::Pass(text::count(usize::try_from(records).unwrap_or(usize::MAX), "record"))));
            }
            Ok(Err(error)) => error,
            Err(_) => {
                let reason = text::words("it took too long to answer");
                api::Error::Unreachable { call: api::Call::RecordStorage, reason }
            }
        };
        let diagnosis = Diagnosis::from(&refused);
        // Who has asked for nothing is told what would be needed, and not warned.
        if demand == Demand::Required {
            delivery.recorder.warn(diagnosis.in_a_row());
            return Ok(((), Ending::Advise(diagnosis.what)));
        }
        Ok::<_, Error>(((), Ending::Skip(diagnosis.in_a_row())))
    });
    // A cancel is noted by the stage.
    let _ = noted.await;
}
