//! Where a document names an image.

use super::refusal::{Reason, Refusal};
use super::splice::Change;
use super::tree::{Kind, Node};
use super::wanted::{Wanted, parts};
use super::way::Way;
use crate::text;

/// The lists of a pod that have images.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// The ways from an object to its pod: of a Pod, of a Deployment and all that has a template, and of a `CronJob`.
const PODS: [&[&str]; 3] = [&["spec"], &["spec", "template", "spec"], &["spec", "jobTemplate", "spec", "template", "spec"]];

/// A place that names the image.
struct Site {
    line: usize,
    /// What it says now of the tag and the digest.
    now: String,
    changes: Vec<Change>,
}

/// Looks through a document.
struct Search<'a> {
    wanted: &'a Wanted,
    document: usize,
    sites: Vec<Site>,
}

/// What a file has to change, by what its documents are. Nothing where none names the image.
///
/// # Errors
/// A place can't be told for sure.
pub(super) fn find(name: &str, documents: &[Node], wanted: &Wanted) -> Result<Vec<Change>, Refusal> {
    Ok(sites(name, documents, wanted)?.into_iter().flat_map(|site| site.changes).collect())
}

/// What a file says now of the tag and the digest: one text at all places, with its line. None where it does not name the image.
///
/// # Errors
/// A place can't be told for sure.
pub(super) fn now(name: &str, documents: &[Node], wanted: &Wanted) -> Result<Option<(usize, String)>, Refusal> {
    Ok(sites(name, documents, wanted)?.into_iter().next().map(|site| (site.line, site.now)))
}

/// The same of the value at the end of a way, which one of the documents has to have. None where it is another image's.
///
/// # Errors
/// None has it, or several have.
pub(super) fn now_at(documents: &[Node], way: &Way, wanted: &Wanted) -> Result<Option<(usize, String)>, Refusal> {
    // That there is one is looked at as it is before an edit.
    at(documents, way, wanted)?;
    let node = documents.iter().find_map(|root| root.find(way).ok()).map(|found| found.node);
    let Some((line, text)) = node.and_then(|node| Some((node.line, node.text()?.trim()))) else { return Ok(None) };
    Ok(match way.last_key() {
        Some("tag" | "newTag" | "digest") => Some((line, text.to_owned())),
        Some("repository" | "newName") => Some((line, String::new())),
        _ => {
            let (name, now) = parts(text);
            wanted.is_named(name).then(|| (line, now.to_owned()))
        }
    })
}

fn sites(name: &str, documents: &[Node], wanted: &Wanted) -> Result<Vec<Site>, Refusal> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let is_kustomization = ["kustomization.yaml", "kustomization.yml", "Kustomization"].contains(&file);
    let mut sites = Vec::new();
    for (document, root) in documents.iter().enumerate() {
        let mut search = Search { wanted, document, sites: Vec::new() };
        search.object(root, &Way(vec![]), is_kustomization)?;
        sites.append(&mut search.sites);
    }
    // Where a file names two different ones (a canary beside what is stable), it is not ours to say which.
    if let Some(other) = sites.iter().find(|site| site.now != sites[0].now) {
        let mut lines: Vec<_> = sites.iter().map(|site| site.line).collect();
        lines.sort_unstable();
        return Err(Refusal::new(other.line, Reason::Several(lines)));
    }
    Ok(sites)
}

/// What a file has to change at the end of a way, which one of its documents has to have.
///
/// # Errors
/// None has it, or several have.
pub(super) fn at(documents: &[Node], way: &Way, wanted: &Wanted) -> Result<Vec<Change>, Refusal> {
    let mut found = Vec::new();
    let mut missing = None;
    for (document, root) in documents.iter().enumerate() {
        match root.find(way) {
            Ok(there) => found.push((document, there.node.line)),
            Err(refusal @ Refusal { reason: Reason::Missing(_), .. }) => missing = missing.or(Some(refusal)),
            Err(refusal) => return Err(refusal),
        }
    }
    match *found {
        [(document, line)] => {
            let value = wanted.at_key(way.last_key()).ok_or_else(|| Refusal::new(line, Reason::Unproven))?;
            Ok(vec![Change { document, way: way.clone(), value, may_add: false }])
        }
        [] => Err(missing.unwrap_or_else(|| Refusal::new(1, Reason::Missing(text::words(&way.to_string()))))),
        [(_, line), ..] => Err(Refusal::new(line, Reason::Several(found.iter().map(|(_, line)| *line).collect()))),
    }
}

impl Search<'_> {
    /// Looks through an object of a cluster, a kustomization or a chart's values.
    fn object(&mut self, root: &Node, way: &Way, is_kustomization: bool) -> Result<(), Refusal> {
        let word = |key| Ok(root.get(key)?.and_then(Node::text).unwrap_or_default());
        let (version, kind) = (word("apiVersion")?, word("kind")?);
        let of = |group: &str| version.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'));
        match kind {
            "Kustomization" | "Component" if is_kustomization || version.is_empty() || of("kustomize.config.k8s.io") => {
                self.kustomization(root, way)
            }
            "" if is_kustomization => self.kustomization(root, way),
            "" => self.values(root, way),
            "Application" if of("argoproj.io") => self.application(root, way, &["spec"]),
            "ApplicationSet" if of("argoproj.io") => self.application(root, way, &["spec", "template", "spec"]),
            "HelmRelease" if of("helm.toolkit.fluxcd.io") => match reach(root, way, &["spec", "values"])? {
                Some((values, way)) => self.values(values, &way),
                None => Ok(()),
            },
            kind if kind.ends_with("List") => match reach(root, way, &["items"])? {
                Some((items, way)) => {
                    let mut items = items.list().iter().enumerate();
                    items.try_for_each(|(index, item)| self.object(item, &way.at(index), false))
                }
                None => Ok(()),
            },
            _ => self.workload(root, way),
        }
    }

    fn workload(&mut self, root: &Node, way: &Way) -> Result<(), Refusal> {
        for to_pod in PODS {
            let Some((pod, way)) = reach(root, way, to_pod)? else { continue };
            for list in CONTAINERS {
                let Some(containers) = pod.get(list)? else { continue };
                let way = way.to(list);
                for (index, container) in containers.list().iter().enumerate() {
                    match container.get("image")? {
                        Some(image) => self.whole(image, way.at(index).to("image"), ""),
                        None if container.merges() => return Err(Refusal::new(container.line, Reason::Merge)),
                        None => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// A scalar that is a whole reference, behind what is kept of it.
    fn whole(&mut self, node: &Node, way: Way, kept: &str) {
        let Some(reference) = node.text().and_then(|text| text.strip_prefix(kept)) else { return };
        let (name, now) = parts(reference.trim());
        if self.wanted.is_named(name) {
            let value = format!("{kept}{}", self.wanted.reference());
            self.site(node, now.to_owned(), vec![(way, value, false)]);
        }
    }

    fn site(&mut self, node: &Node, now: String, values: Vec<(Way, String, bool)>) {
        let document = self.document;
        let change = |(way, value, may_add)| Change { document, way, value, may_add };
        self.sites.push(Site { line: node.line, now, changes: values.into_iter().map(change).collect() });
    }

    /// `images` of a kustomization: a digest counts more there than a tag (kustomize, `imagetag`).
    fn kustomization(&mut self, root: &Node, way: &Way) -> Result<(), Refusal> {
        let Some((images, way)) = reach(root, way, &["images"])? else { return Ok(()) };
        for (index, entry) in images.list().iter().enumerate() {
            let way = way.at(index);
            let text = |key| Ok::<_, Refusal>(entry.get(key)?.and_then(Node::text));
            let (name, new_name) = (text("name")?, text("newName")?);
            let by_name = name.is_some_and(|name| self.wanted.is_named(name));
            if !by_name && !new_name.is_some_and(|name| self.wanted.is_repository(name)) {
                continue;
            }
            if entry.merges() {
                return Err(Refusal::new(entry.line, Reason::Merge));
            }
            let (tag, digest) = (entry.get("newTag")?, entry.get("digest")?);
            let mut values = Vec::new();
            if new_name.is_some() || !name.is_some_and(|name| self.wanted.is_repository(name)) {
                values.push((way.to("newName"), self.wanted.repository.to_string(), true));
            }
            if let Some(new) = &self.wanted.tag
                && (tag.is_some() || digest.is_none())
            {
                values.push((way.to("newTag"), new.to_string(), true));
            }
            match (&self.wanted.digest, digest) {
                (Some(new), _) => values.push((way.to("digest"), new.to_string(), true)),
                // Another image's digest would count, whatever the tag.
                (None, Some(digest)) => return Err(Refusal::new(digest.line, Reason::Unproven)),
                (None, None) => {}
            }
            let now = |node: Option<&Node>| node.and_then(Node::text).unwrap_or_default().to_owned();
            self.site(entry, format!("{} {}", now(tag), now(digest)), values);
        }
        Ok(())
    }

    /// A chart's values: `repository` with `tag` and `digest` beside it, at any depth, or a whole reference under a key that
    /// ends in `image`.
    fn values(&mut self, node: &Node, way: &Way) -> Result<(), Refusal> {
        for (index, entry) in node.list().iter().enumerate() {
            self.values(entry, &way.at(index))?;
        }
        let repository = node.get("repository")?.and_then(Node::text);
        let registry = node.get("registry")?.and_then(Node::text).filter(|registry| !registry.is_empty());
        let is_ours = repository.is_some_and(|name| match registry {
            Some(registry) => self.wanted.is_repository(&format!("{registry}/{name}")),
            None => self.wanted.is_named(name),
        });
        if is_ours {
            self.triple(node, way, registry.is_some())?;
        }
        for (key, value) in node.map() {
            let Some(key) = key.text() else { continue };
            match &value.kind {
                Kind::Scalar(..) if key.to_lowercase().ends_with("image") => {
                    node.get(key)?;
                    self.whole(value, way.to(key), "");
                }
                Kind::Map(..) | Kind::List(_) => self.values(value, &way.to(key))?,
                Kind::Scalar(..) | Kind::Alias(_) => {}
            }
        }
        Ok(())
    }

    /// A map with `repository`, and perhaps `tag` and `digest`.
    fn triple(&mut self, node: &Node, way: &Way, has_registry: bool) -> Result<(), Refusal> {
        let (tag, digest) = (node.get("tag")?, node.get("digest")?);
        if node.merges() && (tag.is_none() || digest.is_none()) {
            return Err(Refusal::new(node.line, Reason::Merge));
        }
        let mut values = Vec::new();
        if !has_registry {
            values.push((way.to("repository"), self.wanted.repository.to_string(), false));
        }
        match (digest, &self.wanted.digest) {
            (Some(_), Some(new)) => {
                values.push((way.to("digest"), new.to_string(), false));
                if let (Some(_), Some(new)) = (tag, &self.wanted.tag) {
                    values.push((way.to("tag"), new.to_string(), false));
                }
            }
            (Some(digest), None) if digest.text().is_some_and(|text| !text.is_empty()) => {
                return Err(Refusal::new(digest.line, Reason::Unproven));
            }
            _ => match self.wanted.tag_and_digest() {
                Some(new) => values.push((way.to("tag"), new, true)),
                None => return Err(Refusal::new(node.line, Reason::NoPlace(text::words("digest")))),
            },
        }
        let now = |node: Option<&Node>| node.and_then(Node::text).unwrap_or_default().to_owned();
        self.site(node, format!("{} {}", now(tag), now(digest)), values);
        Ok(())
    }

    fn application(&mut self, root: &Node, way: &Way, to_spec: &[&str]) -> Result<(), Refusal> {
        let Some((spec, way)) = reach(root, way, to_spec)? else { return Ok(()) };
        if let Some(source) = spec.get("source")? {
            self.source(source, &way.to("source"))?;
        }
        let sources = spec.get("sources")?.map(Node::list).unwrap_or_default();
        let way = way.to("sources");
        sources.iter().enumerate().try_for_each(|(index, source)| self.source(source, &way.at(index)))
    }

    fn source(&mut self, source: &Node, way: &Way) -> Result<(), Refusal> {
        if let Some((images, way)) = reach(source, way, &["kustomize", "images"])? {
            for (index, image) in images.list().iter().enumerate() {
                let Some(text) = image.text() else { continue };
                // `NAME=NEW:TAG`: the first is what the manifests have.
                match text.split_once('=') {
                    Some((old, _)) if self.wanted.is_named(old) => {
                        let (_, now) = parts(&text[old.len() + 1..]);
                        let value = format!("{old}={}", self.wanted.reference());
                        self.site(image, now.to_owned(), vec![(way.at(index), value, false)]);
                    }
                    Some((old, _)) => self.whole(image, way.at(index), &text[..=old.len()]),
                    None => self.whole(image, way.at(index), ""),
                }
            }
        }
        if let Some((parameters, way)) = reach(source, way, &["helm", "parameters"])? {
            self.parameters(parameters, &way)?;
        }
        match reach(source, way, &["helm", "valuesObject"])? {
            Some((values, way)) => self.values(values, &way),
            None => Ok(()),
        }
    }

    /// Parameters for a chart, each with its name and its value: `image.repository`, `image.tag`.
    fn parameters(&mut self, list: &Node, way: &Way) -> Result<(), Refusal> {
        let mut named = Vec::<(&str, usize, &Node, &Node)>::new();
        for (index, entry) in list.list().iter().enumerate() {
            let Some(name) = entry.get("name")?.and_then(Node::text) else { continue };
            let Some(value) = entry.get("value")? else { continue };
            if named.iter().any(|(known, ..)| *known == name) {
                return Err(Refusal::new(entry.line, Reason::Twice(text::words(name))));
            }
            named.push((name, index, entry, value));
        }
        for &(name, index, _, value) in &named {
            let place = |index: usize| way.at(index).to("value");
            let Some(prefix) = name.strip_suffix("repository") else {
                if name.to_lowercase().ends_with("image") {
                    self.whole(value, place(index), "");
                }
                continue;
            };
            if !value.text().is_some_and(|name| self.wanted.is_named(name)) {
                continue;
            }
            let beside = |key: &str| named.iter().find(|(name, ..)| *name == format!("{prefix}{key}"));
            let mut values = vec![(place(index), self.wanted.repository.to_string(), false)];
            let (tag, digest) = (beside("tag"), beside("digest"));
            match (digest, &self.wanted.digest) {
                (Some((_, index, ..)), Some(new)) => {
                    values.push((place(*index), new.to_string(), false));
                    if let (Some((_, index, ..)), Some(new)) = (tag, &self.wanted.tag) {
                        values.push((place(*index), new.to_string(), false));
                    }
                }
                _ => match (tag, self.wanted.tag_and_digest()) {
                    (Some((_, index, ..)), Some(new)) => values.push((place(*index), new, false)),
                    _ => return Err(Refusal::new(value.line, Reason::NoPlace(text::words(&format!("{prefix}tag"))))),
                },
            }
            let now =
                |at: Option<&(&str, usize, &Node, &Node)>| at.and_then(|(.., node)| node.text()).unwrap_or_default().to_owned();
            self.site(value, format!("{} {}", now(tag), now(digest)), values);
        }
        Ok(())
    }
}

/// What is at the end of these keys, where they are all there.
fn reach<'a>(root: &'a Node, way: &Way, keys: &[&str]) -> Result<Option<(&'a Node, Way)>, Refusal> {
    let (mut node, mut way) = (root, way.clone());
    for key in keys {
        let Some(next) = node.get(key)? else { return Ok(None) };
        (node, way) = (next, way.to(key));
    }
    Ok(Some((node, way)))
}
