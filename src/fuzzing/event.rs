//! The event of a run: the runner's variables, and the file with what happened.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::go::Node;
use super::input::{parts, text};
use crate::github::Event;
use crate::github::event::is_commit;
use crate::variables;

/// Reads an event: variables, a line each, and the file.
pub fn event(bytes: &[u8]) {
    let [given, payload] = parts(bytes);
    let given = text(given);
    let mut given: BTreeMap<_, _> = given.lines().filter_map(|line| line.split_once('=')).collect();
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    if file.write_all(payload).is_err() {
        return;
    }
    let path = file.path().to_string_lossy();
    given.extend([(variables::GITHUB_ACTIONS, "true"), (variables::GITHUB_EVENT_PATH, &*path)]);
    let Some(event) = Event::read(|name| given.get(name).map(|value| (*value).to_owned())) else { return };
    assert!(!(event.is_proposal() && event.may_publish()), "a proposed change is never published: {}", event.name);
    assert!(event.is_proposal() || !event.is_shown_by_another_job());
    assert!(event.before.iter().chain(&event.head).all(|commit| is_commit(commit)), "git is asked for nothing but commits");
    let other = "f".repeat(40);
    for checkout in [None, Some(event.sha.as_str()), event.head.as_deref(), Some(&*other)] {
        let Some((commit, reference)) = event.analysed(checkout) else { continue };
        assert_eq!(commit, checkout.unwrap_or(&event.sha), "findings are those of the checkout");
        let own = event.number.map(|number| format!("refs/pull/{number}/head"));
        assert!(reference == event.reference || Some(reference) == own, "and shown where the change is");
    }
    if let Some(head) = &event.head {
        let node = serde_json::from_slice::<Node>(payload).unwrap_or(Node::Other);
        let request = node.field("pull_request");
        let read = request.and_then(|request| request.field("head")?.field("sha")?.text());
        assert_eq!(read, Some(head.as_str()), "another reader sees the same commit");
    }
}
