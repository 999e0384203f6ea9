//! Places in the repository.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_sarif::sarif::{ArtifactLocation, Location, PhysicalLocation, Region};

/// What a path keeps of ASCII in a relative reference (RFC 3986, sections 2.3 and 3.3). A colon is not among it, so that
/// no first part of a path is read as a scheme.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'+');

/// Lines of a file of the repository; lines count from 1.
pub(crate) fn lines(file: &str, line: u32, end_line: u32) -> Location {
    let line = line.max(1);
    let region = Region::builder().start_line(i64::from(line)).end_line(i64::from(end_line.max(line))).build();
    let artifact = ArtifactLocation::builder().uri(reference(file)).build();
    let place = PhysicalLocation::builder().artifact_location(artifact).region(region).build();
    Location::builder().physical_location(place).build()
}

/// A path as a reference that stays inside the repository, whatever it says.
fn reference(file: &str) -> String {
    let parts: Vec<_> = file.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    let path = parts.join("/");
    let path = if path.is_empty() { "unnamed" } else { &path };
    utf8_percent_encode(path, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_relative_reference() {
        for (path, expected) in [
            ("src/main.rs", "src/main.rs"),
            ("a b/ü%.txt", "a%20b/%C3%BC%25.txt"),
            ("http://evil.example/x", "http%3A/evil.example/x"),
            ("//evil.example/../../x", "evil.example/x"),
            ("/abs/Dockerfile", "abs/Dockerfile"),
            ("a\n?b#c\\d", "a%0A%3Fb%23c%5Cd"),
            ("..", "unnamed"),
        ] {
            assert_eq!(reference(path), expected, "{path:?}");
        }
    }

    #[test]
    fn a_line_is_at_least_the_first() {
        let region = lines("x", 0, 0).physical_location.unwrap().region.unwrap();
        assert_eq!((region.start_line, region.end_line), (Some(1), Some(1)));
    }
}
