//! Whose state a build sees in a builder that outlives it, and for whom it leaves some.
//!
//! Three things outlive a build, and each gets the namespace in its key:
//!
//! - **cache mounts** (`RUN --mount=type=cache`): the frontend puts the namespace before each ID (`build-arg:
//!   BUILDKIT_CACHE_MOUNT_NS`, which every `dockerfile.v0` since BuildKit 0.6 reads, that of Docker 20.10 too);
//! - **the results of steps**: newer builders leave the ID of a cache mount out of a step's key (`CacheMap` in
//!   `solver/llbsolver/ops/exec.go`), and all leave out proxies and secrets, so that the result of the same step in another
//!   namespace would be taken over. The names of additional hosts are part of the key: a host that nobody asks for makes
//!   each namespace's steps its own;
//! - **the files of a context**, which are kept under the session's key and are asked for again only where size or time differ.
//!
//! What is kept by the digest of its content (base images, what COPY and ADD bring) is everybody's. So a builder takes nothing
//! from a cache outside of it where others build on it: such a cache can say what it likes of that too, and the builder keeps it.

use std::path::Path;

use crate::oci::Digest;

/// Who sees what builds leave in a builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuilderCache {
    /// Nobody else, where the builder is known to be this job's alone; else those of the same namespace.
    Auto,
    /// Those of the same namespace.
    Isolated,
    /// Nobody else: the builder is this job's alone, and ends with it.
    Own,
    /// Everybody.
    Shared,
}

impl std::str::FromStr for BuilderCache {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "auto" => Ok(Self::Auto),
            "isolated" => Ok(Self::Isolated),
            "own" => Ok(Self::Own),
            "shared" => Ok(Self::Shared),
            _ => Err(()),
        }
    }
}

/// A namespace. It can't be computed by a build that is in another one: what the builder calls itself is part of it, which
/// no step and no reader of Dockerfiles by Docker shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// Of cache mounts and received files, which stay in the builder.
    state: Digest,
    /// Of the results of steps, which may be in a cache that other builders read.
    steps: Digest,
}

impl Namespace {
    /// The build argument in which a frontend looks for a namespace of cache mounts.
    pub(crate) const ARGUMENT: &str = "BUILDKIT_CACHE_MOUNT_NS";

    /// The namespace of all that `words` have in common: the builder, the repository, how far it is trusted.
    #[must_use]
    pub(crate) fn of(words: &[&str]) -> Self {
        let digest = Digest::of(&delimited(words));
        Self { state: digest, steps: digest }
    }

    /// The same, but for the results of steps: they are those of all that `words` have in common, on whichever builder. Whoever
    /// knows the words knows their names too, which no Dockerfile can give a step, and no input (see `Host`): a builder has to
    /// be told by whoever is let at it.
    #[must_use]
    pub(crate) fn with_steps_of(self, words: &[&str]) -> Self {
        Self { steps: Digest::of(&delimited(words)), ..self }
    }

    /// The key under which a builder keeps the files of folders.
    #[must_use]
    pub(crate) fn context(&self, folders: &[&Path]) -> String {
        Digest::of(&[derived(&self.state, "context").into_bytes(), paths(folders)].concat()).hex()
    }

    /// The name of a folder of this machine.
    #[must_use]
    pub(crate) fn folder(&self) -> String {
        derived(&self.state, "folder")
    }

    /// The options of a frontend that keep cache mounts and the results of steps apart.
    pub(super) fn attributes(&self) -> [(String, String); 2] {
        // A label of a host has at most 63 bytes.
        let host = &derived(&self.steps, "steps")[..40];
        [
            (format!("build-arg:{}", Self::ARGUMENT), derived(&self.state, "cache mounts")),
            ("add-hosts".to_owned(), format!("{host}{DOMAIN}=127.0.0.1")),
        ]
    }
}

/// What the names of hosts end in that tell namespaces apart.
pub(super) const DOMAIN: &str = ".gp-deliver.invalid";

/// A value for one purpose, from which that of another does not follow: a step can read those that it is given.
fn derived(digest: &Digest, purpose: &str) -> String {
    Digest::of(&delimited(&[&digest.hex(), purpose])).hex()
}

impl std::fmt::Debug for Namespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Namespace(…)")
    }
}

/// The key under which a builder keeps the files of folders, where its state is everybody's.
#[must_use]
pub(crate) fn shared_context(folders: &[&Path]) -> String {
    Digest::of(&paths(folders)).hex()
}

/// The words, each after its length: no two lists read alike.
pub(super) fn delimited(words: &[&str]) -> Vec<u8> {
    words.iter().flat_map(|word| delimited_bytes(word.as_bytes())).collect()
}

fn paths(folders: &[&Path]) -> Vec<u8> {
    folders.iter().flat_map(|folder| delimited_bytes(folder.as_os_str().as_encoded_bytes())).collect()
}

fn delimited_bytes(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_be_bytes()[..], bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_one_list_of_words_and_no_other() {
        let of = |words: &[&str]| Namespace::of(words);
        assert_eq!(of(&["engine", "acme/app", "prod"]), of(&["engine", "acme/app", "prod"]));
        for other in [&["engine", "acme/app", "dev"][..], &["engine", "acme/ap", "pprod"], &["engine", "acme/appprod"], &[]] {
            assert_ne!(of(&["engine", "acme/app", "prod"]), of(other), "{other:?}");
        }
    }

    #[test]
    fn what_a_step_can_read_says_nothing_of_the_other_keys() {
        let namespace = Namespace::of(&["engine", "acme/app", "prod"]);
        let [(argument, mounts), (hosts, host)] = namespace.attributes();
        assert_eq!((argument.as_str(), hosts.as_str()), ("build-arg:BUILDKIT_CACHE_MOUNT_NS", "add-hosts"));
        let name = host.strip_suffix(".gp-deliver.invalid=127.0.0.1").unwrap();
        assert!(name.len() <= 63 && !mounts.contains(name) && !namespace.context(&[Path::new("/a")]).contains(name));
        // No `/`: what stands behind it is the ID of the mount, which anybody may choose.
        assert!(mounts.len() == 64 && !mounts.contains('/'), "{mounts}");
    }

    #[test]
    fn steps_that_other_builders_may_share_say_nothing_of_what_stays_in_this_one() {
        let of = |builder: &str| Namespace::of(&[builder, "acme/app", "prod"]).with_steps_of(&["acme/app", "prod"]);
        let ([one_mounts, one_host], [two_mounts, two_host]) = (of("one").attributes(), of("two").attributes());
        assert_eq!(one_host, two_host);
        assert_ne!(one_mounts, two_mounts);
        assert_eq!(one_mounts, Namespace::of(&["one", "acme/app", "prod"]).attributes()[0]);
        let folders = [Path::new("/a")];
        assert_ne!(of("one").context(&folders), of("two").context(&folders));
    }

    #[test]
    fn each_context_has_a_key_of_its_own() {
        let (one, two) = (Namespace::of(&["a"]), Namespace::of(&["b"]));
        let key = |namespace: &Namespace, folders: &[&str]| namespace.context(&folders.iter().map(Path::new).collect::<Vec<_>>());
        let keys = [key(&one, &["/a"]), key(&one, &["/b"]), key(&two, &["/a"]), key(&one, &["/a", "/b"]), key(&one, &["/a/b"])];
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), keys.len(), "{keys:?}");
    }
}
