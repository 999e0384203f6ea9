//! What the scans have in common.

use super::preflight::Ready;
use super::{Delivery, Ending, builder_state};
pub(crate) use crate::scan::DEADLINE;
use crate::scanner::Tool;

/// How a scan ends in which `counting` findings of `tool` count.
pub(super) fn ending(delivery: &Delivery, tool: Tool, counting: usize, detail: String) -> Ending {
    match (counting, delivery.is_held_back_by(tool)) {
        (0, _) => Ending::Pass(detail),
        (_, false) => Ending::Advise(detail),
        (_, true) => Ending::Block(detail),
    }
}

/// The builds of whose images scanners may know layers again, as a name that no others have: on a laptop, where vulnerabilities
/// hold nothing back and nothing is signed. Elsewhere all is read.
pub(super) fn known_again(delivery: &Delivery, ready: &Ready) -> Option<String> {
    let config = &delivery.config;
    let counts = delivery.event.is_none() && !config.environment.is_blocking() && !config.signing.is_on();
    counts.then(|| builder_state::of_layers(delivery, ready))
}
