//! The digests that a text names, whatever kind of text it is: what a cluster is deployed by, a manifest of Kubernetes, a list.

use std::collections::BTreeSet;
use std::path::Path;

use crate::beneath;
use crate::inputs::Problem;
use crate::oci::Digest;

/// The most that is read of a file, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// The hexadecimal digits of a SHA-256 digest.
const DIGITS: usize = 64;

/// The digest in `IMAGE@sha256:DIGITS` or `sha256:DIGITS`.
pub(super) fn digest_of(name: &str) -> Option<Digest> {
    name.rsplit('@').next()?.parse().ok()
}

/// All digests in a file.
///
/// # Errors
/// It can't be read, or has none: a file that names its images by tag keeps nothing, and is not to look as if it did.
pub(super) fn digests_in(file: &Path) -> Result<BTreeSet<Digest>, Problem> {
    let problem =
        |expected: &str| Problem { input: "keep-from", value: file.display().to_string(), expected: expected.to_owned() };
    let bytes = beneath::read(file, MAX_BYTES).ok().flatten();
    let digests = digests(&bytes.ok_or_else(|| problem("a file that can be read, of 16 MiB at most, is expected"))?);
    if digests.is_empty() { Err(problem("a file that names images by their digests is expected")) } else { Ok(digests) }
}

/// All runs of 64 hexadecimal digits, in either case and whatever is before them: one digest too many keeps an image that could
/// go, one too few lets one go that runs.
fn digests(text: &[u8]) -> BTreeSet<Digest> {
    let runs = text.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() == DIGITS);
    let digest = |run: &[u8]| format!("sha256:{}", std::str::from_utf8(run).ok()?.to_ascii_lowercase()).parse::<Digest>().ok();
    runs.filter_map(digest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_counts_wherever_it_is_in_a_text_and_however_it_is_written() {
        let hex = "ab".repeat(32);
        let digest: Digest = format!("sha256:{hex}").parse().unwrap();
        let upper = hex.to_uppercase();
        for text in [
            format!("image: registry/app@sha256:{hex}\n"),
            format!("digest: \"{hex}\""),
            format!("sha256:{upper}, and more"),
            format!("\u{feff}{{\"digest\":\"sha256:{hex}\"}}"),
        ] {
            assert_eq!(digests(text.as_bytes()), BTreeSet::from([digest]), "{text}");
        }
        for text in [format!("{hex}0"), hex[1..].to_owned(), "team/app:v1".to_owned()] {
            assert!(digests(text.as_bytes()).is_empty(), "{text}");
        }
        assert_eq!(digest_of(&format!("host/app@sha256:{hex}")), Some(digest));
        assert_eq!(digest_of("v1"), None);
    }
}
