//! What trivy says, and what projects have it pass over, as bytes.

use std::path::Path;

use super::Vulnerabilities;
use super::ignore::Lists;
use super::log::Log;
use super::report::Report;
use crate::document;
use crate::oci::Platform;
use crate::process::Output;
use crate::scan::Error;

/// What is made of a report and of what was said on standard error.
///
/// # Errors
/// The report is refused.
pub(crate) fn read(report: &[u8], stderr: &str, platform: &Platform) -> Result<Vulnerabilities, document::Error> {
    let report: Report = document::stream(report)?;
    let output = Output { code: 0, stdout: Vec::new(), stderr: stderr.to_owned() };
    let log = Log::of(&output);
    let mut found = report.into_vulnerabilities(platform, &Lists::default(), &log);
    found.warnings.extend(log.warnings());
    found.warnings.extend(log.fatal());
    Ok(found)
}

/// What trivy is handed of the lists of a folder, and the warnings about them.
///
/// # Errors
/// A list can't be used.
pub(crate) fn handed(root: &Path) -> Result<(Option<String>, Vec<String>), Error> {
    let lists = Lists::read(root, &[])?;
    let written = tempfile::tempdir().map_err(Error::io(root))?;
    let path = lists.write(written.path())?;
    let text = path.map(|path| std::fs::read_to_string(&path).map_err(Error::io(root))).transpose()?;
    Ok((text, lists.warnings))
}
