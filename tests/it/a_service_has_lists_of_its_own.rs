//! What a project lets through in trivy's findings: by the lists of its root and of what is built, counted, each by its name,
//! and not after its day.

use crate::support::Source;

const METADATA: &str = "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\nLicense: MIT\n\n";

/// A repository with a service that has a package with a critical advisory.
fn monorepo(list: (&str, &str)) -> Source {
    Source::in_git(&[
        ("services/app/Dockerfile", "FROM scratch\nCOPY v /usr/lib/python3/dist-packages/\n"),
        ("services/app/v/PyYAML-5.3.dist-info/METADATA", METADATA),
        list,
    ])
}

fn deliver(source: &Source, code: i32) -> serde_json::Value {
    let context = source.context().join("services/app");
    source.deliver().flag("--build-context", &context.to_string_lossy()).flag("--environment", "prod").ends_with(code);
    source.record()["suppressions"].clone()
}

#[test]
fn the_list_beside_the_dockerfile_counts_and_is_named() {
    let suppressions = deliver(&monorepo(("services/app/.trivyignore", "CVE-2020-14343\n")), 0);
    assert_eq!(suppressions[0]["by"], "services/app/.trivyignore", "{suppressions}");
    assert_eq!((&suppressions[0]["count"], suppressions.as_array().unwrap().len()), (&1.into(), 1));
    let yaml = "vulnerabilities:\n  - id: CVE-2020-14343\n    statement: yaml.load is not called\n    expired_at: 2999-01-01\n";
    let suppressions = deliver(&monorepo((".trivyignore.yaml", yaml)), 0);
    assert_eq!(
        (&suppressions[0]["by"], &suppressions[0]["reason"]),
        (&".trivyignore.yaml".into(), &"yaml.load is not called".into())
    );
    // Another service's list is none of this one's business.
    assert_eq!(deliver(&monorepo(("services/other/.trivyignore", "CVE-2020-14343\n")), 3), serde_json::json!([]));
}

#[test]
fn an_entry_that_has_expired_hides_nothing_and_is_told() {
    for list in [
        ("services/app/.trivyignore", "CVE-2020-14343 exp:2020-01-01\n"),
        (".trivyignore.yaml", "vulnerabilities:\n  - id: CVE-2020-14343\n    expired_at: 2020-01-01\n"),
    ] {
        let source = monorepo(list);
        assert_eq!(deliver(&source, 3), serde_json::json!([]), "{list:?}");
        assert!(source.summary().contains("expired on 2020-01-01"), "{}", source.summary());
    }
    for list in [
        ("services/app/.trivyignore", "CVE-2020-14343 expires:2020-01-01\n"),
        (".trivyignore.yaml", "vulnerabilities:\n  - id: CVE-2020-14343\n    expires: 2020-01-01\n"),
    ] {
        deliver(&monorepo(list), 1);
    }
}
