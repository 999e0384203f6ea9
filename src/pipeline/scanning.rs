//! What the scans have in common.

use std::time::Duration;

use super::{Delivery, Ending};
use crate::scanner::Tool;

/// Scanners take seconds; one that takes this long hangs.
pub(crate) const DEADLINE: Duration = Duration::from_mins(15);

/// How a scan ends in which `counting` findings of `tool` count.
pub(super) fn ending(delivery: &Delivery, tool: Tool, counting: usize, detail: String) -> Ending {
    match (counting, delivery.is_held_back_by(tool)) {
        (0, _) => Ending::Pass(detail),
        (_, false) => Ending::Advise(detail),
        (_, true) => Ending::Block(detail),
    }
}
