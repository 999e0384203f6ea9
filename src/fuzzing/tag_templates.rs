//! Tag templates, and the tags that come of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use semver::Version;

use super::input::{parts, text};
use crate::environment::Environment;
use crate::oci::Tag;
use crate::tags::{Template, Values, plan, version_of};

/// Fills templates in: a line each, with a branch, a version and a commit.
pub fn tag_templates(bytes: &[u8]) {
    let [templates, branch, version, commit] = parts(bytes);
    let (templates, branch, commit) = (text(templates), text(branch), text(commit));
    let version: Option<Version> = text(version).parse().ok();
    let mut read = Vec::new();
    for line in templates.lines() {
        if let Ok(template) = Template::read(line) {
            assert_eq!(template.to_string(), line, "it is told as it was given");
            read.push(template);
        }
    }
    let values = |environment| Values {
        environment,
        commit: Some(&*commit).filter(|commit| !commit.is_empty()),
        branch: Some(&*branch),
        version: version.as_ref(),
        now: Timestamp::UNIX_EPOCH,
    };
    for environment in Environment::ALL {
        let Ok(planned) = plan(&read, &values(environment)) else { continue };
        let names: BTreeSet<_> = planned.tags.iter().map(|planned| planned.tag.as_str()).collect();
        assert_eq!(names.len(), planned.tags.len(), "each tag is there once");
        assert!(names.iter().all(|name| name.parse::<Tag>().is_ok()), "{names:?}");
        assert!(planned.tags.is_sorted_by_key(|planned| planned.moving), "moving tags come last");
    }
    let own = Template::read("{version}").map(|template| plan(&[template], &values(Environment::Dev)));
    if let Ok(Ok(planned)) = own
        && let Some(planned) = planned.tags.first()
    {
        assert_eq!(version_of(planned.tag.as_str()), version, "a version's tag names that version");
    }
}
