//! A delivery's statements, for tests: those of `docs/attestations.md` too. With `GP_DELIVER_BLESS=1` the tests write them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::provenance::{self, Provenance, Run};
use super::verdict::{self, Verdict};
use super::{Database, Lists, ListsOf, Origin, Predicate, PredicateType, Program, Scan, Statement, Subject, Vulnerabilities};
use crate::cache_writers::CacheWriters;
use crate::coverage::Coverage;
use crate::environment::Environment;
use crate::materials::{Material, Materials};
use crate::oci::Digest;
use crate::policy::{self, Cleared, Decision, Evidence, Threshold};
use crate::provenance::Parameters;
use crate::record::{Record, Source};
use crate::report::fixture;

/// The page with the examples.
const PAGE: &str = "docs/attestations.md";

fn at(time: &str) -> Timestamp {
    format!("2026-08-03T{time}Z").parse().unwrap()
}

/// A claim of the token of a run of a team's workflow that calls the reusable one.
pub(super) fn claim(name: &str) -> Option<String> {
    let value = match name {
        "repository" => "team/app",
        "ref" => "refs/heads/main",
        "sha" => "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678",
        "workflow_ref" => "team/app/.github/workflows/delivery.yml@refs/heads/main",
        "job_workflow_ref" => "acme/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1",
        "run_id" => "1234567890",
        "run_attempt" => "1",
        "event_name" => "push",
        "repository_id" => "501",
        "repository_owner_id" => "11",
        "actor_id" => "7",
        "runner_environment" => "github-hosted",
        _ => return None,
    };
    Some(value.to_owned())
}

pub(super) fn run() -> Run {
    Run::of_claims("https://github.com", claim).unwrap()
}

pub(super) fn source() -> Source {
    fixture::delivered().source.unwrap()
}

pub(super) fn parameters() -> Parameters {
    Parameters {
        arguments: Digest::of(b"{}"),
        context: ".".to_owned(),
        contexts: [("libs".to_owned(), "libs/common".to_owned())].into(),
        dockerfile: "Dockerfile".to_owned(),
        dockerfile_digest: Digest::of(b"FROM debian:bookworm-slim\n"),
        platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()],
        target: Some("runtime".to_owned()),
        options: [("add-hosts".to_owned(), "db.example=10.0.0.5".to_owned())].into(),
    }
}

pub(super) fn materials() -> Materials {
    let base = Material::Image {
        reference: "docker.io/library/debian:bookworm-slim".to_owned(),
        digest: Some(Digest::of(b"debian")),
        platform: Some("linux/amd64".parse().unwrap()),
    };
    Materials { named: BTreeSet::from([base]), unknown: BTreeSet::new(), network: true }
}

pub(super) fn provenance_facts<'a>(
    run: &'a Run,
    source: &'a Source,
    parameters: &'a Parameters,
    materials: &'a [Materials],
) -> provenance::Facts<'a> {
    provenance::Facts {
        run: Some(run),
        source,
        environment: Environment::Prod,
        parameters,
        materials,
        started_on: at("10:00:00"),
        finished_on: at("10:00:31.31"),
    }
}

fn database() -> Database {
    let record = fixture::delivered().database.unwrap();
    Database {
        name: "trivy-db".to_owned(),
        version: 2,
        repository: record.repository,
        digest: record.digest,
        updated_at: record.updated_at,
    }
}

pub(super) fn verdict_facts(parameters: &Parameters) -> verdict::Facts<'_> {
    let run = run();
    let program = |(name, version): (&str, &str)| Program { name: name.to_owned(), version: version.to_owned() };
    verdict::Facts {
        decided_at: at("10:00:36.501"),
        repository: Some(run.repository()),
        reference: Some(run.reference().to_owned()),
        parameters,
        origin: Origin::Built,
        cache_writers: CacheWriters::Nobody,
        builder: Digest::of(b""),
        tools: [("gitleaks", "8.30.1"), ("trivy", "0.72.0"), ("syft", "1.52.0")].map(program).into(),
        databases: vec![database()],
        lists: Lists { of: ListsOf::Base, commit: Some("0f1e2d3c4b5a69788796a5b4c3d2e1f001234567".to_owned()) },
        inputs: Digest::of(b"inputs"),
        coverage: Some(&Coverage::Complete),
        record_digest: Digest::of(b"record"),
    }
}

/// The gate's leave for the image of a record.
pub(super) fn cleared(record: &Record) -> Cleared {
    let image = record.image.as_ref().map_or(Digest::of(b"image"), |image| image.digest);
    let evidence = Evidence { image, scans: &[], findings: &[] };
    let threshold = Threshold { severity: crate::finding::Severity::High, ignore_unfixed: false };
    // One that only advises lets everything pass.
    match policy::decide(Environment::Dev.requirements(), threshold, &evidence) {
        Decision::Cleared(cleared) => cleared,
        other => panic!("{other:?}"),
    }
}

pub(super) fn vulnerabilities() -> Vulnerabilities {
    let report = r#"{"SchemaVersion":2,"ArtifactName":"image","ArtifactType":"container_image","Results":[{"Target":"debian 12.5","Class":"os-pkgs","Type":"debian"}]}"#;
    let scan = Scan::by_trivy("0.72.0", &database(), Some(&run()), (at("10:00:31.4"), at("10:00:36.4")));
    Vulnerabilities::of(scan, report.as_bytes().into()).unwrap()
}

pub(super) fn statement(predicate: Predicate) -> Statement {
    let digest = fixture::delivered().image.unwrap().digest;
    Statement { subjects: vec![Subject { name: Some("registry.example/team/hello".to_owned()), digest }], predicate }
}

/// One of each type.
fn statements() -> Vec<Statement> {
    let (run, source, parameters, materials, record) = (run(), source(), parameters(), [materials()], fixture::delivered());
    let sbom = |format, text: &'static str| Predicate::sbom(format, text.as_bytes().into()).unwrap();
    let spdx = r#"{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"team/hello"}"#;
    let cyclone_dx = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1}"#;
    let mut verdict = Verdict::of(&cleared(&record), &record, verdict_facts(&parameters)).unwrap();
    verdict.suppressions = vec![super::verdict::LetThrough {
        tool: "trivy".to_owned(),
        by: ".trivyignore.yaml".to_owned(),
        id: "CVE-2011-3374".to_owned(),
        reason: Some("apt is not used at run time".to_owned()),
        count: 2,
        new: false,
        set_in: Some("0f1e2d3c4b5a69788796a5b4c3d2e1f001234567".to_owned()),
        expires: None,
    }];
    let provenance = Provenance::of(&provenance_facts(&run, &source, &parameters, &materials));
    vec![
        statement(Predicate::Signature),
        statement(sbom(PredicateType::Spdx, spdx)),
        statement(sbom(PredicateType::CycloneDx, cyclone_dx)),
        statement(Predicate::Provenance(Box::new(provenance))),
        statement(Predicate::Vulnerabilities(Box::new(vulnerabilities()))),
        statement(Predicate::Verdict(Box::new(verdict))),
    ]
}

fn bytes(statement: &Statement) -> bytes::Bytes {
    statement.to_bytes().unwrap().into()
}

#[test]
fn there_is_an_example_of_each_type_and_each_is_read_as_it_was_written() {
    let statements = statements();
    let types: Vec<_> = statements.iter().filter_map(|statement| statement.predicate.of_type()).collect();
    assert_eq!(types, PredicateType::ALL);
    for statement in statements {
        assert_eq!(Statement::read(&bytes(&statement)).unwrap(), statement);
    }
}

/// The text with the first `from` after `mark` made `to`.
fn spoilt(text: &str, mark: &str, from: &str, to: &str) -> bytes::Bytes {
    let at = text.find(mark).unwrap_or_else(|| panic!("no {mark}"));
    let spoilt = format!("{}{}", &text[..at], text[at..].replacen(from, to, 1));
    assert_ne!(spoilt, text, "{from}");
    spoilt.into_bytes().into()
}

#[test]
fn a_verdict_with_more_than_is_known_or_less_than_it_needs_is_refused() {
    let statements = statements();
    let text = String::from_utf8(bytes(statements.last().unwrap()).into()).unwrap();
    for (from, to) in [
        ("{\"decision\"", "{\"revoked\":true,\"decision\""),
        ("\"decision\":\"cleared\"", "\"decision\":\"blocked\""),
        ("\"decision\":\"cleared\",", ""),
        ("\"decision\":\"cleared\"", "\"decision\":\"cleared\",\"decision\":\"advised\""),
        ("\"decision\":\"cleared\"", "\"Decision\":\"cleared\""),
        ("\"environment\":\"prod\"", "\"environment\":\"production\""),
        ("\"severityThreshold\":\"HIGH\"", "\"severityThreshold\":\"NONE\""),
        ("\"ignoreUnfixed\":false", "\"ignoreUnfixed\":0"),
        ("\"dirty\":false", "\"clean\":true"),
        ("\"counting\":0", "\"counting\":-1"),
        ("\"HIGH\":0", "\"SOME\":0"),
        ("\"platforms\":[", "\"platform\":["),
        ("\"updatedAt\":\"2026-08-02T06:00:00Z\"", "\"updatedAt\":\"yesterday\""),
        ("\"record\":\"sha256:", "\"record\":\"md5:"),
    ] {
        assert!(Statement::read(&spoilt(&text, "\"predicate\":", from, to)).is_err(), "{to}");
    }
}

#[test]
fn a_provenance_with_parameters_that_are_not_known_is_refused_and_anothers_is_anothers() {
    let statements = statements();
    let text = String::from_utf8(bytes(&statements[3]).into()).unwrap();
    for (from, to) in [
        ("\"externalParameters\":{", "\"externalParameters\":{\"secretly\":1,"),
        ("\"workflow\":{", "\"workflow\":{\"more\":1,"),
        ("\"builder\":{\"id\"", "\"builder\":{\"ID\""),
        ("\"dockerfile\":", "\"dockerFile\":"),
    ] {
        assert!(Statement::read(&spoilt(&text, "\"predicate\":", from, to)).is_err(), "{to}");
    }
    // What the specification has readers pass over.
    let more = spoilt(&text, "\"predicate\":", "\"runDetails\":{", "\"runDetails\":{\"byproducts\":[],");
    assert_eq!(Statement::read(&more).unwrap(), statements[3]);
    let others =
        spoilt(&text, "\"predicate\":", "https://gp-deliver.dev/build/v1", "https://actions.github.io/buildtypes/workflow/v1");
    let Predicate::OtherProvenance { builder, build_type, provenance } = Statement::read(&others).unwrap().predicate else {
        panic!("not another's")
    };
    assert_eq!((builder, &*build_type), (run().builder(), "https://actions.github.io/buildtypes/workflow/v1"));
    assert!(provenance.bytes().len() > 500);
}

#[test]
fn the_schema_in_the_docs_is_that_of_the_verdict() {
    let mut schema = schemars::schema_for!(Verdict);
    schema.insert("title".to_owned(), "gp-deliver verdict".into());
    schema.insert("$id".to_owned(), PredicateType::Verdict.uri().into());
    let mut made = serde_json::to_string_pretty(&schema).unwrap();
    made.push('\n');
    kept("docs/verdict.schema.json", &made);
}

fn kept(path: &str, made: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("GP_DELIVER_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&file, made).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "{path} is not up to date: run the tests with GP_DELIVER_BLESS=1");
}

#[test]
fn the_examples_in_the_docs_are_what_is_written() {
    use std::fmt::Write as _;
    let mut page = String::new();
    for statement in [&statements()[3], &statements()[4], &statements()[5]] {
        let value: serde_json::Value = serde_json::from_slice(&bytes(statement)).unwrap();
        let noun = statement.predicate.of_type().unwrap().noun();
        let json = serde_json::to_string_pretty(&value).unwrap();
        write!(page, "\n<details><summary>A {noun}</summary>\n\n```json\n{json}\n```\n\n</details>\n").unwrap();
    }
    let (begin, end) = ("<!-- examples -->\n", "\n<!-- /examples -->");
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = std::fs::read_to_string(file).unwrap();
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    kept(PAGE, &format!("{before}{begin}{page}{end}{after}"));
}
