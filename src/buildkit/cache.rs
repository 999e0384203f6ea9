//! A build cache outside of the builder, by BuildKit's own protocol: what other machines have built is read from it before a step
//! is run, and what was built here is written to it.
//!
//! A cache says which content a step comes to, and the builder takes its word for it: whoever may write one decides what is in the
//! images of those who read it. Who reads which is `pipeline::build_cache`'s to say; here is how.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use bollard_buildkit_proto::moby::buildkit::v1::CacheOptionsEntry;
use oci_spec::image::Descriptor;
use serde_json::json;

use super::Error;
use super::blob_folder::BlobStore;
use super::by_environment::ByEnvironment;
use super::cache_folder::{CacheFolder, Use};
use super::session::content::CACHE;
use crate::document;
use crate::oci::layout::digest_of;
use crate::oci::reference::Repository;
use crate::oci::{Digest, Platform};
use crate::secret::Secret;

/// The option of a frontend that names the caches to read. What `Control/Solve` is told of them reaches no Dockerfile.
pub(super) const IMPORTS: &str = "cache-imports";

/// How a builder names the step in which it reads what a cache has.
pub(super) const IMPORTING: &str = "importing cache manifest from ";

/// The name under which a builder says what it has written (BuildKit, `cache/remotecache`).
const WRITTEN: &str = "cache.manifest";

/// How many digits of a digest tell scopes apart.
const DIGITS: usize = 16;

/// The longest name that a team gives a scope: a tag has at most 128 characters, and environment, stage and platform go in too.
const LONGEST: usize = 48;

/// Where machines keep what they have in common, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// Where this run can.
    Auto,
    /// Nowhere.
    Off,
    /// In a repository of a registry.
    Registry,
    /// In the cache of GitHub Actions.
    GitHub,
    /// In a folder of this machine.
    Local,
}

impl Backend {
    /// Whether it may be in a repository, where one is named.
    #[must_use]
    pub(crate) fn may_be_in_a_registry(self) -> bool {
        matches!(self, Self::Auto | Self::Registry)
    }
}

impl FromStr for Backend {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            "registry" => Ok(Self::Registry),
            "gha" => Ok(Self::GitHub),
            "local" => Ok(Self::Local),
            _ => Err(()),
        }
    }
}

/// The repositories of the environments' caches: one for all, or, with `{env}` in its name, one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repositories(ByEnvironment);

impl Repositories {
    /// Whether each environment has its own.
    #[must_use]
    pub(crate) fn are_apart(&self) -> bool {
        self.0.is_apart()
    }

    /// That of the environment of this name.
    #[must_use]
    pub(crate) fn of(&self, environment: &str) -> Option<Repository> {
        self.0.of(environment).parse().ok()
    }
}

impl FromStr for Repositories {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let repositories = Self(ByEnvironment(text.to_owned()));
        // A host of its own would be asked for by a name that nobody has written.
        let host = text.split('/').next().unwrap_or_default();
        let is_one = !host.contains(['{', '}']) && repositories.of("prod").is_some();
        is_one.then_some(repositories).ok_or(())
    }
}

/// The name under which builds that can use each other's steps keep them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope(String);

impl Scope {
    /// The scope of what has these words in common.
    #[must_use]
    pub(crate) fn of(words: &[&str]) -> Self {
        Self(Digest::of(&super::namespace::delimited(words)).hex()[..DIGITS].to_owned())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Scope {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let may_stand = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        (begins && text.len() <= LONGEST && text.bytes().all(may_stand)).then(|| Self(text.to_owned())).ok_or(())
    }
}

/// Where a cache is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a repository of a registry, under a tag for each scope.
    Registry(Repository),
    /// In the cache of GitHub Actions, which the run's own token reads and writes (version 2 of its service).
    GitHub {
        /// The address of the service.
        url: String,
        /// The run's token for it. The builder is given it with the build, and nobody else is.
        token: Secret,
    },
    /// In a folder of this machine, which the builder reads and writes by its session.
    Folder(CacheFolder),
}

/// A cache, and what a build does with it.
#[derive(Clone, Debug)]
pub(crate) struct RemoteCache {
    /// Where it is.
    pub(crate) place: Place,
    /// Whose it is: the environment by name.
    pub(crate) environment: &'static str,
    /// What is built.
    pub(crate) scope: Scope,
    /// Whether the build takes steps from it.
    pub(crate) reads: bool,
    /// Whether what was built goes to it.
    pub(crate) writes: bool,
}

impl RemoteCache {
    /// The option of a frontend by which a build for `platform` takes steps from it, those of the stage `check` besides where one
    /// is built for itself; nothing where it is known to have nothing of them.
    ///
    /// # Errors
    /// It is spoilt, in words.
    pub(super) async fn imports(&self, platform: Option<&Platform>, check: Option<&str>) -> Result<Option<String>, String> {
        let mut entries = Vec::new();
        for check in [None, check].into_iter().take(1 + usize::from(check.is_some())) {
            let entry = self.import(&self.entry(platform, check)).await?;
            entries.extend(entry.map(|entry| json!({ "Type": entry.r#type, "Attrs": entry.attrs })));
        }
        Ok((!entries.is_empty()).then(|| json!(entries).to_string()))
    }

    /// How a builder is told to read an entry; not at all where it is known not to be there.
    async fn import(&self, name: &str) -> Result<Option<CacheOptionsEntry>, String> {
        Ok(match &self.place {
            Place::Registry(repository) => Some(in_registry(repository, name)),
            Place::GitHub { url, token } => Some(at_github(url, token, name)),
            Place::Folder(folder) => {
                let manifest = folder.entry(name).await?;
                manifest.map(|manifest| options("local", [("src", CACHE.to_owned()), ("digest", manifest.to_string())]))
            }
        })
    }

    /// How a builder is told to write to it.
    pub(super) fn export(&self, platform: Option<&Platform>, check: Option<&str>) -> CacheOptionsEntry {
        let name = self.entry(platform, check);
        let mut entry = match &self.place {
            Place::Registry(repository) => in_registry(repository, &name),
            Place::GitHub { url, token } => at_github(url, token, &name),
            // Which entry it is, the builder is not told.
            Place::Folder(_) => options("local", [("dest", CACHE.to_owned())]),
        };
        // All steps, and not those alone whose layers are in the image.
        entry.attrs.insert("mode".to_owned(), "max".to_owned());
        if !matches!(self.place, Place::GitHub { .. }) {
            // Layers of the image are there uncompressed, since it was read out so, and stay as they are: taken from the cache,
            // they give the same image as the steps. What is in no image is compressed, for the way.
            for (key, value) in [("image-manifest", "true"), ("oci-mediatypes", "true"), ("compression", "zstd")] {
                entry.attrs.insert(key.to_owned(), value.to_owned());
            }
        }
        entry
    }

    /// Takes note of what a builder has written, by the answer to its solve: what a folder has is said in its index, here.
    ///
    /// # Errors
    /// It can't.
    pub(super) async fn written(
        &self,
        answer: &HashMap<String, String>,
        platform: Option<&Platform>,
        check: Option<&str>,
    ) -> Result<(), Error> {
        // A build without layers has nothing to keep.
        let (Place::Folder(folder), Some(said)) = (&self.place, answer.get(WRITTEN)) else { return Ok(()) };
        let protocol = |reason: String| Error::Protocol(format!("the builder's word on what it has written: {reason}"));
        let manifest: Descriptor = document::read_shared(said.as_bytes()).map_err(|error| protocol(error.to_string()))?;
        folder.enter(&self.entry(platform, check), digest_of(&manifest)?).await
    }

    /// The name of an entry, one to one scope: two builds that write to the same one leave what the last of them had.
    fn entry(&self, platform: Option<&Platform>, check: Option<&str>) -> String {
        let Scope(what) = &self.scope;
        let platform = platform.cloned().or_else(Platform::of_this_machine);
        let platform = platform.map(|platform| platform.slug()).unwrap_or_default();
        let check = check.map(|stage| format!("-{}", &Digest::of(stage.as_bytes()).hex()[..DIGITS])).unwrap_or_default();
        format!("{}-{what}{check}-{platform}", self.environment)
    }
}

fn in_registry(repository: &Repository, name: &str) -> CacheOptionsEntry {
    options("registry", [("ref", format!("{repository}:{name}"))])
}

fn at_github(url: &str, token: &Secret, name: &str) -> CacheOptionsEntry {
    let (scope, url, token) = (name.to_owned(), url.to_owned(), token.expose().to_owned());
    options("gha", [("scope", scope), ("url_v2", url), ("token", token), ("timeout", "1m".to_owned())])
}

/// What a builder is told of a cache.
fn options<const N: usize>(kind: &str, attributes: [(&str, String); N]) -> CacheOptionsEntry {
    let attrs = attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    CacheOptionsEntry { r#type: kind.to_owned(), attrs }
}

impl RemoteCache {
    /// What of it is in a folder here, for a session in which the builder reads it, or writes it too.
    #[must_use]
    pub(crate) fn store(&self, purpose: Use) -> Option<BlobStore> {
        match &self.place {
            Place::Folder(folder) => folder.store(purpose),
            Place::Registry(_) | Place::GitHub { .. } => None,
        }
    }

    /// Uses it no more.
    pub(crate) async fn leave(&self) {
        if let Place::Folder(folder) = &self.place {
            folder.leave().await;
        }
    }

    /// Where it is, as a word for reports: the repository, `gha` or `local`.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        match &self.place {
            Place::Registry(repository) => repository.to_string(),
            Place::GitHub { .. } => "gha".to_owned(),
            Place::Folder(_) => "local".to_owned(),
        }
    }
}

impl fmt::Display for RemoteCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Registry(repository) => write!(f, "{repository}"),
            Place::GitHub { .. } => f.write_str("the cache of GitHub Actions"),
            Place::Folder(folder) => write!(f, "the folder {}", folder.path().display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(place: Place) -> RemoteCache {
        RemoteCache { place, environment: "prod", scope: Scope::of(&["acme/app"]), reads: true, writes: true }
    }

    #[test]
    fn an_environment_has_a_repository_of_its_own_where_its_name_says_so() {
        let apart: Repositories = "r.example/cache/{env}".parse().unwrap();
        assert!(apart.are_apart());
        assert_eq!(apart.of("prod").unwrap().to_string(), "r.example/cache/prod");
        let one: Repositories = "r.example/cache".parse().unwrap();
        assert!(!one.are_apart());
        assert_eq!(one.of("prod"), one.of("dev"));
        for text in ["", "cache", "{env}.example/cache", "r.example/{environment}", "r.example/cache:tag", "r.example/{env"] {
            assert_eq!(text.parse::<Repositories>(), Err(()), "{text}");
        }
    }

    #[test]
    fn each_environment_stage_and_platform_has_an_entry_of_its_own_and_a_tag_takes_its_name() {
        let longest: Scope = "a".repeat(LONGEST).parse().unwrap();
        let place = Place::Registry("r.example/cache".parse().unwrap());
        let prod = RemoteCache { scope: longest, ..cache(place) };
        let staging = RemoteCache { environment: "staging", ..prod.clone() };
        let arm: Platform = "linux/arm/v7".parse().unwrap();
        let amd: Platform = "linux/amd64".parse().unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for cache in [&prod, &staging] {
            for platform in [&arm, &amd] {
                for check in [None, Some("test"), Some("lint")] {
                    let reference = cache.export(Some(platform), check).attrs["ref"].clone();
                    let tag = reference.parse::<crate::oci::Reference>().unwrap().tag;
                    assert!(tag.is_some() && seen.insert(reference.clone()), "{reference}");
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_read_says_nothing_of_writing_and_a_token_is_shown_to_the_builder_alone() {
        let place = Place::GitHub { url: "https://results.example/".to_owned(), token: Secret::new("a-token-of-the-run") };
        let cache = cache(place);
        let imports = cache.imports(None, None).await.unwrap().unwrap();
        assert!(imports.contains(r#""Type":"gha""#) && imports.contains("a-token-of-the-run") && !imports.contains("mode"));
        assert_eq!(cache.export(None, None).attrs["mode"], "max");
        assert!(!format!("{cache:?} {cache}").contains("a-token-of-the-run"));
    }

    #[test]
    fn a_scope_is_a_word_that_a_tag_may_have_in_it() {
        for text in ["app", "team.app-1", "0"] {
            assert!(text.parse::<Scope>().is_ok(), "{text}");
        }
        for text in ["", "App", "a b", "-a", "a/b", "a:b", &"a".repeat(LONGEST + 1)] {
            assert_eq!(text.parse::<Scope>(), Err(()), "{text}");
        }
    }
}
