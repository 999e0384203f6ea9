//! Dockerfiles: from their lines to stages and bases, and from an image's layers back to the lines.

use std::collections::BTreeMap;

use oci_spec::image::ImageConfiguration;

use super::input::{parts, text};
use crate::dockerfile::bounds::MAX_STAGES;
use crate::dockerfile::{Base, Dockerfile, Frontend, Inputs};
use crate::document;

/// Reads a Dockerfile, with build arguments (a line each), the stage to build, and the configuration of an image that is said
/// to come of it.
pub fn dockerfile(bytes: &[u8]) {
    let [file, arguments, target, config] = parts(bytes);
    let (file, arguments, target) = (text(file), text(arguments), text(target));
    let lines = u32::try_from(file.split('\n').count()).unwrap_or(u32::MAX);
    for asked in Frontend::asked_for(file.as_bytes()) {
        assert!((1..=lines).contains(&asked.line));
        assert!(!asked.keeps_namespaces() || asked.reference.contains("docker/dockerfile"));
    }
    let Ok(read) = Dockerfile::parse(&file) else { return };
    assert!((1..=MAX_STAGES).contains(&read.stages.len()));
    instructions_follow_each_other(&read, &file, lines);
    let arguments = arguments.lines().filter_map(|line| line.split_once('='));
    let arguments: BTreeMap<_, _> = arguments.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let Ok(bases) = read.bases(&arguments) else { return };
    assert_eq!(bases.len(), read.stages.len());
    for (place, base) in bases.iter().enumerate() {
        assert!(!matches!(base, Base::Stage(earlier) if *earlier >= place), "stage {place} is built from a later one");
    }
    let Ok(config) = document::read_shared::<ImageConfiguration>(config) else { return };
    let target = Some(&*target).filter(|target| !target.is_empty());
    let Ok(origins) = read.origin("Dockerfile", target, &arguments, &config) else { return };
    let expected = if read.target(target).is_some() { config.rootfs().diff_ids().len() } else { 0 };
    assert_eq!(origins.len(), expected, "each layer has an origin");
    for made in read.inputs(target, &arguments, &config).into_iter().flatten().flatten() {
        let Inputs::Paths(paths) = made.inputs else { continue };
        let is_inside = |path: &String| !path.starts_with('/') && path.split('/').all(|part| part != "..");
        assert!(paths.iter().all(is_inside), "{paths:?}");
    }
    for origin in origins {
        assert!(1 <= origin.line && origin.line <= origin.end_line && origin.end_line <= lines);
    }
}

/// Each instruction has lines of its own, after those of the one before, and begins as its first one does.
fn instructions_follow_each_other(read: &Dockerfile, file: &str, lines: u32) {
    let written: Vec<&str> = file.strip_prefix('\u{feff}').unwrap_or(file).split('\n').collect();
    let stages = read.stages.iter().flat_map(|stage| std::iter::once(&stage.from).chain(&stage.instructions));
    let mut last = 0;
    for instruction in read.preamble.iter().chain(stages) {
        let (first, end) = (instruction.first_line, instruction.last_line);
        assert!(last < first && first <= end && end <= lines, "lines {first} to {end} follow line {last} of {lines}");
        let line = written.get(first as usize - 1).copied().unwrap_or_default();
        assert_eq!(instruction.head, line.trim(), "line {first}");
        assert!(!instruction.keyword.is_empty() && !instruction.text.contains('\n'));
        last = end;
    }
}
