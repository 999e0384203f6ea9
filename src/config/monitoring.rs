//! What is watched besides: the registry's own scan of the image, and figures of the delivery.

use super::reader::Reader;
use super::{Publish, RequestedDestination};
use crate::aws;
use crate::inputs;
use crate::metrics::Demand;
use crate::registry_scan;

/// Where figures of the delivery are put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Metrics {
    /// Nowhere.
    Off,
    /// Into a file of the report.
    Emf,
    /// To Amazon CloudWatch, by this identity.
    CloudWatch(Box<aws::Settings>),
}

impl Reader<'_> {
    /// What is done with the registry's own scan. Only Amazon ECR has one that is asked for.
    pub(super) fn registry_scan(
        &mut self,
        publish: Option<&Publish>,
        destination: Option<&RequestedDestination>,
    ) -> Option<registry_scan::Demand> {
        let demand = self.get(&inputs::ECR_SCAN)?;
        let elsewhere = matches!(destination, Some(RequestedDestination::Named(_))) && publish == Some(&Publish::Yes);
        if demand != registry_scan::Demand::Off && elsewhere {
            let given = self.inputs.text(&inputs::ECR_SCAN).to_owned();
            self.problem(
                &inputs::ECR_SCAN,
                given,
                "the image goes to no ecr-repository, and only Amazon ECR is asked for its scan",
            );
        }
        Some(demand)
    }

    pub(super) fn metrics(&mut self, destination: Option<&RequestedDestination>) -> Option<Metrics> {
        Some(match self.get(&inputs::METRICS)? {
            Demand::Off => Metrics::Off,
            Demand::Emf => Metrics::Emf,
            Demand::CloudWatch => Metrics::CloudWatch(Box::new(self.aws_identity(destination?)?)),
        })
    }
}
