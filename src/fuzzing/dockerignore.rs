//! Ignore files, and Go's patterns and expressions in them.

use regex::RegexBuilder;

use super::input::{parts, text};
use crate::buildkit::session::filter::{Filter, Selection, Wanted, Within};
use crate::buildkit::session::ignore::{Matched, Patterns};
use crate::buildkit::session::{expression, glob, ignore_file};

/// More patterns than an input needs; each costs its time.
const PATTERNS: usize = 40;

/// The most that an expression may come to here, in bytes.
const COMPILED: usize = 256 << 10;

/// Reads an ignore file, and judges paths by it, a line each.
pub fn dockerignore(bytes: &[u8]) {
    let [file, paths] = parts(bytes);
    let (mut lines, paths) = (ignore_file::patterns(file), text(paths));
    lines.truncate(PATTERNS);
    let paths: Vec<_> = paths.lines().map(glob::clean).filter(|path| !path.starts_with(['/', '.'])).take(20).collect();
    for pattern in &lines {
        assert!(!pattern.is_empty() && !pattern.contains('\n'), "a pattern is of one line: {pattern:?}");
        goes_by_gos_rules(pattern);
    }
    let Ok(patterns) = Patterns::new(&lines) else { return };
    let Ok(filter) = Filter::new(&Wanted { exclude: lines, ..Wanted::default() }, None) else { return };
    for path in &paths {
        judged_alike(&patterns, &filter, path);
    }
}

/// A walk from folder to folder comes to the same as the path as a whole, and passes over no folder that has something to send.
fn judged_alike(patterns: &Patterns, filter: &Filter, path: &str) {
    let Ok((whole, _)) = patterns.matches_within(path, &Matched::default()) else { return };
    let (mut folder, mut within) = (Matched::default(), Within::default());
    let mut entered = true;
    for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
        let Ok((matched, inside)) = patterns.matches_within(&path[..end], &folder) else { return };
        let is_folder = end < path.len();
        let Ok((selection, inner)) = filter.judge(&path[..end], is_folder, &within) else { return };
        if !patterns.is_empty() {
            assert_eq!(selection == Selection::Send, !matched, "{}", &path[..end]);
        }
        if !is_folder {
            assert_eq!(matched, whole, "{path} is matched on a walk, or by itself");
            assert!(entered || matched, "{path} is sent, and the walk does not get there");
        }
        entered &= selection != Selection::Skip;
        (folder, within) = (inside, inner);
    }
}

fn goes_by_gos_rules(pattern: &str) {
    let clean = glob::clean(pattern);
    assert_eq!(glob::clean(&clean), clean, "what is clean stays as it is");
    let escaped = glob::escape(pattern);
    assert!(!glob::has_wildcards(&escaped), "{escaped:?}");
    assert_eq!(glob::unescape(&escaped), pattern);
    assert_eq!(glob::matches(&escaped, pattern.as_bytes()), Ok(true), "a name matches itself");
    if let Some(expression) = expression::from_go(pattern) {
        // Go refuses some of what is left over, and so may the crate; it ends all the same.
        let _ = RegexBuilder::new(&expression).size_limit(COMPILED).build();
    }
}
