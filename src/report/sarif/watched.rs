//! What became known of a delivered image since it was delivered, in a category of the tag that names it: what was known then is
//! in the delivery's own.

use super::{COMPRESSED, RESULTS, category_of, fitted, vulnerabilities};
use crate::finding::Vulnerability;
use crate::scanner::Tool;
use crate::sink::Redacted;

/// The SARIF file, with no results where nothing became known. `None` where trivy has no place in the Security tab.
#[must_use]
pub(crate) fn render(image: &str, found: &[&Vulnerability]) -> Option<Redacted> {
    let tool = Tool::TRIVY;
    let driver = &tool.finds.as_ref()?.driver;
    let merged = vulnerabilities::merged(found.iter().copied());
    let alerts = vulnerabilities::alerts_of(&merged);
    Some(Redacted::of_json(&fitted(driver, &category_of("watch", image), &alerts, (RESULTS, COMPRESSED))))
}
