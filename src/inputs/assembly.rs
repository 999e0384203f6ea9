//! What the images to assemble are read as.

use super::value::{Fault, Value};
use crate::oci::{Digest, Platform};

/// The image of a platform, as another job has named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedImage {
    /// The platform.
    pub(crate) platform: Platform,
    /// Its digest; absent where that job had none to give: it was skipped, held back, or failed.
    pub(crate) digest: Option<Digest>,
}

impl Value for ListedImage {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let expected = "PLATFORM=DIGEST is expected, such as linux/arm64=sha256: and 64 hexadecimal digits";
        let fault = || Fault::new(text, expected);
        let (platform, digest) = text.split_once('=').ok_or_else(fault)?;
        let digest = match digest.trim() {
            "" => None,
            digest => Some(digest.parse().map_err(|_| fault())?),
        };
        Ok(Self { platform: platform.trim().parse().map_err(|_| fault())?, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Lines;

    #[test]
    fn an_image_is_a_platform_and_its_digest_and_a_job_without_one_is_told_from_one_that_is_not_there() {
        let digest = Digest::of(b"image");
        let Lines(listed) = Lines::<ListedImage>::read(&format!("linux/arm64 = {digest}\n\nlinux/amd64=\n")).unwrap();
        let named: Vec<_> = listed.iter().map(|listed| (listed.platform.to_string(), listed.digest)).collect();
        assert_eq!(named, [("linux/arm64".to_owned(), Some(digest)), ("linux/amd64".to_owned(), None)]);
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        let digest = Digest::of(b"image").to_string();
        for wrong in [
            "linux/arm64".to_owned(),
            "linux/arm64=latest".to_owned(),
            format!("linux/arm64={}", &digest[..70]),
            format!("linux/arm64={}", digest.to_uppercase()),
            format!("linux/arm64={}", digest.replace("sha256", "sha512")),
            format!("linux/arm64=r.example/app@{digest}"),
            format!("arm64={digest}"),
            format!("={digest}"),
        ] {
            assert!(Lines::<ListedImage>::read(&wrong).is_err(), "{wrong}");
        }
    }
}
