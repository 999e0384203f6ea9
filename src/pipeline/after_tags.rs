//! What follows once the tags can be seen. The image is delivered by then: whatever goes wrong here is told, and takes
//! nothing back.

use std::path::Path;

use super::{Delivery, gitops, storage_record};
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::record::Publication;
use crate::report;
use crate::variables;

/// The list, in its order. A new entry (whoever deploys the image hears of it) is a line here.
pub(super) async fn run(delivery: &Delivery, publication: &Publication) {
    // The report names what is out, whatever comes next.
    delivery.recorder.accept(publication);
    name_to_runner(delivery, publication);
    storage_record::write(delivery, publication).await;
    gitops::update(delivery, publication).await;
}

/// What is done again where all was published before: what failed then is mended by running again.
pub(super) async fn again(delivery: &Delivery) {
    if let Some(publication) = delivery.recorder.snapshot().publication {
        gitops::update(delivery, &publication).await;
    }
}

/// Adds the image to what the job has made, where the runner keeps a list of that (actions/runner, ADR 0039).
fn name_to_runner(delivery: &Delivery, publication: &Publication) {
    let Some(list) = variables::filled(variables::GITHUB_ARTIFACTS) else { return };
    if let Err(error) = report::add_artifact(publication, Path::new(&list)) {
        let diagnosis = Diagnosis::from(&Error::from(error));
        delivery.recorder.warn(format!("The image is not on the runner's list of artifacts. {}", diagnosis.in_a_row()));
    }
}
