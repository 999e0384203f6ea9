//! Records for the tests of the reports: one for each ending, one that is hostile, one that is huge. Their words are the
//! pipeline's and the diagnoses' own.

use std::collections::BTreeSet;

use crate::build_check::BuildCheck;
use crate::changes::{self, Since};
use crate::coverage::{Gap, GapKind};
use crate::diagnosis::Diagnosis;
use crate::environment::Environment;
use crate::error::Error;
use crate::finding::{Finding, Instruction, Leak, Severity, Standing, Suppression, Vulnerability};
use crate::oci::Digest;
use crate::record::{
    Attestation, Certified, Database, ImageRecord, PlatformRecord, Publication, Record, RunResult, Sandbox, Signer, Sigstore,
    Source, Stage, StageName, StageOutcome,
};
use crate::registry_scan::{Advisory, Demand, RegistryFinding, RegistryScan, ScanResult, ScannedImage};
use crate::scanner::Tool;

fn begun(environment: Environment) -> Record {
    Record {
        version: crate::record::VERSION,
        gp_deliver: "0.1.0".to_owned(),
        started_at: "2026-08-03T10:00:00Z".parse().unwrap(),
        elapsed_ms: 42_300,
        result: None,
        environment: Some(environment),
        demands: Some(environment.requirements()),
        severity_threshold: Some(Severity::High),
        ignore_unfixed: false,
        source: Some(Source {
            commit: Some("a1b2c3d4e5f60718293a4b5c6d7e8f9012345678".to_owned()),
            branch: Some("main".to_owned()),
            tag: None,
            dirty: false,
        }),
        stages: stages(),
        findings: Vec::new(),
        suppressions: Vec::new(),
        unscanned: Vec::new(),
        registry_scan: None,
        database: Some(Database {
            repository: "ghcr.io/aquasecurity/trivy-db:2".to_owned(),
            digest: Digest::of(b"database"),
            updated_at: "2026-08-02T06:00:00Z".parse().unwrap(),
        }),
        sandbox: Some(Sandbox {
            demand: "auto".to_owned(),
            landlock: Some(7),
            seccomp: true,
            own_user: true,
            missing: Vec::new(),
        }),
        build_cache: None,
        image: Some(image()),
        name: Some("team/hello".to_owned()),
        destination: Some("registry.example/team/hello".to_owned()),
        reuse: None,
        attestations: Vec::new(),
        signer: None,
        since: None,
        signed: None,
        precedent: None,
        publication: None,
        leftovers: Vec::new(),
        gitops: None,
        failure: None,
        warnings: Vec::new(),
        build_checks: Vec::new(),
    }
}

fn image() -> ImageRecord {
    let platform = |name: &str, packages| PlatformRecord {
        platform: format!("linux/{name}").parse().unwrap(),
        digest: Digest::of(name.as_bytes()),
        layers: 5,
        packages: Some(packages),
        sboms: vec![format!("sbom/linux-{name}.spdx.json"), format!("sbom/linux-{name}.cdx.json")],
        materials: None,
        builder: None,
    };
    let platforms = vec![platform("amd64", 92), platform("arm64", 91)];
    ImageRecord { digest: Digest::of(b"image"), size: 48_123_456, platforms, known: None }
}

fn publication(environment: Environment) -> Publication {
    Publication {
        destination: "registry.example/team/hello".to_owned(),
        digest: Digest::of(b"image"),
        tags: vec!["a1b2c3d".parse().unwrap(), format!("{environment}-a1b2c3d").parse().unwrap()],
        bytes_sent: 12_000_000,
        blobs_present: 4,
        blobs_sent: 3,
    }
}

fn stage(name: StageName, started_ms: u64, elapsed_ms: u64, outcome: StageOutcome, detail: &str) -> Stage {
    Stage { name, started_ms, elapsed_ms, waited_ms: 0, waited_for: Vec::new(), outcome, detail: detail.to_owned() }
}

fn stages() -> Vec<Stage> {
    vec![
        stage(StageName::Preflight, 0, 300, StageOutcome::Passed, "Docker 29.5.0, overlayfs in containerd"),
        stage(StageName::Destination, 310, 400, StageOutcome::Passed, "registry.example/team/hello: this commit is new there"),
        stage(StageName::Secrets, 310, 4200, StageOutcome::Passed, "0 leaks in the working tree and 12 commits"),
        stage(StageName::Checks, 310, 100, StageOutcome::Passed, "lint, test passed"),
        stage(StageName::Build, 410, 30_900, StageOutcome::Passed, "5 layers of 48.2 MB"),
        stage(
            StageName::Database,
            310,
            2500,
            StageOutcome::Passed,
            "of 2026-08-02 06:00 UTC, from ghcr.io/aquasecurity/trivy-db:2",
        ),
        stage(StageName::Vulnerabilities, 31_400, 5000, StageOutcome::Passed, "0 findings in 183 packages, 0 at HIGH or over"),
        stage(StageName::Sbom, 31_400, 3000, StageOutcome::Passed, "183 packages"),
        stage(StageName::Decision, 36_500, 1, StageOutcome::Passed, "cleared for prod"),
        stage(StageName::Upload, 36_600, 5000, StageOutcome::Passed, "3 blobs of 12.0 MB sent, 4 there already"),
        stage(StageName::Publish, 41_600, 600, StageOutcome::Passed, "2 tags to registry.example/team/hello"),
    ]
}

fn vulnerability(
    id: &str,
    severity: Severity,
    package: (&str, &str, Option<&str>),
    platform: &str,
    line: u32,
    text: &str,
) -> Finding {
    Finding::Vulnerability(Vulnerability {
        id: id.to_owned(),
        severity,
        title: format!("{}: a flaw", package.0),
        package: package.0.to_owned(),
        installed: package.1.to_owned(),
        fixed: package.2.map(str::to_owned),
        target: "debian 12.5".to_owned(),
        url: Some(format!("https://avd.aquasec.com/nvd/{}", id.to_lowercase())),
        platform: platform.parse().unwrap(),
        layer: Some(Digest::of(text.as_bytes())),
        instruction: (line > 0).then(|| Instruction {
            file: "Dockerfile".to_owned(),
            line,
            end_line: line,
            text: text.to_owned(),
        }),
        tool: Tool::TRIVY,
    })
}

fn leak(file: &str, line: u32, commit: Option<&str>) -> Finding {
    let prefix = commit.map(|commit| format!("{commit}:")).unwrap_or_default();
    Finding::Leak(Leak {
        rule: "aws-access-token".to_owned(),
        description: "Identified a pattern that may indicate AWS credentials".to_owned(),
        file: file.to_owned(),
        layer: None,
        line,
        commit: commit.map(str::to_owned),
        fingerprint: format!("{prefix}{file}:aws-access-token:{line}"),
        tool: Tool::GITLEAKS,
    })
}

fn findings() -> Vec<Finding> {
    let base = "FROM debian:bookworm-slim";
    vec![
        vulnerability("CVE-2022-4899", Severity::Medium, ("libzstd1", "1.5.4", None), "linux/amd64", 1, base),
        vulnerability("CVE-2023-0286", Severity::High, ("libssl3", "3.0.11", Some("3.0.14")), "linux/amd64", 1, base),
        vulnerability("CVE-2024-5535", Severity::Critical, ("libssl3", "3.0.11", Some("3.0.15")), "linux/amd64", 1, base),
        vulnerability("CVE-2024-5535", Severity::Critical, ("libssl3", "3.0.11", Some("3.0.15")), "linux/arm64", 1, base),
        vulnerability(
            "CVE-2020-14343",
            Severity::Critical,
            ("PyYAML", "5.3", Some("5.4")),
            "linux/amd64",
            4,
            "RUN pip install PyYAML==5.3",
        ),
        vulnerability("CVE-2019-8457", Severity::Critical, ("libdb5.3", "5.3.28", None), "linux/amd64", 0, ""),
        leak("old/settings.py", 12, Some("0123456789abcdef0123456789abcdef01234567")),
        leak("config/prod.env", 3, None),
    ]
}

fn found(mut record: Record, outcome: &StageOutcome) -> Record {
    record.findings = findings();
    record.suppressions = vec![
        Suppression {
            tool: Tool::TRIVY,
            by: ".trivyignore.yaml".to_owned(),
            id: "CVE-2011-3374".to_owned(),
            reason: Some("apt is not used at run time".to_owned()),
            count: 2,
            standing: Standing::Known,
            set_in: Some("0f1e2d3c4b5a69788796a5b4c3d2e1f001234567".to_owned()),
            expires: None,
        },
        Suppression {
            tool: Tool::GITLEAKS,
            by: "gitleaks:allow".to_owned(),
            id: "generic-api-key".to_owned(),
            reason: None,
            count: 1,
            standing: Standing::New,
            set_in: None,
            expires: None,
        },
    ];
    for (name, detail) in [
        (StageName::Secrets, "2 leaks in the working tree and 12 commits; 1 suppressed by the project"),
        (StageName::Vulnerabilities, "6 findings in 183 packages, 5 at HIGH or over"),
    ] {
        ended(&mut record, name, outcome.clone(), detail);
    }
    record
}

fn ended(record: &mut Record, name: StageName, outcome: StageOutcome, detail: &str) {
    let stage = record.stages.iter_mut().find(|stage| stage.name == name).unwrap();
    (stage.outcome, stage.detail) = (outcome, detail.to_owned());
}

fn until(record: &mut Record, last: StageName, outcome: StageOutcome) {
    let index = record.stages.iter().position(|stage| stage.name == last).unwrap();
    record.stages.truncate(index + 1);
    record.stages[index].outcome = outcome;
    record.stages[index].detail = String::new();
}

/// Delivered, and signed by sigstore.dev.
pub(crate) fn signed() -> Record {
    let mut record = delivered();
    let attestation = |predicate: &str, github| Attestation {
        subject: Digest::of(b"image"),
        predicate: predicate.to_owned(),
        referrer: Digest::of(predicate.as_bytes()),
        github,
    };
    record.attestations = vec![
        attestation("https://sigstore.dev/cosign/sign/v1", Some(101)),
        attestation("https://slsa.dev/provenance/v1", Some(102)),
        attestation("https://spdx.dev/Document", None),
    ];
    record.signer = Some(Signer::Certificate(Certified {
        identity: "https://github.com/acme/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1".to_owned(),
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
        sigstore: Sigstore::Public,
        log: Some("rekor.sigstore.dev".to_owned()),
        certificate_log: true,
        trusted_root: None,
    }));
    record
}

/// Published, nothing found.
pub(crate) fn delivered() -> Record {
    Record { result: Some(RunResult::Delivered), publication: Some(publication(Environment::Prod)), ..begun(Environment::Prod) }
}

/// What changed, with a name of everything.
fn since(name: &dyn Fn() -> String) -> Since {
    let package = |version: &str| changes::Package { name: name(), version: version.to_owned() };
    let advisory = |id: &str| changes::Advisory { id: id.to_owned(), package: name(), severity: Severity::High };
    let layer = |content: &[u8], size| changes::Layer { diff_id: Digest::of(content), size };
    let changed = changes::ChangedPackage {
        name: name(),
        from: BTreeSet::from(["5.2".to_owned()]),
        to: BTreeSet::from(["5.3".to_owned()]),
    };
    let packages = changes::PackageChanges {
        added: BTreeSet::from([package("1")]),
        removed: BTreeSet::from([package("2")]),
        changed: BTreeSet::from([changed]),
    };
    let platform = changes::Changes {
        platform: "linux/amd64".parse().unwrap(),
        packages: Some(packages),
        findings: Some(changes::FindingChanges { new: vec![advisory("CVE-2020-14343")], gone: vec![advisory("CVE-2011-3374")] }),
        layers: changes::layers(&[layer(b"one", 1000), layer(b"two", 3000)], &[layer(b"one", 1000), layer(b"three", 2000)]),
    };
    let source = changes::SourceChange { from: Some("sha256:aa".to_owned()), to: None };
    Since {
        image: Some(changes::Earlier {
            tag: "dev-latest".parse().unwrap(),
            digest: Digest::of(b"earlier"),
            by: BTreeSet::from([name()]),
            advisories_of: Some("2026-07-01T00:00:00Z".parse().unwrap()),
        }),
        platforms: vec![platform],
        sources: Some([(name(), source)].into()),
        unknown: vec![name()],
    }
}

/// Published at dev with findings, to a folder.
pub(crate) fn advised() -> Record {
    let mut record = found(begun(Environment::Dev), &StageOutcome::Advised);
    record.result = Some(RunResult::Delivered);
    record.since = Some(since(&|| "pypi/pyyaml".to_owned()));
    record.warnings =
        vec!["The tag {version} is skipped: there is no version: neither the input nor a v* tag gives one.".to_owned()];
    ended(&mut record, StageName::Destination, StageOutcome::Passed, "oci:target/demo/dev/image");
    let detail = "cleared for dev; 7 findings would block from test up";
    ended(&mut record, StageName::Decision, StageOutcome::Advised, detail);
    // A folder takes content and names in one step.
    record.stages.retain(|stage| stage.name != StageName::Upload);
    ended(&mut record, StageName::Publish, StageOutcome::Passed, "2 tags to oci:target/demo/dev/image");
    record.destination = Some("oci:target/demo/dev/image".to_owned());
    record.publication =
        Some(Publication { destination: "oci:target/demo/dev/image".to_owned(), ..publication(Environment::Dev) });
    record
}

/// Held back at prod by the registry's own scan.
pub(crate) fn scanned() -> Record {
    let mut record = begun(Environment::Prod);
    record.result = Some(RunResult::Blocked);
    until(&mut record, StageName::Upload, StageOutcome::Passed);
    record.registry_scan = Some(registry_scan(&str::to_owned));
    record
}

/// What the registry's own scan found, in such words.
fn registry_scan(text: &dyn Fn(&str) -> String) -> RegistryScan {
    let platform = |name: &str| Some(name.parse().unwrap());
    let of = |name: &str, result| ScannedImage { platform: platform(name), digest: Digest::of(name.as_bytes()), result };
    let at = "2026-08-03T10:00:30Z".parse().unwrap();
    let finding = |id: &str, severity: Severity, rating: &str| RegistryFinding {
        id: text(id),
        severity,
        rating: text(rating),
        title: text("a title"),
        package: text("zlib"),
        installed: text("1.2.11"),
        fixed: None,
        fixable: None,
        url: Some(text("https://nvd.nist.gov/vuln/detail/CVE-2026-1")),
        image: Digest::of(b"linux/amd64"),
        platform: platform("linux/amd64"),
        by_trivy: Some(false),
        counts: true,
        let_through: None,
        in_use: None,
        last_in_use_at: None,
    };
    let both = RegistryFinding {
        fixed: Some(text("1.2.13")),
        by_trivy: Some(true),
        in_use: Some(4),
        last_in_use_at: Some(at),
        ..finding("CVE-2026-2", Severity::High, "HIGH")
    };
    let mild = RegistryFinding { counts: false, fixable: Some(false), ..finding("CVE-2026-3", Severity::Low, "INFORMATIONAL") };
    let aside = RegistryFinding {
        counts: false,
        let_through: Some(text(".trivyignore.yaml: not reached")),
        ..finding("CVE-2026-4", Severity::High, "HIGH")
    };
    RegistryScan {
        demand: Demand::Gate,
        images: vec![
            of("linux/amd64", ScanResult::Enhanced { at }),
            of(
                "linux/arm64",
                ScanResult::None { why: text("its state is UNSUPPORTED_IMAGE"), unsupported: true, accepted: None },
            ),
        ],
        findings: vec![finding("CVE-2026-1", Severity::Unknown, "UNTRIAGED"), both, mild, aside],
        only_trivy: Some(vec![Advisory { id: text("CVE-2026-5"), package: text("openssl") }]),
    }
}

/// Held back at prod.
pub(crate) fn blocked() -> Record {
    let mut record = found(begun(Environment::Prod), &StageOutcome::Blocked);
    record.result = Some(RunResult::Blocked);
    until(&mut record, StageName::Decision, StageOutcome::Blocked);
    ended(&mut record, StageName::Decision, StageOutcome::Blocked, "blocked by 2 leaks and 5 vulnerabilities");
    record
}

/// A build step that failed.
pub(crate) fn failed() -> Record {
    let mut record = begun(Environment::Test);
    record.result = Some(RunResult::Failed);
    let what = "A build step failed: Dockerfile:7: RUN make test".to_owned();
    until(&mut record, StageName::Build, StageOutcome::Failed(what.clone()));
    record.image = None;
    record.database = None;
    record.failure = Some(Diagnosis {
        what,
        why: "process \"/bin/sh -c make test\" did not complete successfully: exit code: 2".to_owned(),
        remedy: "The step's last lines tell what went wrong; correct that and run again.".to_owned(),
        excerpt: vec!["test_parse ... FAILED".to_owned(), "make: *** [Makefile:3: test] Error 2".to_owned()],
        to_copy: vec![],
    });
    record
}

/// Ended by a signal while it built.
pub(crate) fn cancelled() -> Record {
    let mut record = begun(Environment::Prod);
    record.result = Some(RunResult::Cancelled);
    record.elapsed_ms = 12_000;
    until(&mut record, StageName::Build, StageOutcome::Cancelled);
    record.image = None;
    record.database = None;
    record
}

/// Passed, and publishing is off.
pub(crate) fn skipped() -> Record {
    let mut record = begun(Environment::Staging);
    record.result = Some(RunResult::Skipped);
    record.stages.retain(|stage| !matches!(stage.name, StageName::Destination | StageName::Upload));
    ended(&mut record, StageName::Decision, StageOutcome::Passed, "cleared for staging");
    until(&mut record, StageName::Publish, StageOutcome::Skipped("publish is false".to_owned()));
    record
}

fn gap(kind: GapKind, name: &str, why: &str, platform: &str, accepted: Option<&str>) -> Gap {
    Gap {
        tool: Tool::TRIVY,
        kind,
        name: name.to_owned(),
        why: why.to_owned(),
        platform: platform.parse().unwrap(),
        accepted: accepted.map(str::to_owned),
    }
}

/// Nothing found at prod, and not all judged.
pub(crate) fn undecided() -> Record {
    let (why, metadata) = ("trivy can't read it: parse error: name or version is empty", "app/PyYAML-5.3.dist-info/METADATA");
    let (old, updates) = ("debian 8.1", "it no longer gets security updates");
    let mut record = begun(Environment::Prod);
    record.result = Some(RunResult::Failed);
    record.unscanned = vec![
        gap(GapKind::Distribution, old, updates, "linux/amd64", Some("replaced by March")),
        gap(GapKind::List, metadata, why, "linux/amd64", None),
        gap(GapKind::List, metadata, why, "linux/arm64", None),
    ];
    let error = Error::NotJudged(record.unscanned[1..].to_vec());
    let failure = Diagnosis::from(&error);
    until(&mut record, StageName::Decision, StageOutcome::Failed(failure.what.clone()));
    record.failure = Some(failure);
    record
}

/// Published at prod, with something in it that was not judged, which was accepted.
pub(crate) fn excused() -> Record {
    Record { unscanned: undecided().unscanned[..1].to_vec(), ..delivered() }
}

/// Words that try to leave their place in a terminal, a log, Markdown, HTML and JSON.
pub(crate) const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;x\u{7}</td></details><script>alert(1)</script>|\n::error::owned\r\n##[error]x `code` ``` \
    **b** [l](javascript:x) ![i](https://evil.example/i.png) https://evil.example www.evil.example @team me@evil.example #1 \\| \u{202e}";

/// Every text from outside is hostile, and some are long.
pub(crate) fn hostile() -> Record {
    let text = || HOSTILE.to_owned();
    let long = || format!("{HOSTILE}{}", "A".repeat(10_000));
    let mut record = blocked();
    record.source = Some(Source { commit: Some(text()), branch: Some(long()), tag: Some(text()), dirty: true });
    (record.destination, record.name) = (Some(text()), Some(text()));
    record.database.iter_mut().for_each(|database| database.repository = text());
    record.warnings = vec![text(), long()];
    for stage in &mut record.stages {
        stage.detail = text();
    }
    ended(&mut record, StageName::Preflight, StageOutcome::Skipped(text()), &text());
    ended(&mut record, StageName::Checks, StageOutcome::Failed(text()), &text());
    for platform in record.image.iter_mut().flat_map(|image| &mut image.platforms) {
        platform.sboms = vec![text()];
    }
    for finding in &mut record.findings {
        match finding {
            Finding::Leak(leak) => {
                leak.file = text();
                (leak.rule, leak.description, leak.fingerprint) = (text(), long(), text());
                leak.commit = leak.commit.as_ref().map(|_| text());
            }
            Finding::Vulnerability(vulnerability) => {
                vulnerability.id.push_str(HOSTILE);
                (vulnerability.title, vulnerability.package, vulnerability.installed) = (long(), long(), text());
                (vulnerability.target, vulnerability.url) = (long(), Some(text()));
                vulnerability.fixed = vulnerability.fixed.as_ref().map(|_| text());
                if let Some(instruction) = &mut vulnerability.instruction {
                    (instruction.file, instruction.text) = (text(), format!("FROM {HOSTILE}"));
                }
            }
        }
    }
    for suppression in &mut record.suppressions {
        (suppression.by, suppression.id, suppression.reason) = (text(), text(), Some(long()));
    }
    record.unscanned = undecided().unscanned;
    for gap in &mut record.unscanned {
        (gap.name, gap.why) = (text(), long());
        gap.accepted = gap.accepted.as_ref().map(|_| text());
    }
    record.build_checks = vec![BuildCheck {
        file: text(),
        line: 1,
        end_line: 1,
        rule: Some(text()),
        message: long(),
        url: Some(text()),
        fails: true,
    }];
    record.since = Some(since(&text));
    record.registry_scan = Some(registry_scan(&|_| text()));
    record.failure = Some(Diagnosis {
        what: text(),
        why: long(),
        remedy: text(),
        excerpt: vec![text(), long()],
        to_copy: vec![text(), long()],
    });
    record
}

/// A blocked delivery with `number` vulnerabilities, each in a package of its own, of all severities.
pub(crate) fn many(number: usize) -> Record {
    let mut record = blocked();
    record.findings = (0..number)
        .map(|index| {
            let severity = Severity::ALL[Severity::ALL.len() - 1 - index % Severity::ALL.len()];
            let package = (&*format!("package-{index}"), "1.0", (index % 3 > 0).then_some("1.1"));
            vulnerability(&format!("CVE-2026-{index:06}"), severity, package, "linux/amd64", 2, "RUN apt-get install everything")
        })
        .collect();
    record
}
