//! Named contexts: what a Dockerfile takes files from besides the build context, by names that it uses in `FROM`, `COPY --from`
//! and `RUN --mount=from=` (`docker buildx build --build-context`).

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::materials::familiar;
use crate::oci::reference::{is_host, is_name};
use crate::oci::{Digest, Tag};

/// A named context, before it is known whether what it names is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedContext {
    /// What the Dockerfile calls it.
    pub(crate) name: Name,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// The name of a context as frontends look for it: as people write the name of an image, without `docker.io` and `:latest`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(String);

/// Where a named context comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A folder of the source.
    Folder(PathBuf),
    /// An image of a registry, by the reference that the builder resolves.
    Image(String),
    /// An image in a layout folder: by its digest, else by its tag, else the only one.
    Layout {
        /// The folder.
        folder: PathBuf,
        /// The tag.
        tag: Option<Tag>,
        /// The digest.
        digest: Option<Digest>,
    },
}

/// A named context as it is handed to a builder: what it is stands fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// A folder that the session serves.
    Folder,
    /// An image of a registry.
    Image(String),
    /// An image in a layout that the session serves, by its digest.
    Layout(Digest),
}

/// The named contexts of a build.
pub(crate) type Contexts = std::collections::BTreeMap<Name, Given>;

/// What a frontend has to know so that it does not pass over named contexts in silence; one that does not hands on to the
/// `# syntax=` of the Dockerfile, or says so (BuildKit, `frontend/dockerfile/builder/caps.go`).
const CAPABILITY: (&str, &str) = ("frontend.caps", "moby.buildkit.frontend.contexts+forward");

/// Names that frontends pass over: the empty image, and the build context itself (`namedContextFunc` in `dockerfile2llb`).
const PASSED_OVER: [&str; 2] = ["scratch", "context"];

/// The options of a frontend that name `contexts`.
pub(super) fn attributes(contexts: &Contexts) -> impl Iterator<Item = (String, String)> {
    let named = contexts.iter().map(|(name, given)| (format!("context:{name}"), given.specifier(name)));
    let capability = (!contexts.is_empty()).then(|| (CAPABILITY.0.to_owned(), CAPABILITY.1.to_owned()));
    capability.into_iter().chain(named)
}

/// The whole name of an image that is named without a digest, as builders resolve it (`ParseNormalizedNamed` and `TagNameOnly` in
/// `github.com/distribution/reference`); nothing for one that has a digest.
#[must_use]
pub(super) fn unpinned(image: &str) -> Option<String> {
    if image.contains('@') {
        return None;
    }
    let has_host = image.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost");
    let whole = match (has_host, image.contains('/')) {
        (true, _) => image.to_owned(),
        (false, true) => format!("docker.io/{image}"),
        (false, false) => format!("docker.io/library/{image}"),
    };
    let has_tag = whole.rsplit_once('/').is_some_and(|(_, last)| last.contains(':'));
    Some(if has_tag { whole } else { format!("{whole}:latest") })
}

impl Origin {
    /// The folder of this machine, where it is one or is in one.
    #[must_use]
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) | Self::Layout { folder, .. } => Some(folder),
            Self::Image(_) => None,
        }
    }
}

/// As it is written, but for the tag and the digest of a layout, by which it is the same place with another content.
impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Image(reference) => write!(f, "docker-image://{reference}"),
            Self::Layout { folder, .. } => write!(f, "oci-layout://{}", folder.display()),
        }
    }
}

impl Name {
    /// The name of the folder in the session, which has two of its own.
    #[must_use]
    pub(crate) fn folder(&self) -> String {
        if ["context", "dockerfile"].contains(&&*self.0) { format!("_{}", self.0) } else { self.0.clone() }
    }

    /// The name of the layout in the session: a builder takes it for the name of an image.
    #[must_use]
    pub(crate) fn layout(&self) -> String {
        format!("layout-{}", &Digest::of(self.0.as_bytes()).hex()[..20])
    }

    /// Whether a Dockerfile that names `text` means this context.
    #[must_use]
    pub(crate) fn is_named_by(&self, text: &str) -> bool {
        text.parse().is_ok_and(|name: Self| name == *self)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Given {
    /// How a frontend reads it (BuildKit, `frontend/dockerui/namedcontext.go`).
    fn specifier(&self, name: &Name) -> String {
        match self {
            Self::Folder => format!("local:{}", name.folder()),
            Self::Image(reference) => format!("docker-image://{reference}"),
            Self::Layout(digest) => format!("oci-layout://{}@{digest}", name.layout()),
        }
    }
}

/// As an image's name is read (`ParseNormalizedNamed` in `github.com/distribution/reference`).
impl FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().map_err(drop)?)),
            None => (text, None),
        };
        let (name, tag) = familiar(rest);
        let tag = tag.map(|tag| tag.parse::<Tag>().map_err(drop)).transpose()?;
        let path = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => is_host(host).then_some(path).ok_or(())?,
            _ => name,
        };
        // What reads like an ID of an image is no name.
        let is_id = path.len() == 64 && path.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_name(path) || is_id || PASSED_OVER.contains(&name) {
            return Err(());
        }
        let tag = tag.map(|tag| tag.to_string()).filter(|tag| tag != "latest" || digest.is_some());
        let (tag, digest) = (tag.map(|tag| format!(":{tag}")), digest.map(|digest| format!("@{digest}")));
        Ok(Self(format!("{name}{}{}", tag.unwrap_or_default(), digest.unwrap_or_default())))
    }
}

/// `NAME=FOLDER`, `NAME=docker-image://REFERENCE` or `NAME=oci-layout://FOLDER[:TAG][@DIGEST]`.
impl FromStr for NamedContext {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let (name, place) = line.split_once('=').ok_or(())?;
        let origin = match place.split_once("://") {
            Some(("docker-image", reference)) => image(reference)?,
            Some(("oci-layout", place)) => layout(place)?,
            // Of git, of the web, a target of bake.
            Some(_) => return Err(()),
            None if place.is_empty() || is_remote(place) => return Err(()),
            None => Origin::Folder(place.into()),
        };
        Ok(Self { name: name.parse()?, origin })
    }
}

/// What `docker buildx` takes for a place in the net without a scheme that says so.
fn is_remote(place: &str) -> bool {
    ["git@", "github.com/", "target:"].iter().any(|start| place.starts_with(start))
}

fn image(reference: &str) -> Result<Origin, ()> {
    let is_printed = reference.bytes().all(|byte| byte.is_ascii_graphic());
    (is_printed && !reference.is_empty()).then(|| Origin::Image(reference.to_owned())).ok_or(())
}

fn layout(place: &str) -> Result<Origin, ()> {
    let (place, digest) = match place.split_once('@') {
        Some((place, digest)) => (place, Some(digest.parse().map_err(drop)?)),
        None => (place, None),
    };
    let (folder, tag) = match place.split_once(':') {
        Some((folder, tag)) => (folder, Some(tag.parse().map_err(drop)?)),
        None => (place, None),
    };
    if folder.is_empty() { Err(()) } else { Ok(Origin::Layout { folder: folder.into(), tag, digest }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        text.parse::<Name>().ok().map(|name| name.to_string())
    }

    #[test]
    fn a_context_is_called_as_people_write_the_name_of_an_image() {
        let digest = Digest::of(b"x");
        for (text, read) in [
            ("libs", "libs"),
            ("docker.io/library/alpine:latest", "alpine"),
            ("index.docker.io/library/alpine:3.20", "alpine:3.20"),
            ("team/base", "team/base"),
            ("localhost/base:1", "localhost/base:1"),
            ("r.example:5000/team/base:1", "r.example:5000/team/base:1"),
            ("dockerfile", "dockerfile"),
        ] {
            assert_eq!(name(text).as_deref(), Some(read), "{text}");
        }
        let pinned = format!("alpine@{digest}");
        assert_eq!(name(&pinned), Some(pinned.clone()));
        // Frontends pass over the first two; the others name no image.
        for text in ["scratch", "context", "docker.io/library/context", "Libs", "a b", "", "a::linux/amd64", "-a", "a@sha256:1"] {
            assert_eq!(name(text), None, "{text}");
        }
        assert_eq!(name(&digest.hex()), None);
        let base: Name = "alpine".parse().unwrap();
        assert!(base.is_named_by("docker.io/library/alpine:latest") && !base.is_named_by("alpine:3") && !base.is_named_by("$x"));
    }

    #[test]
    fn an_image_without_a_digest_has_a_whole_name_to_be_resolved_by() {
        for (image, whole) in [
            ("alpine", "docker.io/library/alpine:latest"),
            ("alpine:3", "docker.io/library/alpine:3"),
            ("team/base", "docker.io/team/base:latest"),
            ("r.example/base", "r.example/base:latest"),
            ("127.0.0.1:5000/team/base:1", "127.0.0.1:5000/team/base:1"),
            ("localhost/base", "localhost/base:latest"),
        ] {
            assert_eq!(unpinned(image).as_deref(), Some(whole), "{image}");
        }
        assert_eq!(unpinned(&format!("alpine:3@{}", Digest::of(b"x"))), None);
    }

    #[test]
    fn a_line_names_a_folder_an_image_or_a_layout_and_nothing_else() {
        let read = |line: &str| line.parse::<NamedContext>().map(|context| context.origin).ok();
        assert_eq!(read("libs=../common=x"), Some(Origin::Folder("../common=x".into())));
        assert_eq!(read("base=docker-image://alpine:3"), Some(Origin::Image("alpine:3".to_owned())));
        let layout = |tag: Option<&str>, digest: Option<Digest>| Origin::Layout {
            folder: "out/image".into(),
            tag: tag.map(|tag| tag.parse().unwrap()),
            digest,
        };
        let digest = Digest::of(b"x");
        assert_eq!(read("base=oci-layout://out/image"), Some(layout(None, None)));
        assert_eq!(read("base=oci-layout://out/image:v1"), Some(layout(Some("v1"), None)));
        assert_eq!(read(&format!("base=oci-layout://out/image:v1@{digest}")), Some(layout(Some("v1"), Some(digest))));
        for line in [
            "libs",
            "libs=",
            "=libs",
            "libs=https://example.com/a.git",
            "libs=git@github.com:a/b",
            "libs=github.com/a/b",
            "libs=target:other",
            "libs=docker-image://",
            "libs=docker-image://a b",
            "libs=oci-layout://",
            "libs=oci-layout://x@sha256:1",
            "scratch=libs",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn a_frontend_that_knows_no_named_contexts_is_asked_whether_it_does() {
        let given = |name: &str, given| (name.parse().unwrap(), given);
        let digest = Digest::of(b"x");
        let contexts = Contexts::from([
            given("dockerfile", Given::Folder),
            given("base", Given::Image("alpine:3".to_owned())),
            given("layout", Given::Layout(digest)),
        ]);
        let attributes: std::collections::BTreeMap<_, _> = attributes(&contexts).collect();
        assert_eq!(attributes["frontend.caps"], "moby.buildkit.frontend.contexts+forward");
        assert_eq!(attributes["context:dockerfile"], "local:_dockerfile");
        assert_eq!(attributes["context:base"], "docker-image://alpine:3");
        let layout = &attributes["context:layout"];
        assert!(layout.starts_with("oci-layout://layout-") && layout.ends_with(&digest.to_string()), "{layout}");
        assert_eq!(super::attributes(&Contexts::new()).count(), 0);
    }
}
