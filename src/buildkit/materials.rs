//! What a build's definition names as its sources.
//!
//! A frontend hands the builder a graph of steps (LLB), and the gateway hands that on with the result: for every source it
//! says what is fetched, and from `FROM` and `COPY --from` with the digest that the name was resolved to. That holds for each
//! builder from Docker 20.10 on, changes nothing of the image, and no step of the build can write there; only a reader of the
//! Dockerfile that is not Docker's can. The image of that reader is in no graph: the status stream names it.

use std::collections::{BTreeMap, BTreeSet};

use bollard_buildkit_proto::pb::{self, NetMode, op};
use prost::Message as _;

use super::contexts::{Contexts, Given};
use super::progress::Progress;
use crate::materials::{Material, Materials};
use crate::oci::{Digest, Platform};

/// The folders that the session serves.
const OURS: [&str; 2] = ["context", "dockerfile"];

/// What the sources of a build are so far.
struct Found<'a> {
    contexts: &'a Contexts,
    materials: Materials,
}

/// What a build was made from, by its definitions and by what was said of its steps. No definition: nothing is known.
pub(super) fn of(definitions: &[pb::Definition], progress: &Progress, contexts: &Contexts) -> Materials {
    let materials = Materials { named: BTreeSet::new(), unknown: BTreeSet::new(), network: false };
    let mut found = Found { contexts, materials };
    if definitions.is_empty() {
        found.lacks("the builder did not say how the image is made".to_owned());
    }
    for operation in definitions.iter().flat_map(|definition| &definition.def) {
        match pb::Op::decode(operation.as_slice()) {
            Ok(operation) => found.operation(&operation),
            Err(error) => found.lacks(format!("a step of the build can't be read: {error}")),
        }
    }
    for reference in progress.images() {
        found.image(reference, None);
    }
    found.materials
}

impl Found<'_> {
    fn lacks(&mut self, why: String) {
        self.materials.unknown.insert(why);
    }

    fn operation(&mut self, operation: &pb::Op) {
        match &operation.op {
            Some(op::Op::Source(source)) => self.source(source, operation.platform.as_ref()),
            Some(op::Op::Exec(step)) => self.materials.network |= step.network != NetMode::None as i32,
            // Steps that are in a file which another step makes.
            Some(op::Op::Build(_)) => self.lacks("a step of the build makes steps of its own".to_owned()),
            // The last of a definition only says which one is the result.
            Some(op::Op::File(_) | op::Op::Merge(_) | op::Op::Diff(_)) | None => {}
        }
    }

    fn source(&mut self, source: &pb::SourceOp, platform: Option<&pb::Platform>) {
        let identifier = &*source.identifier;
        match identifier.split_once("://") {
            Some(("docker-image", reference)) => self.image(reference, platform.and_then(platform_of)),
            Some(("git", address)) => self.git(address, &source.attrs),
            Some(("http" | "https", _)) => self.file(identifier, &source.attrs),
            Some(("local", name)) if OURS.contains(&name) || self.is_folder(name) => {}
            Some(("oci-layout", reference)) => self.layout(reference, &source.attrs, platform.and_then(platform_of)),
            Some((kind, _)) => self.lacks(format!("the build has a source of the kind {kind}")),
            None => self.lacks("the build has a source that names no kind".to_owned()),
        }
    }

    /// Whether it is a named context that is a folder of the source.
    fn is_folder(&self, name: &str) -> bool {
        self.contexts.iter().any(|(context, given)| *given == Given::Folder && context.folder() == name)
    }

    /// An image of a layout, which the session has served by its digest.
    fn layout(&mut self, reference: &str, attributes: &BTreeMap<String, String>, platform: Option<Platform>) {
        let store = attributes.get("oci.store");
        let found = self.contexts.iter().find_map(|(context, given)| match given {
            Given::Layout(digest) if store == Some(&context.layout()) => Some((context, *digest)),
            _ => None,
        });
        match found {
            Some((context, digest)) if reference.ends_with(&format!("@{digest}")) => {
                self.materials.named.insert(Material::Layout { context: context.to_string(), digest, platform });
            }
            _ => self.lacks(format!("the build has a layout that was not given to it, {reference}")),
        }
    }

    fn image(&mut self, reference: &str, platform: Option<Platform>) {
        let (name, digest) = reference.split_once('@').map_or((reference, None), |(name, digest)| (name, Some(digest)));
        let digest = digest.and_then(|digest| digest.parse::<Digest>().ok());
        if digest.is_none() {
            self.lacks(format!("the builder took the image {name} without a digest of a registry"));
        }
        self.materials.named.insert(Material::Image { reference: name.to_owned(), digest, platform });
    }

    fn git(&mut self, address: &str, attributes: &BTreeMap<String, String>) {
        let (place, fragment) = address.split_once('#').unwrap_or((address, ""));
        let url = attributes.get("git.fullurl").cloned().unwrap_or_else(|| format!("https://{place}"));
        let url = without_credentials(url.split_once('#').map_or(&*url, |(url, _)| url));
        let reference = fragment.split(':').next().filter(|reference| !reference.is_empty());
        // The builder holds what it fetched to either; only a full id says which bytes that were.
        let commit = [attributes.get("git.checksum").map(String::as_str), reference].into_iter().flatten();
        let commit = commit.into_iter().find(|text| is_commit(text)).map(str::to_owned);
        if commit.is_none() {
            self.lacks(format!(
                "of the repository {url} the build names {} and no commit",
                reference.unwrap_or("its default branch")
            ));
        }
        self.materials.named.insert(Material::Git { url, reference: reference.map(str::to_owned), commit });
    }

    fn file(&mut self, address: &str, attributes: &BTreeMap<String, String>) {
        let url = without_credentials(address);
        let url = url.split(['?', '#']).next().unwrap_or_default().to_owned();
        let digest = attributes.get("http.checksum").and_then(|digest| digest.parse::<Digest>().ok());
        if digest.is_none() {
            self.lacks(format!("the build names no checksum of {url}"));
        }
        self.materials.named.insert(Material::File { url, digest });
    }
}

/// An address without the name and the password that may stand in it.
fn without_credentials(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let rest = rest[..host].rfind('@').map_or(rest, |at| &rest[at + 1..]);
    format!("{scheme}://{rest}")
}

/// A commit's full id, SHA-1 or SHA-256.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn platform_of(platform: &pb::Platform) -> Option<Platform> {
    let variant = if platform.variant.is_empty() { String::new() } else { format!("/{}", platform.variant) };
    format!("{}/{}{variant}", platform.os, platform.architecture).parse().ok()
}

#[cfg(test)]
mod tests {
    use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex};

    use super::*;

    fn source(identifier: &str, attributes: &[(&str, &str)]) -> pb::Op {
        let attrs = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        pb::Op {
            op: Some(op::Op::Source(pb::SourceOp { identifier: identifier.to_owned(), attrs })),
            platform: Some(pb::Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), ..pb::Platform::default() }),
            ..pb::Op::default()
        }
    }

    fn step(network: NetMode) -> pb::Op {
        pb::Op { op: Some(op::Op::Exec(pb::ExecOp { network: network as i32, ..pb::ExecOp::default() })), ..pb::Op::default() }
    }

    fn materials(operations: &[pb::Op]) -> Materials {
        let definition =
            pb::Definition { def: operations.iter().map(prost::Message::encode_to_vec).collect(), ..pb::Definition::default() };
        of(&[definition], &Progress::default(), &Contexts::new())
    }

    /// The address, and whether its bytes are known.
    fn one(identifier: &str, attributes: &[(&str, &str)]) -> (String, bool) {
        let found = materials(&[source(identifier, attributes)]);
        assert_eq!(found.named.len(), 1, "{identifier}: {found:?}");
        let material = found.named.first().unwrap();
        assert_eq!(material.digest().is_some(), found.unknown.is_empty(), "{identifier}: {found:?}");
        (material.uri(), found.unknown.is_empty())
    }

    #[test]
    fn an_image_is_known_by_the_digest_that_its_name_was_resolved_to() {
        let digest = Digest::of(b"debian");
        assert_eq!(
            one(&format!("docker-image://docker.io/library/debian:bookworm-slim@{digest}"), &[]),
            (format!("pkg:docker/debian@bookworm-slim?digest={digest}&platform=linux%2Famd64"), true)
        );
        // A graph driver takes an image that it was given under a name that no registry has.
        let (uri, known) = one("docker-image://docker.io/library/ours:1", &[]);
        assert_eq!((&*uri, known), ("pkg:docker/ours@1?platform=linux%2Famd64", false));
    }

    #[test]
    fn a_repository_is_known_by_a_full_commit_and_by_no_name() {
        let (commit, url) = ("c".repeat(40), ("git.fullurl", "https://me:secret@github.com/a/b.git"));
        let pinned = format!("git://github.com/a/b.git#{commit}:docs");
        assert_eq!(one(&pinned, &[url]), (format!("git+https://github.com/a/b.git@{commit}"), true));
        let named = "git://github.com/a/b.git#v1";
        assert_eq!(one(named, &[url]), ("git+https://github.com/a/b.git@v1".to_owned(), false));
        assert!(one(named, &[url, ("git.checksum", &commit)]).1);
        assert!(!one(named, &[url, ("git.checksum", &commit[..12])]).1, "a short id is a name");
        assert_eq!(one("git://github.com/a/b.git", &[]), ("git+https://github.com/a/b.git".to_owned(), false));
    }

    #[test]
    fn a_file_of_the_web_is_known_by_its_checksum_and_its_address_holds_no_secret() {
        let address = "https://me:secret@example.com/a/b.tar.gz?token=secret#x";
        let digest = Digest::of(b"file").to_string();
        assert_eq!(one(address, &[("http.checksum", &digest)]), ("https://example.com/a/b.tar.gz".to_owned(), true));
        assert_eq!(one(address, &[]), ("https://example.com/a/b.tar.gz".to_owned(), false));
        assert_eq!(one("http://example.com/@/b", &[]), ("http://example.com/@/b".to_owned(), false));
    }

    #[test]
    fn the_sessions_own_folders_are_no_materials_and_what_is_not_understood_is_missing() {
        assert_eq!(materials(&[source("local://context", &[]), source("local://dockerfile", &[])]), materials(&[]));
        for identifier in ["local://other", "oci-layout://x", "nonsense"] {
            let found = materials(&[source(identifier, &[])]);
            assert!(found.named.is_empty() && found.unknown.len() == 1, "{identifier}: {found:?}");
        }
        let nested = pb::Op { op: Some(op::Op::Build(pb::BuildOp::default())), ..pb::Op::default() };
        assert_eq!(materials(&[nested]).unknown.len(), 1);
        let unreadable = pb::Definition { def: vec![vec![0xff]], ..pb::Definition::default() };
        assert_eq!(of(&[unreadable], &Progress::default(), &Contexts::new()).unknown.len(), 1);
        assert_eq!(of(&[], &Progress::default(), &Contexts::new()).unknown.len(), 1);
    }

    #[test]
    fn a_named_context_is_the_sources_own_folder_or_an_image_by_its_digest() {
        let digest = Digest::of(b"image");
        let name = |text: &str| text.parse().unwrap();
        let contexts = Contexts::from([(name("libs"), Given::Folder), (name("base"), Given::Layout(digest))]);
        let materials = |operation: pb::Op| {
            let definition = pb::Definition { def: vec![operation.encode_to_vec()], ..pb::Definition::default() };
            of(&[definition], &Progress::default(), &contexts)
        };
        let folder = materials(source("local://libs", &[]));
        assert!(folder.named.is_empty() && folder.unknown.is_empty(), "{folder:?}");
        let identifier = format!("oci-layout://docker.io/library/base@{digest}");
        let store = name("base").layout();
        let image = materials(source(&identifier, &[("oci.store", &store)]));
        let uris: Vec<_> = image.named.iter().map(Material::uri).collect();
        assert_eq!(uris, [format!("pkg:oci/base?digest={digest}&platform=linux%2Famd64")]);
        assert!(image.unknown.is_empty());
        // Another one than was given, or of a place that was not.
        let other = format!("oci-layout://docker.io/library/base@{}", Digest::of(b"other"));
        for (identifier, store) in [(other.as_str(), store.as_str()), (&identifier, "elsewhere"), ("oci-layout://base", &store)] {
            let found = materials(source(identifier, &[("oci.store", store)]));
            assert!(found.named.is_empty() && found.unknown.len() == 1, "{identifier}: {found:?}");
        }
        assert_eq!(materials(source("local://base", &[])).unknown.len(), 1);
    }

    #[test]
    fn a_step_reaches_the_network_unless_it_is_cut_off() {
        assert!(!materials(&[]).network && !materials(&[step(NetMode::None)]).network);
        assert!(materials(&[step(NetMode::None), step(NetMode::Unset)]).network && materials(&[step(NetMode::Host)]).network);
    }

    #[test]
    fn the_reader_of_the_dockerfile_is_named_by_the_status_and_no_step_passes_for_it() {
        let digest = Digest::of(b"reader");
        let vertex = |name: String| Vertex { digest: name.clone(), name, ..Vertex::default() };
        let names = [
            "[internal] load metadata for docker.io/library/debian:12".to_owned(),
            format!("[1/2] FROM docker-image://evil.example/x:1@{digest}"),
            format!("docker-image://docker.io/docker/dockerfile:1@{digest}"),
        ];
        let mut progress = Progress::default();
        progress.update(StatusResponse { vertexes: names.map(vertex).into(), ..StatusResponse::default() });
        let found = of(&[pb::Definition::default()], &progress, &Contexts::new());
        let uris: Vec<_> = found.named.iter().map(Material::uri).collect();
        assert_eq!(uris, [format!("pkg:docker/docker/dockerfile@1?digest={digest}")]);
        assert!(found.unknown.is_empty() && found.named.iter().any(|image| image.is_image("docker/dockerfile:1")));
    }
}
