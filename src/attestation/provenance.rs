//! How an image was built: SLSA provenance, version 1 (<https://slsa.dev/spec/v1.1/provenance>).
//!
//! What GitHub's own attestations say of a run is said here under the same names (`workflow`, `github`), so that a policy for
//! one reads the other.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::build::Build;
use crate::environment::Environment;
use crate::materials::Materials;
use crate::provenance::Parameters;
use crate::record::Source;
use crate::text;

/// The type of build, which `docs/attestations.md` describes. A change of the parameters that a reader could notice changes it.
pub(crate) const BUILD_TYPE: &str = "https://gp-deliver.dev/build/v1";

/// The builder of a delivery outside GitHub Actions: a machine that nobody vouches for.
pub(crate) const LOCAL_BUILDER: &str = "https://gp-deliver.dev/builder/local/v1";

/// How gp-deliver built an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Provenance {
    /// What was built.
    pub(crate) build_definition: BuildDefinition,
    /// By whom, and when.
    pub(crate) run_details: RunDetails,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildDefinition {
    /// [`BUILD_TYPE`].
    pub(crate) build_type: String,
    /// What the team decides.
    pub(crate) external_parameters: ExternalParameters,
    /// What follows from where it was built.
    pub(crate) internal_parameters: InternalParameters,
    /// The source, and what the build names.
    #[serde(default)]
    pub(crate) resolved_dependencies: Vec<Dependency>,
}

/// What the team decides. A verifier refuses what it does not know here (SLSA, "externalParameters").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExternalParameters {
    /// The workflow that ran; absent outside GitHub Actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) workflow: Option<Workflow>,
    /// Where the source is from; absent where nobody vouches for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Origin>,
    /// The environment that the image was built for, which its annotations name.
    pub(crate) environment: Environment,
    /// What of the source was built.
    pub(crate) build: Build,
}

/// Where the source is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    /// The address of the repository.
    pub(crate) repository: String,
    /// The full ref.
    #[serde(rename = "ref")]
    pub(crate) reference: String,
}

impl Origin {
    /// The dependency that it is (SPDX, "Package download location field").
    fn uri(&self) -> String {
        format!("git+{}@{}", self.repository, self.reference)
    }
}

/// A workflow of GitHub Actions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workflow {
    /// The ref that its file was taken from.
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    /// The address of its repository.
    pub(crate) repository: String,
    /// Its file.
    pub(crate) path: String,
}

/// What follows from where it was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InternalParameters {
    /// What GitHub says of the run; absent outside GitHub Actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) github: Option<Github>,
    /// The version of gp-deliver.
    pub(crate) gp_deliver: String,
    /// How much the dependencies say.
    pub(crate) dependencies: Extent,
}

/// What GitHub says of a run, under its own names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Github {
    /// `push`, `workflow_dispatch`, …
    pub(crate) event_name: String,
    /// The repository's number, which stays when it is renamed.
    pub(crate) repository_id: String,
    /// Its owner's.
    pub(crate) repository_owner_id: String,
    /// That of whoever started the run.
    pub(crate) actor_id: String,
    /// `github-hosted` or `self-hosted`.
    pub(crate) runner_environment: String,
}

/// How much the dependencies say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Extent {
    /// Whether all that the build names is listed with its digest.
    pub(crate) complete: bool,
    /// Why it is not; empty where it is.
    pub(crate) unknown: BTreeSet<String>,
    /// Whether a step could reach the network, and so fetch what is not named. Absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<bool>,
}

/// Something that the build was made from (in-toto, `resource_descriptor.md`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Dependency {
    /// What names it.
    pub(crate) uri: String,
    /// Its digest by algorithm; empty where only the name is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) digest: BTreeMap<String, String>,
}

impl Dependency {
    /// What names it whatever its bytes are, and its digest: to tell what is another than in an earlier image.
    #[must_use]
    pub(crate) fn named(&self) -> (String, Option<String>) {
        let is_digest = |part: &&str| !part.starts_with("digest=");
        let name = match self.uri.split_once('?') {
            Some((name, rest)) if name.starts_with("pkg:") => {
                let rest: Vec<_> = rest.split('&').filter(is_digest).collect();
                if rest.is_empty() { name.to_owned() } else { format!("{name}?{}", rest.join("&")) }
            }
            _ => self.uri.clone(),
        };
        (name, self.digest.iter().next().map(|(algorithm, value)| format!("{algorithm}:{value}")))
    }
}

/// By whom it was built, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunDetails {
    /// Who built it.
    pub(crate) builder: Builder,
    /// The run.
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

/// Who built it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Builder {
    /// The workflow whose job it was, as certificates name it, or [`LOCAL_BUILDER`].
    pub(crate) id: String,
}

/// A run of a builder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    /// The address of the run's attempt; absent outside GitHub Actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) invocation_id: Option<String>,
    /// When the delivery began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started_on: Option<Timestamp>,
    /// When the image was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finished_on: Option<Timestamp>,
}

/// A provenance of another type of build, as far as any says the same.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Foreign {
    pub(super) build_definition: ForeignDefinition,
    pub(super) run_details: ForeignDetails,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ForeignDefinition {
    pub(super) build_type: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct ForeignDetails {
    pub(super) builder: Builder,
}

/// What GitHub says of a run: the claims of its OIDC token, which GitHub signs, and not the variables of the job, which every
/// step before could set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// GitHub's address, without a slash: `https://github.com`.
    server: String,
    /// `OWNER/NAME`.
    repository: String,
    reference: String,
    commit: String,
    /// The file of the workflow that ran, and its ref.
    workflow: String,
    /// The file of the workflow whose job it is: a reusable one, or the same.
    job_workflow: String,
    id: String,
    attempt: String,
    github: Github,
}

/// What a provenance is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The run; none outside GitHub Actions.
    pub(crate) run: Option<&'a Run>,
    /// The source.
    pub(crate) source: &'a Source,
    /// The environment that the image was built for.
    pub(crate) environment: Environment,
    /// What of the source was built.
    pub(crate) parameters: &'a Parameters,
    /// What the image of each platform that it is about was built from; none where that is not known.
    pub(crate) materials: &'a [Materials],
    /// When the delivery began.
    pub(crate) started_on: Timestamp,
    /// When the image was there.
    pub(crate) finished_on: Timestamp,
}

impl Run {
    /// What the claims of a token say (GitHub docs, "OIDC reference"); none where one is missing that every token of
    /// a job has.
    #[must_use]
    pub(crate) fn of_claims(server: &str, claim: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let claim = |name| claim(name).filter(|value| !value.is_empty());
        let workflow = claim("workflow_ref")?;
        Some(Self {
            server: server.trim_end_matches('/').to_owned(),
            repository: claim("repository")?,
            reference: claim("ref")?,
            commit: claim("sha")?,
            job_workflow: claim("job_workflow_ref").unwrap_or_else(|| workflow.clone()),
            workflow,
            id: claim("run_id")?,
            attempt: claim("run_attempt")?,
            github: Github {
                event_name: claim("event_name")?,
                repository_id: claim("repository_id")?,
                repository_owner_id: claim("repository_owner_id")?,
                actor_id: claim("actor_id")?,
                runner_environment: claim("runner_environment")?,
            },
        })
    }

    /// The builder, as the subject of a certificate for this job has it.
    #[must_use]
    pub(crate) fn builder(&self) -> String {
        format!("{}/{}", self.server, self.job_workflow)
    }

    /// The address of the repository.
    #[must_use]
    pub(crate) fn repository(&self) -> String {
        format!("{}/{}", self.server, self.repository)
    }

    /// The full ref that it is of.
    #[must_use]
    pub(crate) fn reference(&self) -> &str {
        &self.reference
    }

    /// The address of this attempt.
    #[must_use]
    pub(crate) fn address(&self) -> String {
        format!("{}/actions/runs/{}/attempts/{}", self.repository(), self.id, self.attempt)
    }

    /// Whether an address is that of one of its attempts: failed jobs are run again in another one.
    #[must_use]
    pub(crate) fn has_attempt(&self, address: &str) -> bool {
        let attempt = address.strip_prefix(&format!("{}/actions/runs/{}/attempts/", self.repository(), self.id));
        attempt.is_some_and(|attempt| !attempt.is_empty() && attempt.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// The workflow that ran, as a certificate has it.
    #[must_use]
    pub(crate) fn workflow_address(&self) -> String {
        format!("{}/{}", self.server, self.workflow)
    }

    /// What started it.
    #[must_use]
    pub(crate) fn event(&self) -> &str {
        &self.github.event_name
    }

    /// The number of the repository, which it keeps when it is renamed.
    #[must_use]
    pub(crate) fn repository_id(&self) -> &str {
        &self.github.repository_id
    }

    /// The run's number.
    #[must_use]
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    fn workflow(&self) -> Workflow {
        // No name of a file has a slash in it, so the first is the ref's.
        let at = self.workflow.find("@refs/").or_else(|| self.workflow.rfind('@')).unwrap_or(self.workflow.len());
        let (file, reference) = self.workflow.split_at(at);
        // `OWNER/NAME/PATH`; the file may be in another repository than the run's.
        let owner = file.find('/').map_or(0, |at| at + 1);
        let name = file[owner..].find('/').map_or(file.len(), |at| owner + at);
        Workflow {
            reference: reference.strip_prefix('@').unwrap_or(reference).to_owned(),
            repository: format!("{}/{}", self.server, &file[..name]),
            path: file[name..].trim_start_matches('/').to_owned(),
        }
    }
}

impl Provenance {
    /// How an image was built. Texts of the project lose the secrets that are known.
    #[must_use]
    pub(crate) fn of(facts: &Facts<'_>) -> Self {
        let mut unknown: BTreeSet<_> = facts.materials.iter().flat_map(|materials| materials.unknown.clone()).collect();
        if facts.materials.is_empty() {
            unknown.insert("it is not known what the image was built from".to_owned());
        }
        let (origin, source) = source(facts, &mut unknown);
        let named: BTreeSet<_> = facts.materials.iter().flat_map(|materials| &materials.named).map(Dependency::from).collect();
        let network = facts.materials.iter().map(|materials| materials.network).reduce(|one, other| one || other);
        Self {
            build_definition: BuildDefinition {
                build_type: BUILD_TYPE.to_owned(),
                external_parameters: ExternalParameters {
                    workflow: facts.run.map(Run::workflow),
                    source: origin,
                    environment: facts.environment,
                    build: facts.parameters.into(),
                },
                internal_parameters: InternalParameters {
                    github: facts.run.map(|run| run.github.clone()),
                    gp_deliver: env!("CARGO_PKG_VERSION").to_owned(),
                    dependencies: Extent {
                        complete: unknown.is_empty(),
                        unknown: unknown.iter().map(|why| text::redacted(why).into_owned()).collect(),
                        network,
                    },
                },
                resolved_dependencies: source.into_iter().chain(named).collect(),
            },
            run_details: RunDetails {
                builder: Builder { id: facts.run.map_or_else(|| LOCAL_BUILDER.to_owned(), Run::builder) },
                metadata: Metadata {
                    invocation_id: facts.run.map(Run::address),
                    started_on: Some(facts.started_on),
                    finished_on: Some(facts.finished_on),
                },
            },
        }
    }

    /// How an image was built that is made of others, each of which was built as one of `parts` says.
    #[must_use]
    pub(crate) fn of_parts(facts: &Facts<'_>, parts: &[Self]) -> Self {
        // What each was built from is what the whole was; the source alone is this run's to say.
        let nothing = Materials { named: BTreeSet::new(), unknown: BTreeSet::new(), network: false };
        let mut whole = Self::of(&Facts { materials: &[nothing], ..*facts });
        let definitions = || parts.iter().map(|part| &part.build_definition);
        let dependencies = &mut whole.build_definition.resolved_dependencies;
        let named: BTreeSet<_> = definitions().flat_map(|part| &part.resolved_dependencies).cloned().collect();
        let missing: Vec<_> = named.into_iter().filter(|dependency| !dependencies.contains(dependency)).collect();
        dependencies.extend(missing);
        let Extent { complete, unknown, network } = &mut whole.build_definition.internal_parameters.dependencies;
        let extents = || definitions().map(|part| &part.internal_parameters.dependencies);
        unknown.extend(extents().flat_map(|extent| extent.unknown.iter().cloned()));
        *complete = unknown.is_empty() && extents().all(|extent| extent.complete);
        // One that is not known may have had it.
        *network = extents().map(|extent| extent.network).reduce(|one, other| Some(one? || other?)).flatten();
        whole
    }

    /// Whether it is of a run, whichever of its attempts.
    #[must_use]
    pub(crate) fn is_of_run(&self, run: &Run) -> bool {
        let Self { run_details: RunDetails { builder, metadata }, .. } = self;
        builder.id == run.builder() && metadata.invocation_id.as_deref().is_some_and(|address| run.has_attempt(address))
    }

    /// What the build names besides the source, to be compared with that of another image.
    #[must_use]
    pub(crate) fn sources(&self) -> BTreeMap<String, Option<String>> {
        let source = self.build_definition.external_parameters.source.as_ref().map(Origin::uri);
        let dependencies = &self.build_definition.resolved_dependencies;
        let of_source = usize::from(dependencies.first().is_some_and(|first| Some(&first.uri) == source.as_ref()));
        dependencies[of_source..].iter().map(Dependency::named).collect()
    }

    /// The commit of the source, where a run vouches for it.
    #[must_use]
    pub(crate) fn commit(&self) -> Option<&str> {
        let uri = self.build_definition.external_parameters.source.as_ref()?.uri();
        // It comes before what the build names, which may be the same repository.
        let source = self.build_definition.resolved_dependencies.first().filter(|first| first.uri == uri)?;
        source.digest.get("gitCommit").map(String::as_str)
    }
}

/// What a build names, as [`Provenance::sources`] has it.
#[must_use]
pub(crate) fn sources(materials: &[Materials]) -> BTreeMap<String, Option<String>> {
    materials.iter().flat_map(|materials| &materials.named).map(|named| Dependency::from(named).named()).collect()
}

/// Where the source is from, and the source; or else why it is not known which bytes it had.
fn source(facts: &Facts<'_>, unknown: &mut BTreeSet<String>) -> (Option<Origin>, Option<Dependency>) {
    let Source { commit, dirty, .. } = facts.source;
    let why = match (commit, facts.run) {
        (None, _) => "the source is in no commit",
        (Some(_), None) => "nobody vouches for where the source is from",
        (Some(commit), Some(run)) if run.commit != *commit => "the source is of another commit than the run",
        (Some(commit), Some(run)) => {
            if *dirty {
                unknown.insert("the source has changes that are in no commit".to_owned());
            }
            let origin = Origin { repository: run.repository(), reference: run.reference.clone() };
            let digest = BTreeMap::from([("gitCommit".to_owned(), commit.clone())]);
            let source = Dependency { uri: origin.uri(), digest };
            return (Some(origin), Some(source));
        }
    };
    unknown.insert(why.to_owned());
    (None, None)
}

impl From<&crate::materials::Material> for Dependency {
    fn from(material: &crate::materials::Material) -> Self {
        let digest = material.digest().map(|(algorithm, value)| (algorithm.to_owned(), value));
        Self { uri: text::redacted(&material.uri()).into_owned(), digest: digest.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;

    #[test]
    fn a_run_is_what_the_claims_of_its_token_say() {
        let run = examples::run();
        assert_eq!(run.builder(), "https://github.com/acme/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1");
        assert_eq!(run.address(), "https://github.com/team/app/actions/runs/1234567890/attempts/1");
        let workflow = run.workflow();
        assert_eq!(workflow.repository, "https://github.com/team/app");
        assert_eq!((&*workflow.path, &*workflow.reference), (".github/workflows/delivery.yml", "refs/heads/main"));
        for missing in ["repository", "ref", "sha", "workflow_ref", "run_id", "run_attempt", "event_name", "runner_environment"] {
            for absent in [None, Some(String::new())] {
                let claims = |name: &str| if name == missing { absent.clone() } else { examples::claim(name) };
                assert_eq!(Run::of_claims("https://github.com", claims), None, "{missing}");
            }
        }
    }

    #[test]
    fn a_job_of_the_teams_own_workflow_is_built_by_that_workflow() {
        let claims = |name: &str| if name == "job_workflow_ref" { None } else { examples::claim(name) };
        let run = Run::of_claims("https://github.com/", claims).unwrap();
        assert_eq!(run.builder(), "https://github.com/team/app/.github/workflows/delivery.yml@refs/heads/main");
    }

    #[test]
    fn a_path_and_a_ref_with_signs_in_them_are_told_apart() {
        let of = |workflow: &str| Run { workflow: workflow.to_owned(), ..examples::run() }.workflow();
        let workflow = of("team/app/.github/workflows/a@b.yml@refs/heads/x@y");
        assert_eq!((&*workflow.path, &*workflow.reference), (".github/workflows/a@b.yml", "refs/heads/x@y"));
        assert_eq!(of("other/rules/.github/workflows/a.yml@refs/tags/v1").repository, "https://github.com/other/rules");
    }

    #[test]
    fn what_is_not_known_is_never_called_complete() {
        let (parameters, source, materials) = (examples::parameters(), examples::source(), [examples::materials()]);
        let run = examples::run();
        let extent = |facts: Facts<'_>| Provenance::of(&facts).build_definition.internal_parameters.dependencies;
        let facts = examples::provenance_facts(&run, &source, &parameters, &materials);
        assert_eq!(extent(facts), Extent { complete: true, unknown: BTreeSet::new(), network: Some(true) });
        let no_commit = Source { commit: None, ..source.clone() };
        let dirty = Source { dirty: true, ..source.clone() };
        let other = Source { commit: Some("0".repeat(40)), ..source.clone() };
        let unknown = [examples::materials(), Materials { unknown: BTreeSet::from(["x".to_owned()]), ..examples::materials() }];
        for facts in [
            Facts { materials: &[], ..facts },
            Facts { materials: &unknown, ..facts },
            Facts { run: None, ..facts },
            Facts { source: &no_commit, ..facts },
            Facts { source: &dirty, ..facts },
            Facts { source: &other, ..facts },
        ] {
            let extent = extent(facts);
            assert!(!extent.complete && extent.unknown.len() == 1, "{extent:?}");
        }
    }

    #[test]
    fn a_dependency_has_one_name_whatever_its_bytes_are() {
        let named = |uri: &str| Dependency { uri: uri.to_owned(), digest: BTreeMap::new() }.named().0;
        let debian = "pkg:docker/debian@12?platform=linux%2Famd64";
        assert_eq!(named("pkg:docker/debian@12?digest=sha256:aa&platform=linux%2Famd64"), debian);
        assert_eq!(named("pkg:docker/debian@12?digest=sha256:aa"), "pkg:docker/debian@12");
        assert_eq!(named("https://example.com/a?digest=b"), "https://example.com/a?digest=b");
        let digest = BTreeMap::from([("gitCommit".to_owned(), "c".to_owned())]);
        let source = Dependency { uri: "git+https://example.com/a@b".to_owned(), digest };
        assert_eq!(source.named(), ("git+https://example.com/a@b".to_owned(), Some("gitCommit:c".to_owned())));
    }

    #[test]
    fn a_run_is_known_by_each_of_its_attempts_and_by_no_others() {
        let run = examples::run();
        let address = run.address();
        let (of_run, attempt) = address.rsplit_once('/').unwrap();
        assert!(run.has_attempt(&address) && run.has_attempt(&format!("{of_run}/{attempt}7")));
        for other in [
            format!("{of_run}/"),
            format!("{of_run}/1/2"),
            format!("{of_run}/x"),
            of_run.to_owned(),
            address.replace("/attempts", "0/attempts"),
            address.replace("https://", "https://evil.example/"),
            format!("{address} "),
        ] {
            assert!(!run.has_attempt(&other), "{other}");
        }
        let other = Run { id: format!("{}0", run.id), ..run.clone() };
        assert!(!run.has_attempt(&other.address()));
    }

    #[test]
    fn an_image_of_several_is_built_from_what_each_was_built_from_and_no_surer() {
        let (run, parameters, source, materials) =
            (examples::run(), examples::parameters(), examples::source(), [examples::materials()]);
        let facts = examples::provenance_facts(&run, &source, &parameters, &materials);
        let part = |unknown: Option<&str>, uri: &str, network| {
            let mut part = Provenance::of(&facts);
            let definition = &mut part.build_definition;
            definition.resolved_dependencies.push(Dependency { uri: uri.to_owned(), digest: BTreeMap::new() });
            let extent = &mut definition.internal_parameters.dependencies;
            *extent = Extent { complete: unknown.is_none(), unknown: unknown.map(str::to_owned).into_iter().collect(), network };
            part
        };
        let whole = |parts: &[Provenance]| Provenance::of_parts(&facts, parts).build_definition;
        let both = whole(&[part(None, "pkg:a", Some(false)), part(None, "pkg:b", Some(true))]);
        let named: Vec<_> = both.resolved_dependencies.iter().map(|one| &*one.uri).collect();
        assert!(named[0].starts_with("git+") && named.contains(&"pkg:a") && named.contains(&"pkg:b"), "{named:?}");
        assert_eq!(named.iter().filter(|one| one.starts_with("git+")).count(), 1);
        let extent = both.internal_parameters.dependencies;
        assert_eq!((extent.complete, extent.network), (true, Some(true)));
        let unsure = whole(&[part(None, "pkg:a", Some(false)), part(Some("why"), "pkg:b", None)]);
        let extent = unsure.internal_parameters.dependencies;
        assert_eq!((extent.complete, extent.network, extent.unknown.len()), (false, None, 1));
    }

    #[test]
    fn the_commit_is_the_runs_and_none_that_a_dockerfile_adds() {
        let (parameters, source, run) = (examples::parameters(), examples::source(), examples::run());
        let added = crate::materials::Material::Git {
            url: "https://github.com/evil/x.git".to_owned(),
            reference: None,
            commit: Some("e".repeat(40)),
        };
        let materials = [Materials { named: BTreeSet::from([added]), unknown: BTreeSet::new(), network: true }];
        let facts = examples::provenance_facts(&run, &source, &parameters, &materials);
        let mut provenance = Provenance::of(&facts);
        assert_eq!(provenance.commit(), source.commit.as_deref());
        provenance.build_definition.resolved_dependencies.reverse();
        assert_eq!(provenance.commit(), None);
        let no_commit = Source { commit: None, ..source.clone() };
        assert_eq!(Provenance::of(&Facts { run: None, ..facts }).commit(), None);
        assert_eq!(Provenance::of(&Facts { source: &no_commit, ..facts }).commit(), None);
    }
}
