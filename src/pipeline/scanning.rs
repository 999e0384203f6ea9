//! What the scans have in common.

use super::{Delivery, Ending};
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
