//! What an image was built from, as the build itself names it.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::oci::{Digest, Platform};

/// What the image of one platform was built from.
///
/// It has what the definition of the build names: the images of `FROM` and of `COPY --from`, the repositories and files of
/// `ADD`, the image of the program that reads the Dockerfile. What a step fetches by itself is nowhere written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Materials {
    /// What is named, each once.
    pub(crate) named: BTreeSet<Material>,
    /// Why it is not known of everything that is named which bytes it was; empty where it is.
    pub(crate) unknown: BTreeSet<String>,
    /// Whether a step could reach the network, and so fetch what is not named.
    pub(crate) network: bool,
}

/// Something that went into an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Material {
    /// An image.
    Image {
        /// Its reference as the builder resolved it, without the digest: `docker.io/library/debian:bookworm-slim`.
        reference: String,
        /// What the registry served for it: an index or a manifest. Absent for an image that only the builder has.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        digest: Option<Digest>,
        /// The platform that was taken of it.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        platform: Option<Platform>,
    },
    /// An image of a layout folder that was a named context.
    Layout {
        /// The context's name.
        context: String,
        /// What was taken for it: an index or a manifest.
        #[cfg_attr(test, schemars(with = "String"))]
        digest: Digest,
        /// The platform that was taken of it.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        platform: Option<Platform>,
    },
    /// A git repository.
    Git {
        /// Its address, without credentials.
        url: String,
        /// The branch, tag or commit that was asked for; absent for the default branch.
        reference: Option<String>,
        /// The commit's full id; absent where the definition has a name alone.
        commit: Option<String>,
    },
    /// A file of the web.
    File {
        /// Its address, without credentials and without what follows a question mark.
        url: String,
        /// Its digest; absent where the definition has none.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        digest: Option<Digest>,
    },
}

/// What the parts of a package URL are not written with (purl-spec, "Character encoding").
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~').remove(b':');

impl Material {
    /// What names it to others: a package URL as BuildKit writes it for an image, a location as SPDX writes it for a
    /// repository, the address of a file.
    #[must_use]
    pub(crate) fn uri(&self) -> String {
        match self {
            Self::Image { reference, digest, platform } => package_url("docker", reference, digest.as_ref(), platform.as_ref()),
            Self::Layout { context, digest, platform } => {
                let name = context.split_once('@').map_or(&**context, |(name, _)| name);
                package_url("oci", name, Some(digest), platform.as_ref())
            }
            Self::Git { url, reference, .. } => {
                let at = reference.iter().map(|reference| format!("@{reference}"));
                format!("git+{url}{}", at.collect::<String>())
            }
            Self::File { url, .. } => url.clone(),
        }
    }

    /// The algorithm and the value of its digest, as in-toto writes them (in-toto, `digest_set.md`).
    #[must_use]
    pub(crate) fn digest(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Image { digest, .. } | Self::File { digest, .. } => digest.map(|digest| ("sha256", digest.hex())),
            Self::Layout { digest, .. } => Some(("sha256", digest.hex())),
            Self::Git { commit, .. } => commit.clone().map(|commit| ("gitCommit", commit)),
        }
    }

    /// Whether it is the image that `reference` names, with or without a digest.
    #[must_use]
    pub(crate) fn is_image(&self, reference: &str) -> bool {
        let name = |reference: &str| {
            let (name, tag) = familiar(reference.split_once('@').map_or(reference, |(name, _)| name));
            (name.to_owned(), tag.map(str::to_owned))
        };
        let wanted = name(reference);
        let wanted = (wanted.0, wanted.1.or_else(|| (!reference.contains('@')).then(|| "latest".to_owned())));
        matches!(self, Self::Image { reference, .. } if name(reference) == wanted)
    }
}

/// The package URL of an image of a registry or a layout (`RefToPURL` in BuildKit's `util/purl`).
fn package_url(kind: &str, reference: &str, digest: Option<&Digest>, platform: Option<&Platform>) -> String {
    let (name, tag) = familiar(reference);
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let name = name.split('/').map(encoded).collect::<Vec<_>>().join("/");
    // A digest by itself is a version, too.
    let tag = tag.or(digest.is_none().then_some("latest")).map(|tag| format!("@{}", encoded(tag))).unwrap_or_default();
    let digest = digest.map(|digest| format!("digest={digest}"));
    let platform = platform.map(|platform| format!("platform={}", encoded(&platform.to_string())));
    let qualifiers: Vec<_> = digest.into_iter().chain(platform).collect();
    let qualifiers = if qualifiers.is_empty() { String::new() } else { format!("?{}", qualifiers.join("&")) };
    format!("pkg:{kind}/{name}{tag}{qualifiers}")
}

/// The name that people write for the image of a reference without a digest, and its tag.
#[must_use]
pub(crate) fn familiar(reference: &str) -> (&str, Option<&str>) {
    let short = ["docker.io/", "index.docker.io/"].into_iter().find_map(|host| reference.strip_prefix(host));
    let short = short.unwrap_or(reference);
    let short = short.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(short);
    // A colon before a slash is that of a port.
    match short.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (short, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(reference: &str, digest: Option<Digest>, platform: Option<&str>) -> Material {
        Material::Image { reference: reference.to_owned(), digest, platform: platform.map(|platform| platform.parse().unwrap()) }
    }

    #[test]
    fn an_image_has_the_package_url_that_buildkit_writes_for_it() {
        // The cases of `TestRefToPURL` in BuildKit's util/purl/image_test.go.
        let digest = Digest::of(b"test");
        for (reference, given, platform, expected) in [
            ("alpine", None, None, "pkg:docker/alpine@latest".to_owned()),
            ("library/alpine:3.15", None, None, "pkg:docker/alpine@3.15".to_owned()),
            ("docker.io/library/alpine:latest", None, None, "pkg:docker/alpine@latest".to_owned()),
            ("docker.io/library/alpine:latest", Some(digest), None, format!("pkg:docker/alpine@latest?digest={digest}")),
            ("docker.io/library/alpine", Some(digest), None, format!("pkg:docker/alpine?digest={digest}")),
            ("user/test:v2", None, None, "pkg:docker/user/test@v2".to_owned()),
            ("ghcr.io/foo/bar:v2", None, None, "pkg:docker/ghcr.io/foo/bar@v2".to_owned()),
            ("ghcr.io/foo/bar", None, None, "pkg:docker/ghcr.io/foo/bar@latest".to_owned()),
            ("busybox", None, Some("linux/amd64"), "pkg:docker/busybox@latest?platform=linux%2Famd64".to_owned()),
            ("busybox", Some(digest), Some("linux/amd64"), format!("pkg:docker/busybox?digest={digest}&platform=linux%2Famd64")),
            ("127.0.0.1:5000/team/base:1", None, None, "pkg:docker/127.0.0.1:5000/team/base@1".to_owned()),
        ] {
            assert_eq!(image(reference, given, platform).uri(), expected);
        }
    }

    #[test]
    fn an_image_is_found_by_any_of_its_names() {
        let reader = image("docker.io/docker/dockerfile:1", None, None);
        for name in ["docker/dockerfile:1", "docker.io/docker/dockerfile:1", "index.docker.io/docker/dockerfile:1"] {
            assert!(reader.is_image(name), "{name}");
        }
        for name in ["docker/dockerfile", "docker/dockerfile:1.7", "evil.example/docker/dockerfile:1", "dockerfile:1"] {
            assert!(!reader.is_image(name), "{name}");
        }
        assert!(image("docker.io/docker/dockerfile:latest", None, None).is_image("docker/dockerfile"));
        let pinned = format!("docker/dockerfile:1@{}", Digest::of(b""));
        assert!(reader.is_image(&pinned));
    }

    #[test]
    fn a_repository_is_named_by_its_address_and_what_was_asked_for() {
        let git = |reference: Option<&str>| {
            let (url, commit) = ("https://github.com/a/b.git".to_owned(), Some("c".repeat(40)));
            Material::Git { url, reference: reference.map(str::to_owned), commit }
        };
        assert_eq!(git(Some("v1")).uri(), "git+https://github.com/a/b.git@v1");
        assert_eq!(git(None).uri(), "git+https://github.com/a/b.git");
        assert_eq!(git(None).digest(), Some(("gitCommit", "c".repeat(40))));
    }
}
