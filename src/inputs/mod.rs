//! The inputs: one list, which is the command line's flags and the action's inputs at once.
//!
//! An input is one constant: its name, what it is for, its default, and the type that its text is read as. All else is made
//! from the list: `--help`, `action.yml`, the documentation. The room `config` asks for each by its constant.

mod amazon;
mod annotation;
mod assembly;
mod build;
mod cluster;
mod environments;
mod given;
mod history;
mod input;
mod problem;
mod signing;
mod suppressions;
mod value;

use std::path::PathBuf;

use semver::Version;

pub(crate) use self::amazon::{EcrRepository, Region, Role, Seconds, SessionName, SessionPolicy};
pub(crate) use self::annotation::AnnotationLine;
pub(crate) use self::assembly::ListedImage;
pub(crate) use self::build::{Argument, Property, SecretLine, SecretPlace, SshLine};
pub(crate) use self::cluster::Branch;
pub(crate) use self::environments::{Environments, Own};
pub(crate) use self::given::{Inputs, without_line_ends};
pub(crate) use self::history::History;
pub(crate) use self::input::{About, Group, Input};
pub(crate) use self::problem::Problem;
pub(crate) use self::signing::{Document, KeySource, Sign, TrustedKey};
pub(crate) use self::suppressions::Suppressions;
pub(crate) use self::value::{Lines, Value};

use crate::aws::{AccountId, KeyArn};
use crate::buildkit::cache::{Backend, Repositories, Scope};
use crate::buildkit::cache_folder::Folders;
use crate::buildkit::contexts::NamedContext;
use crate::buildkit::fleet::Fleet;
use crate::buildkit::namespace::BuilderCache;
use crate::buildkit::options::{Bytes, Host, Limit, Network};
use crate::coverage::{Acceptance, JudgedBy};
use crate::environment;
use crate::finding::Severity;
use crate::github::{self, JobResult};
use crate::gitops;
use crate::metrics;
use crate::oci::{Compression, Digest, Platform};
use crate::process::Demand;
use crate::provenance::Trust;
use crate::publish::Destination;
use crate::registry_scan::{self, Patience};
use crate::scan::database::{MaxAge, Mirror};
use crate::scan::syft::Format;
use crate::secret::Secret;
use crate::tags::Template;

/// Makes a constant of each input, and the list of them.
macro_rules! inputs {
    ($($name:ident: $type:ty = $input:expr;)+) => {
        $(pub(crate) const $name: Input<$type> = $input;)+

        /// All inputs of a delivery, in the order of `--help` and of the documentation.
        pub(crate) const ALL: &[&About] = &[$(&$name.about),+];
    };
}

inputs! {
    ENVIRONMENT: environment::Choice =
        Input::new("environment", Group::Delivery, "NAME", environment::Choice::HELP)
            .default(environment::Choice::AUTO);
    VERSION: Option<Version> =
        Input::new("version", Group::Delivery, "SEMVER", "The version for the {version}, {major} and {minor} tags")
            .otherwise("the v* tag that is delivered");

    BUILD_CONTEXT: PathBuf =
        Input::new("build-context", Group::Build, "FOLDER", "The folder that the Dockerfile copies from")
            .default(".");
    DOCKERFILE_PATH: Option<PathBuf> =
        Input::new("dockerfile-path", Group::Build, "FILE", "The Dockerfile")
            .otherwise("Dockerfile in the build context");
    BUILD_CONTEXTS: Lines<NamedContext> =
        Input::new("build-contexts", Group::Build, "LINES",
            "What FROM, COPY --from and RUN --mount=from= take by a name, one per line: NAME=FOLDER (of the source), \
             NAME=docker-image://REFERENCE or NAME=oci-layout://FOLDER[:TAG][@DIGEST]; Docker 20.10 can't be asked");
    BUILD_TARGET: Option<String> =
        Input::new("build-target", Group::Build, "STAGE", "The Dockerfile stage to build")
            .otherwise("the last stage");
    BUILD_ARGS: Lines<Argument> =
        Input::new("build-args", Group::Build, "LINES",
            "Values for ARG, one per line: NAME=VALUE, or NAME to take it from the environment");
    BUILD_SECRETS: Lines<SecretLine> =
        Input::new("build-secrets", Group::Build, "LINES",
            "Secrets for RUN --mount=type=secret, one per line: id=NAME,env=VAR or id=NAME,src=PATH");
    SSH: Lines<SshLine> =
        Input::new("ssh", Group::Build, "LINES",
            "SSH agents for RUN --mount=type=ssh, one per line: default (or another ID) for the agent at SSH_AUTH_SOCK, or \
             ID=SOCKET");
    CHECK_TARGETS: Vec<String> =
        Input::new("check-targets", Group::Build, "STAGES",
            "Other Dockerfile stages that must build (lint, tests), separated by commas or newlines");
    NO_CACHE: bool =
        Input::new("no-cache", Group::Build, "true|false",
            "Run each step anew, whatever the builder has of it; an image of this commit that is delivered is taken all the \
             same (see reuse)")
            .default("false");
    PULL: bool =
        Input::new("pull", Group::Build, "true|false",
            "Ask the registry what the tags of base images name, whatever the builder has")
            .default("false");
    ADD_HOSTS: Vec<Host> =
        Input::new("add-hosts", Group::Build, "LIST", "Hosts that steps know besides: NAME=ADDRESS");
    NETWORK: Option<Network> =
        Input::new("network", Group::Build, "none|host",
            "What steps reach: none, or host for what the builder's own machine reaches, its local services among it; a \
             buildkitd has to allow that (--allow-insecure-entitlement network.host)")
            .otherwise("as the builder is set up");
    SHM_SIZE: Option<Bytes> =
        Input::new("shm-size", Group::Build, "SIZE", "How large /dev/shm of steps is: 64m, 1g; Docker 20.10 can't be asked")
            .otherwise("as the builder has it");
    ULIMIT: Vec<Limit> =
        Input::new("ulimit", Group::Build, "LIST",
            "What the processes of steps are held to: NAME=SOFT[:HARD], such as nofile=1024:2048; Docker 20.10 can't be asked");
    REPRODUCIBLE: bool =
        Input::new("reproducible", Group::Build, "true|false",
            "Date the image by its commit, or by SOURCE_DATE_EPOCH in build-args, and with a buildkitd or Docker's containerd store \
             each of its own layers by the last commit that changed what it is made from, so that the same commit and base give \
             the same digest")
            .default("true");
    PLATFORMS: Vec<Platform> =
        Input::new("platforms", Group::Build, "LIST", "Platforms to build for, such as linux/amd64,linux/arm64")
            .otherwise("the builder's own");
    LABELS: Lines<Property> =
        Input::new("labels", Group::Build, "LINES", "Labels of the image, one per line: KEY=VALUE");
    ANNOTATIONS: Lines<AnnotationLine> =
        Input::new("annotations", Group::Build, "LINES",
            "Annotations of the manifests, one per line: KEY=VALUE, or with a place as buildx has it: manifest:KEY=VALUE");
    COMPRESSION: Compression =
        Input::new("compression", Group::Build, "NAME", "How new layers are compressed: gzip or zstd")
            .default("gzip");
    BUILDKIT_HOST: Option<Fleet> =
        Input::new("buildkit-host", Group::Build, "LINES",
            "Standalone buildkitds, one per line: unix:///PATH or tcp://HOST:PORT for all platforms that no other line names, or \
             PLATFORM=ADDRESS for one. Several for the same are a list: the first that answers builds, in an order that is the \
             same for the same repository and Dockerfile, and the next where it dies")
            .otherwise("the Docker engine's BuildKit");
    BUILDKIT_CERTIFICATES: Option<PathBuf> =
        Input::new("buildkit-certificates", Group::Build, "FOLDER",
            "For buildkitds with mutual TLS, the same for all of them: the folder with ca.pem, cert.pem and key.pem");
    BUILDER_CACHE: BuilderCache =
        Input::new("builder-cache", Group::Build, "auto|isolated|own|shared",
            "Who uses the cache mounts and cached steps in the builder: isolated (the same repository and environment, and \
             what is not published apart from what is), own (nobody else: the builder is this job's alone and ends with it), \
             shared, or auto (own with the Docker engine of a GitHub-hosted runner, else isolated)")
            .default("auto");
    CACHE: Backend =
        Input::new("cache", Group::Build, "auto|off|registry|gha|local",
            "The build cache outside of the builder, where the builder is the job's own (builder-cache): auto (gha in GitHub \
             Actions, else registry where cache-repository is given, else local where cache-folder is), off, registry, gha (the \
             cache of GitHub Actions) or local (a folder of this machine). A pull request reads it and never writes; where findings only advise, auto takes \
             nothing from it for an image that is signed")
            .default("auto");
    CACHE_REPOSITORY: Option<Repositories> =
        Input::new("cache-repository", Group::Build, "HOST[:PORT]/NAME",
            "The repository of the build cache. {env} in its name stands for the environment: where findings block, only such a \
             repository is read, since whoever may push to it decides what is built");
    CACHE_FOLDER: Option<Folders> =
        Input::new("cache-folder", Group::Build, "FOLDER",
            "The folder of a local build cache: outside of the source, and this user's alone to write to. {env} in it stands for the \
             environment: where findings block, only such a folder is read, and only what gp-deliver has written there")
            .otherwise("build-cache/{env} in gp-deliver's folder of the user's cache");
    CACHE_SCOPE: Option<Scope> =
        Input::new("cache-scope", Group::Build, "NAME", "The name under which builds share a cache")
            .otherwise("one for each repository, context, Dockerfile and stage");

    SECRETS_HISTORY: History =
        Input::new("secrets-history", Group::Scan, "RANGE",
            "Commits to scan for secrets: auto (full where leaks block, else push in GitHub Actions, and on a laptop what no earlier delivery has cleared), push, full, none")
            .default("auto");
    SUPPRESSIONS: Suppressions =
        Input::new("suppressions", Group::Scan, "WHOSE",
            "Whose lists of what is let through count: auto (base in a workflow where findings block, else head), base, head, or \
             a full commit id")
            .default("auto");
    SEVERITY_THRESHOLD: Severity =
        Input::new("severity-threshold", Group::Scan, "SEVERITY",
            "The lowest severity that counts: CRITICAL, HIGH, MEDIUM, LOW, UNKNOWN")
            .default("HIGH");
    IGNORE_UNFIXED: bool =
        Input::new("ignore-unfixed", Group::Scan, "true|false", "Do not count vulnerabilities without a fix")
            .default("false");
    TRIVY_DB_REPOSITORY: Vec<Mirror> =
        Input::new("trivy-db-repository", Group::Scan, "LIST",
            "Where the vulnerability database is, tried in order: HOST/NAME[:TAG] or oci:PATH[:TAG]")
            .otherwise("trivy's own mirrors");
    TRIVY_JAVA_DB_REPOSITORY: Vec<Mirror> =
        Input::new("trivy-java-db-repository", Group::Scan, "LIST",
            "Where the database for Java archives is; used only if the image has some")
            .otherwise("trivy's own mirrors");
    DATABASE_MAX_AGE: Option<MaxAge> =
        Input::new("database-max-age", Group::Scan, "AGE",
            "How old the vulnerability database may be, by when its advisories were gathered: 48h, 2d")
            .otherwise("48h where vulnerabilities block; elsewhere an old one is a warning");
    ACCEPT_UNSCANNED: Lines<Acceptance> =
        Input::new("accept-unscanned", Group::Scan, "LINES",
            "What may be in the image without being judged, one per line with a reason: a path (* and ** as usual), a \
             distribution, a package or a type of package as the report names it, or ecr-scan (an image that Amazon ECR's own \
             scan does not support), NAME: REASON");
    SANDBOX: Demand =
        Input::new("sandbox", Group::Scan, "WHEN",
            "What gitleaks, trivy, syft and git are shut in: auto (all parts that the machine has), require (all parts, or \
             nothing is started) or off")
            .default("auto");
    SBOM_FORMATS: Vec<Format> =
        Input::new("sbom-formats", Group::Scan, "LIST", "SBOM formats to write: spdx-json, cyclonedx-json")
            .default("spdx-json,cyclonedx-json");

    TAGS: Option<Vec<Template>> =
        Input::new("tags", Group::Publish, "TEMPLATES", "Tag templates, separated by commas or newlines; see TAGS below")
            .otherwise("{sha},{env}-{sha}, and {version} where there is one");
    DESTINATION: Option<Destination> =
        Input::new("destination", Group::Publish, "WHERE",
            "Where the image goes: oci:PATH for a layout folder, or HOST[:PORT]/NAME for a registry")
            .otherwise("oci:image in the report folder");
    PUBLISH: bool =
        Input::new("publish", Group::Publish, "true|false", "Publish the image; false only builds, scans and decides")
            .default("true");
    REUSE: Option<Trust> =
        Input::new("reuse", Group::Publish, "TRUST",
            "Which image of this commit in the registry is taken instead of built: proven (by a verdict that this workflow has \
             signed), claimed (by its own word), never")
            .otherwise("proven where findings block, else claimed");
    EXPECTED_DIGEST: Option<Digest> =
        Input::new("expected-digest", Group::Publish, "DIGEST",
            "What another builder has come to: an image with another digest ends the delivery before anything of it leaves the \
             machine")
            .otherwise("whatever the build comes to");
    UNTAGGED: bool =
        Input::new("untagged", Group::Publish, "true|false",
            "Publish the image of one platform by its digest, signed and without a tag, for assemble to take")
            .default("false");

    SIGN: Sign =
        Input::new("sign", Group::Sign, "HOW",
            "By what the image is signed: auto (from test up, where the job has id-token: write and the repository is public or a \
             private Sigstore is named, or with kms-key), keyless (by sigstore.dev or a private Sigstore, whatever the \
             repository), github (GitHub's own instance, which has no public log), kms (by kms-key, with no log) or off")
            .default("auto");
    KMS_KEY: Option<KeyArn> =
        Input::new("kms-key", Group::Sign, "ARN",
            "The key of AWS KMS that signs for this environment and for no other: the ARN of a key of the kind ECC_NIST_P256, or \
             of its alias");
    TRUSTED_KEYS: Lines<TrustedKey> =
        Input::new("trusted-keys", Group::Sign, "LINES",
            "Whose keys count besides, one per line with the environment that each speaks for: ENVIRONMENT=KEY, with the key as an \
             ARN of AWS KMS, a file of PEM or the content of one. Whoever may use such a key decides what is taken for a commit's: \
             keep the list out of the repository, in a variable of the organization");
    SIGSTORE_SIGNING_CONFIG: Option<Document> =
        Input::new("sigstore-signing-config", Group::Sign, "JSON",
            "A private Sigstore's signing configuration, which names its services: JSON, or a file with it");
    SIGSTORE_TRUSTED_ROOT: Option<Document> =
        Input::new("sigstore-trusted-root", Group::Sign, "JSON",
            "The trusted root of that Sigstore, which has its keys: JSON, or a file with it. Whoever can change it decides what \
             is proven: keep it out of the repository, in a variable of the organization");
    GITHUB_ATTESTATIONS: github::Demand =
        Input::new("github-attestations", Group::Sign, "WHEN",
            "Whether what a delivery signs is among the repository's attestations at GitHub too, for gh attestation verify: auto \
             (where there is a token; a refusal is a warning), required (a refusal fails the delivery before a tag can be seen, \
             from test up) or off")
            .default("auto");

    ECR_REPOSITORY: Option<EcrRepository> =
        Input::new("ecr-repository", Group::Aws, "NAME",
            "The Amazon ECR repository that the image goes to, in place of a destination: NAME, or HOST/NAME");
    ROLE_TO_ASSUME: Option<Role> =
        Input::new("role-to-assume", Group::Aws, "ARN",
            "The role for the run's OIDC token: its ARN, or its name with aws-account-id; outside GitHub Actions the usual AWS \
             credentials serve instead");
    AWS_REGION: Option<Region> =
        Input::new("aws-region", Group::Aws, "REGION", "The region of the repository")
            .otherwise("that of ecr-repository, else the AWS SDK's");
    AWS_ACCOUNT_ID: Option<AccountId> =
        Input::new("aws-account-id", Group::Aws, "ID", "The account of the repository")
            .otherwise("the role's account");
    ALLOWED_ACCOUNT_IDS: Vec<AccountId> =
        Input::new("allowed-account-ids", Group::Aws, "LIST", "The accounts that the credentials may belong to")
            .otherwise("that of aws-account-id");
    CREATE_REPOSITORY: bool =
        Input::new("create-repository", Group::Aws, "true|false", "Create the repository if there is none")
            .default("false");
    ECR_SCAN: registry_scan::Demand =
        Input::new("ecr-scan", Group::Aws, "off|report|gate",
            "What is done with Amazon ECR's own scan of the image that was pushed: off, report (it is waited for once the tags are \
             there, and told beside trivy's), or gate (before a tag is there: where vulnerabilities block, what it finds blocks \
             too, and so does the want of a result)")
            .default("off");
    ECR_SCAN_WAIT: Patience =
        Input::new("ecr-scan-wait", Group::Aws, "TIME", "How long that scan is waited for at most: 90s, 10m, 1h")
            .default("10m");
    ROLE_SESSION_NAME: Option<SessionName> =
        Input::new("role-session-name", Group::Aws, "NAME", "The session's name in AWS's logs")
            .otherwise("made of the repository and the run");
    ROLE_DURATION_SECONDS: Seconds =
        Input::new("role-duration-seconds", Group::Aws, "SECONDS", "How long credentials last before they are renewed")
            .default("3600");
    AUDIENCE: String =
        Input::new("audience", Group::Aws, "NAME", "The audience of the OIDC token")
            .default("sts.amazonaws.com");
    SESSION_POLICY: Option<SessionPolicy> =
        Input::new("session-policy", Group::Aws, "JSON", "A policy that narrows what the role may do");

    GITOPS_REPOSITORY: Option<gitops::RepositoryName> =
        Input::new("gitops-repository", Group::Cluster, "REPOSITORY",
            "The repository that a cluster is brought to, at GitHub (OWNER/NAME) or at another git server (its https address): once the \
             tags are set, its files name the published image");
    GITOPS_PATH: Lines<gitops::Place> =
        Input::new("gitops-path", Group::Cluster, "LINES",
            "The files there, one per line: a path, or a pattern with * and **. With #WAY behind it the value is at that way \
             (web.containers[0].image), and not looked for by the image's name");
    GITOPS_IMAGE: Option<String> =
        Input::new("gitops-image", Group::Cluster, "NAME", "What these files call the image, such as web in a kustomization.yaml")
            .otherwise("its repository, HOST/NAME");
    GITOPS_BRANCH: Branch =
        Input::new("gitops-branch", Group::Cluster, "NAME", "The branch there")
            .default("main");
    GITOPS_MODE: gitops::Mode =
        Input::new("gitops-mode", Group::Cluster, "MODE",
            "How the branch gets it: auto (a commit; a pull request where the branch takes none), push or pull-request")
            .default("auto");
    GITOPS_APP_ID: Option<github::AppId> =
        Input::new("gitops-app-id", Group::Cluster, "ID",
            "The GitHub App that writes there, in place of gitops-token: its client ID, or its App ID; with gitops-app-private-key");
    GITOPS_APP_INSTALLATION_ID: Option<github::InstallationId> =
        Input::new("gitops-app-installation-id", Group::Cluster, "ID",
            "The number of that App's installation with the owner of gitops-repository")
            .otherwise("GitHub is asked");

    CODE_SCANNING: github::Demand =
        Input::new("code-scanning", Group::Report, "WHEN",
            "Whether findings go to the Security tab: auto (where the environment asks for it and the repository has code \
             scanning), required or off")
            .default("auto");
    METRICS: metrics::Demand =
        Input::new("metrics", Group::Report, "off|emf|cloudwatch",
            "Where figures of the delivery are put (how it ended, how long it took, what was found, how old the database is): off, \
             emf (metrics.jsonl in the report folder, in CloudWatch's embedded metric format) or cloudwatch (PutMetricData, as \
             the role that delivers)")
            .default("off");
    REPORT_DIR: PathBuf =
        Input::new("report-dir", Group::Report, "FOLDER", "The folder for summary.md, record.json, sarif/, sbom/ and outputs")
            .default("gp-deliver-report");
}

/// An input of `plan` alone.
pub(crate) const MATRIX: Input<Vec<String>> = Input::new(
    "matrix",
    Group::Delivery,
    "FOLDERS",
    "For plan: folders with a Dockerfile each, such as services/*, to print as a matrix of jobs",
);

/// An input of `plan` alone.
pub(crate) const MATRIX_CLEARED: Input<Option<String>> = Input::new(
    "matrix-cleared",
    Group::Delivery,
    "REFERENCE",
    "For plan with matrix: where the image is that was last cleared for the environment, with {name} for the job's name: \
     HOST/NAMESPACE/{name}:TAG; on a push to a branch, an image whose folder and inputs have not changed since that commit is left out, \
     if identity says whose signature counts",
);

/// An input of `show` alone.
pub(crate) const JOB_RESULT: Input<Option<JobResult>> = Input::new(
    "job-result",
    Group::Report,
    "WORD",
    "For show: how the job ended whose report it is, by GitHub's own word: success, failure, cancelled or skipped",
);

/// An input of `assemble` alone.
pub(crate) const IMAGES: Input<Lines<ListedImage>> = Input::new(
    "images",
    Group::Delivery,
    "LINES",
    "For assemble: the image of each platform, one per line: PLATFORM=DIGEST, as untagged deliveries of the same run have them",
);

/// An input of `promote`, and of a job: one that gives it promotes.
pub(crate) const FROM: Input<Option<String>> = Input::new(
    "from",
    Group::Delivery,
    "REFERENCE",
    "The image to deliver in place of one that is built (promote): HOST[:PORT]/NAME:TAG or NAME@DIGEST; for the commands gitops \
     and rollback their argument",
);

/// An input of `promote` and of `watch`.
pub(crate) const IDENTITY: Input<Vec<String>> = Input::new(
    "identity",
    Group::Delivery,
    "PATTERNS",
    "For promote, watch and matrix-cleared: whose signatures count, separated by commas or newlines: for a workflow, its address with its ref, and before \
     it the repository that its run was of, where that is not the run's own: OWNER/NAME=ADDRESS",
)
.otherwise("in GitHub Actions the run's own workflow, for its own repository");

/// An input of `watch` alone.
pub(crate) const IMAGE: Input<Vec<String>> = Input::new(
    "image",
    Group::Delivery,
    "REFERENCE",
    "For watch: other images to look at than those that the tags name which move, separated by commas or newlines: \
     HOST[:PORT]/NAME:TAG or NAME@DIGEST",
);

/// An input of `watch` alone.
pub(crate) const ENVIRONMENTS: Input<Environments> = Input::new(
    "environments",
    Group::Delivery,
    "YAML",
    "For watch: several environments to look at in one run, in place of environment: a map of each to the inputs that are its own, \
     such as tags, destination, identity and severity-threshold; what it does not have is as for all",
);

/// The inputs that each of several environments may have of its own: where its images are and how that is reached, whose word
/// counts, and what counts. Where it is shown and what the programs are shut in is for the whole run.
fn of_an_environment() -> impl Iterator<Item = &'static About> {
    let all: [&About; 28] = [
        &VERSION.about,
        &SEVERITY_THRESHOLD.about,
        &IGNORE_UNFIXED.about,
        &TRIVY_DB_REPOSITORY.about,
        &DATABASE_MAX_AGE.about,
        &TAGS.about,
        &DESTINATION.about,
        &IMAGE.about,
        &IDENTITY.about,
        &SIGN.about,
        &KMS_KEY.about,
        &TRUSTED_KEYS.about,
        &SIGSTORE_TRUSTED_ROOT.about,
        &ECR_REPOSITORY.about,
        &ROLE_TO_ASSUME.about,
        &AWS_REGION.about,
        &AWS_ACCOUNT_ID.about,
        &ALLOWED_ACCOUNT_IDS.about,
        &ROLE_SESSION_NAME.about,
        &ROLE_DURATION_SECONDS.about,
        &AUDIENCE.about,
        &SESSION_POLICY.about,
        &GITOPS_REPOSITORY.about,
        &GITOPS_PATH.about,
        &GITOPS_IMAGE.about,
        &GITOPS_BRANCH.about,
        &GITOPS_APP_ID.about,
        &GITOPS_APP_INSTALLATION_ID.about,
    ];
    all.into_iter()
}

/// An input of `watch` alone.
pub(crate) const ISSUES: Input<github::Demand> = Input::new(
    "issues",
    Group::Report,
    "WHEN",
    "For watch: whether what became known is kept in an issue for each image: auto (a refusal is a warning), required (a refusal \
     fails the run) or off",
)
.default("auto");

/// An input of a promotion.
pub(crate) const PROMOTE_BY: Input<JudgedBy> = Input::new(
    "promote-by",
    Group::Delivery,
    "image|sbom",
    "What a promoted image is judged by: image (it is fetched, and its layers are looked through for secrets) or sbom (its signed \
     list of packages and its verdict, by today's advisories; within a registry nothing is fetched, and the delivery that built it has to have held \
     back leaked secrets)",
)
.default("image");

/// The token for GitHub's API: an input of the action and not a flag, since every process can read the arguments of others.
pub(crate) const TOKEN: Input<Secret> = Input::new(
    "github-token",
    Group::Report,
    "TOKEN",
    "The token for the Security tab, the check run and the attestations: it needs security-events: write, checks: write and attestations: write, and issues: write to watch; not a flag",
)
.default("${{ github.token }}");

/// The token for the repository that a cluster is brought to: an input of the action and not a flag, as the other one.
pub(crate) const GITOPS_TOKEN: Input<Option<Secret>> = Input::new(
    "gitops-token",
    Group::Cluster,
    "TOKEN",
    "The token for gitops-repository, of a GitHub App or a fine-grained one: it needs contents: write and pull-requests: write there; at another git server one that reads and writes it; not a flag",
);

/// The key of the GitHub App that writes there in place of a token: as that, no flag.
pub(crate) const GITOPS_APP_PRIVATE_KEY: Input<Option<Secret>> = Input::new(
    "gitops-app-private-key",
    Group::Cluster,
    "PEM",
    "The private key of the GitHub App of gitops-app-id, as GitHub gives it: an RSA key in PEM. The App needs the repository permissions \
     contents: write and pull requests: write, and the token that it is given is for gitops-repository and for these alone; not a flag",
);

/// An input that is no more: a workflow that gives it is told what took its place.
pub(crate) const REBUILD: Input<String> = Input::new("rebuild", Group::Publish, "true|false", "Replaced by reuse: never");

/// What the action does: the command line's first word.
#[cfg(test)]
pub(crate) const COMMAND: Input<String> = Input::new(
    "command",
    Group::Delivery,
    "NAME",
    "What the action does: deliver, promote, assemble, gitops, rollback, watch, plan, doctor, policy or show; not a flag",
)
.default("deliver");

/// All inputs of the action, in the order of its description.
#[cfg(test)]
pub(crate) fn of_action() -> impl Iterator<Item = &'static About> {
    [&COMMAND.about].into_iter().chain(flags()).chain([&GITOPS_TOKEN.about, &GITOPS_APP_PRIVATE_KEY.about, &TOKEN.about])
}

/// All flags of the command line.
fn flags() -> impl Iterator<Item = &'static About> {
    ALL.iter().copied().chain([
        &MATRIX.about,
        &MATRIX_CLEARED.about,
        &JOB_RESULT.about,
        &IMAGES.about,
        &FROM.about,
        &IDENTITY.about,
        &PROMOTE_BY.about,
        &IMAGE.about,
        &ENVIRONMENTS.about,
        &ISSUES.about,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kebab_case_and_given_once() {
        let mut names: Vec<_> = of_action().map(|input| input.name).collect();
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{names:?}");
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_default_is_a_value_of_its_input() {
        for input in of_action() {
            assert_eq!((input.faults)(input.default_value().unwrap_or_default()), [], "{}", input.name);
        }
    }

    #[test]
    fn the_default_of_tags_in_words_names_the_templates_that_count() {
        for template in crate::tags::usual() {
            assert!(TAGS.default.contains(&template.to_string()), "{template}");
        }
    }

    #[test]
    fn the_runner_keeps_hyphens() {
        assert_eq!(BUILD_CONTEXT.variable(), "INPUT_BUILD-CONTEXT");
    }
}
