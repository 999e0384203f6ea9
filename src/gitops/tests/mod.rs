//! What an edit changes, and what it leaves alone.

mod cases;
mod formats;
mod hostile;
mod random;

use self::cases::CASES;
use super::Wanted;
use super::edit::{Edited, MAX_FILE, edit};
use super::refusal::{Reason, Refusal};
use super::splice::{self, Change};
use super::tree::parse;
use super::way::Way;
use crate::oci::Digest;

/// The image that is set.
fn wanted() -> Wanted {
    Wanted {
        name: None,
        repository: "r.example/shop/web".parse().unwrap(),
        tag: Some("prod-0a1b2c3".parse().unwrap()),
        digest: Some(digest()),
    }
}

fn digest() -> Digest {
    format!("sha256:{}", "ab".repeat(32)).parse().unwrap()
}

/// What a pinned reference ends with.
fn pin() -> String {
    format!("prod-0a1b2c3@{}", digest())
}

#[test]
fn exactly_the_bytes_of_a_value_change() {
    for case in CASES {
        let (document, way, value, may_add) = case.set;
        let change = Change { document, way: way.parse().unwrap(), value: value.to_owned(), may_add };
        let after = splice::apply(case.before, &change);
        let expected = case.after.map(str::to_owned).map_err(|(line, reason)| Refusal { line, reason: reason() });
        assert_eq!(after, expected, "{}", case.name);
        if let Ok(after) = after {
            assert_eq!(splice::apply(&after, &change).as_ref(), Ok(&after), "{}, once more", case.name);
        }
    }
}

#[test]
fn a_way_reads_back_as_it_is_written() {
    for text in ["a", "a.b[0].c", "[3].x-y_z/w", r#""a.b"."c\"d\\"[0][1]"#, r#""""#] {
        assert_eq!(text.parse::<Way>().unwrap().to_string(), text);
    }
    for text in [
        "",
        ".",
        "a.",
        "a..b",
        "a[",
        "a[]",
        "a[-1]",
        "a[+1]",
        "a[x]",
        "a b",
        "\"a",
        "a\"b\"",
        "a[0]b",
        "[99999999999999999999999]",
    ] {
        assert!(text.parse::<Way>().is_err(), "{text}");
    }
}
