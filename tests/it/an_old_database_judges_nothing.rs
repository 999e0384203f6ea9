//! Where vulnerabilities block, they are looked up in a database of the last days, whatever a mirror or the database itself
//! says.

use std::path::Path;
use std::process::Command;

use crate::support::{Source, advisories_without_one, run, tool};

fn source() -> Source {
    let metadata = "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\nLicense: MIT\n\n";
    Source::in_git(&[
        ("Dockerfile", "FROM scratch\nCOPY vendor /usr/lib/python3/site-packages\n"),
        ("vendor/PyYAML-5.3.dist-info/METADATA", metadata),
    ])
}

/// A database of a day that does not know the advisory.
fn ignorant(source: &Source, name: &str, updated_at: &str) -> String {
    let folder = advisories_without_one(source);
    let database = source.beside(name);
    let mut make = Command::new(tool("trivy-db"));
    run(make.arg("--advisories").arg(&folder).arg("--output").arg(&database).arg("--updated-at").arg(updated_at));
    format!("oci:{}:2", database.display())
}

fn good() -> String {
    format!("oci:{}:2", crate::support::part("TRIVY_DB"))
}

fn published(source: &Source) -> bool {
    Path::exists(&source.beside("image"))
}

#[test]
fn the_next_mirror_is_asked_where_one_is_old_or_of_days_to_come() {
    for day in ["2019-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
        let source = source();
        let mirrors = format!("{},{}", ignorant(&source, "mirror", day), good());
        let ended = source.deliver().flag("--environment", "prod").flag("--trivy-db-repository", &mirrors).ends_with(3);
        ended.says("BLOCKED for prod").says("is not used: it").says(&day[..10]);
        assert_eq!(source.record()["database"]["repository"], good());
    }
}

#[test]
fn an_old_database_by_itself_opens_nothing_and_says_its_age() {
    let source = source();
    let old = ignorant(&source, "mirror", "2019-01-01T00:00:00Z");
    let delivery = |environment: &str| source.deliver().flag("--environment", environment).flag("--trivy-db-repository", &old);
    let ended = delivery("prod").ends_with(1);
    ended.says("The vulnerability database is not available").says("2019-01-01").says("database-max-age").says("48 hours");
    assert!(!published(&source));
    delivery("dev").ends_with(0).says("so newer advisories are missing");
    // Whoever wants to be judged by it says so.
    delivery("prod").flag("--database-max-age", "36500d").ends_with(0).says("so newer advisories are missing");
    delivery("dev").flag("--database-max-age", "2d").ends_with(0).says("vulnerabilities are not looked for");
    delivery("prod").flag("--database-max-age", "0h").ends_with(2).says("database-max-age");
}
