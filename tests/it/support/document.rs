//! Documents that repeat the code. The library's own tests hold those that its lists make (`src/docs.rs`), by this same file.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

/// Tests of one program may write one document.
static WRITING: Mutex<()> = Mutex::new(());

/// Holds the part of a document between two marks to what the code says.
pub fn holds(document: &str, mark: &str, expected: &str) {
    let _alone = WRITING.lock();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = if document == "action.yml" {
        (format!("# {mark}\n"), format!("# /{mark}"))
    } else {
        (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"))
    };
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{document} has no {begin}"));
    let (found, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{document} has no {end}"));
    if std::env::var_os("GP_DELIVER_BLESS").is_some() {
        fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(found, expected, "{document}: run GP_DELIVER_BLESS=1 cargo test docs");
}
