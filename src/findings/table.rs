//! What ECR knows of an image, as a person reads it.

use std::fmt;

use super::command::Findings;
use crate::registry_scan::{RegistryFinding, ScanResult, ScannedImage};
use crate::text;

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.image)?;
        self.scan.images.iter().try_for_each(|image| writeln!(f, "  {}", said(image)))?;
        let width = |of: fn(&RegistryFinding) -> &str| {
            self.scan.findings.iter().map(|one| of(one).chars().count()).max().unwrap_or_default()
        };
        let (ratings, ids, packages) = (width(|one| &one.rating), width(|one| &one.id), width(|one| &one.package));
        for finding in &self.scan.findings {
            let mark = if finding.counts { '!' } else { ' ' };
            write!(f, "{mark} {:<ratings$}  {:<ids$}  {:<packages$}", finding.rating, finding.id, finding.package)?;
            writeln!(f, "  {}", details(finding).trim_end())?;
        }
        let images = self.scan.images.len() - self.scan.missing().count();
        let findings = text::count(self.scan.findings.len(), "finding");
        write!(f, "{findings} in {}", text::count(images, "image"))?;
        match self.scan.missing().count() {
            0 => Ok(()),
            missing => write!(f, "; of {} nothing is known", text::count(missing, "image")),
        }
    }
}

fn said(image: &ScannedImage) -> String {
    match &image.result {
        ScanResult::Basic { at } => format!("{image}: basic scan of {}", text::time(*at)),
        ScanResult::Enhanced { at } => format!("{image}: enhanced scan of {}", text::time(*at)),
        ScanResult::None { why, .. } => format!("{image}: no result: {}", text::words(why)),
    }
}

fn details(finding: &RegistryFinding) -> String {
    let fixed = match (&finding.fixed, finding.fixable) {
        (Some(version), _) => format!("fixed in {version}"),
        (None, Some(true)) => "there is a fix".to_owned(),
        (None, Some(false)) => "no fix".to_owned(),
        (None, None) => String::new(),
    };
    let in_use = finding.in_use.map(|number| match finding.last_in_use_at {
        Some(at) => format!("in use {number} times, last on {}", text::time(at)),
        None => format!("in use {number} times"),
    });
    let parts = [Some(finding.installed.clone()), Some(fixed), in_use, finding.let_through.clone()];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}
