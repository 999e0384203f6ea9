//! What follows once the tags can be seen. The image is delivered by then: whatever goes wrong here is told, and takes
//! nothing back.

use super::Delivery;
use crate::record::Publication;

/// The list, in its order. A new entry (whoever deploys the image hears of it) is a line here.
pub(super) fn run(delivery: &Delivery, publication: &Publication) {
    // The report names what is out, whatever comes next.
    delivery.recorder.accept(publication);
}
