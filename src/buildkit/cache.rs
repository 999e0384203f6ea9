//! A build cache outside of the builder, by BuildKit's own protocol: what other machines have built is read from it before a step
//! is run, and what was built here is written to it.
//!
//! A cache says which content a step comes to, and the builder takes its word for it: whoever may write one decides what is in the
//! images of those who read it. Who reads which is `pipeline::build_cache`'s to say; here is how.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use bollard_buildkit_proto::moby::buildkit::v1::CacheOptionsEntry;
use serde_json::json;

use crate::oci::reference::Repository;
use crate::oci::{Digest, Platform};
use crate::secret::Secret;

/// The option of a frontend that names the caches to read. What `Control/Solve` is told of them reaches no Dockerfile.
pub(super) const IMPORTS: &str = "cache-imports";

/// How a builder names the step in which it reads what a cache has.
pub(super) const IMPORTING: &str = "importing cache manifest from ";

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
}

impl FromStr for Backend {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            "registry" => Ok(Self::Registry),
            "gha" => Ok(Self::GitHub),
            _ => Err(()),
        }
    }
}

/// The repositories of the environments' caches: one for all, or, with `{env}` in its name, one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repositories(String);

impl Repositories {
    /// What stands for the environment.
    const ENVIRONMENT: &str = "{env}";

    /// Whether each environment has its own.
    #[must_use]
    pub(crate) fn are_apart(&self) -> bool {
        self.0.contains(Self::ENVIRONMENT)
    }

    /// That of the environment of this name.
    #[must_use]
    pub(crate) fn of(&self, environment: &str) -> Option<Repository> {
        self.0.replace(Self::ENVIRONMENT, environment).parse().ok()
    }
}

impl FromStr for Repositories {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let repositories = Self(text.to_owned());
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

impl FromStr for Scope {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let may_stand = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        (begins && text.len() <= LONGEST && text.bytes().all(may_stand)).then(|| Self(text.to_owned())).ok_or(())
    }
}

/// Where a cache is.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// A cache, and what a build does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// is built for itself.
    pub(super) fn imports(&self, platform: Option<&Platform>, check: Option<&str>) -> String {
        let scopes = [None, check].into_iter().take(1 + usize::from(check.is_some()));
        let entry = |entry: CacheOptionsEntry| json!({ "Type": entry.r#type, "Attrs": entry.attrs });
        json!(scopes.map(|check| entry(self.entry(platform, check))).collect::<Vec<_>>()).to_string()
    }

    /// How a builder is told to write to it.
    pub(super) fn export(&self, platform: Option<&Platform>, check: Option<&str>) -> CacheOptionsEntry {
        let mut entry = self.entry(platform, check);
        // All steps, and not those alone whose layers are in the image.
        entry.attrs.insert("mode".to_owned(), "max".to_owned());
        if matches!(self.place, Place::Registry(_)) {
            // Layers of the image are there uncompressed, since it was read out so, and stay as they are: taken from the cache,
            // they give the same image as the steps. What is in no image is compressed, for the way.
            for (key, value) in [("image-manifest", "true"), ("oci-mediatypes", "true"), ("compression", "zstd")] {
                entry.attrs.insert(key.to_owned(), value.to_owned());
            }
        }
        entry
    }

    /// One cache to one scope: two builds that write to the same one leave what the last of them had.
    fn entry(&self, platform: Option<&Platform>, check: Option<&str>) -> CacheOptionsEntry {
        let Scope(what) = &self.scope;
        let platform = platform.cloned().or_else(Platform::of_this_machine);
        let platform = platform.map(|platform| platform.slug()).unwrap_or_default();
        let check = check.map(|stage| format!("-{}", &Digest::of(stage.as_bytes()).hex()[..DIGITS])).unwrap_or_default();
        let name = format!("{}-{what}{check}-{platform}", self.environment);
        let (kind, attributes) = match &self.place {
            Place::Registry(repository) => ("registry", vec![("ref", format!("{repository}:{name}"))]),
            Place::GitHub { url, token } => {
                let token = token.expose().to_owned();
                ("gha", vec![("scope", name), ("url_v2", url.clone()), ("token", token), ("timeout", "1m".to_owned())])
            }
        };
        let attrs = attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<HashMap<_, _>>();
        CacheOptionsEntry { r#type: kind.to_owned(), attrs }
    }
}

impl RemoteCache {
    /// Where it is, as a word for reports: the repository, or `gha`.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        match &self.place {
            Place::Registry(repository) => repository.to_string(),
            Place::GitHub { .. } => "gha".to_owned(),
        }
    }
}

impl fmt::Display for RemoteCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Registry(repository) => write!(f, "{repository}"),
            Place::GitHub { .. } => f.write_str("the cache of GitHub Actions"),
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

    #[test]
    fn what_is_read_says_nothing_of_writing_and_a_token_is_shown_to_the_builder_alone() {
        let place = Place::GitHub { url: "https://results.example/".to_owned(), token: Secret::new("a-token-of-the-run") };
        let cache = cache(place);
        let imports = cache.imports(None, None);
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
