use super::*;

/// A package of the SBOM, by its URL alone.
fn listed(url: &str) -> Option<Package> {
    let path = url.strip_prefix("pkg:")?.split_once('/')?.1.split(['?', '#']).next()?;
    let (name, version) = path.rsplit_once('@').unwrap_or((path, ""));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Package::listed(url, &decoded(name), &decoded(version), None)
}

/// Packages that trivy has looked up, each as `TYPE NAME VERSION`.
fn looked_up(packages: &[&str]) -> Packages {
    let mut list = Packages::default();
    for package in packages {
        let (kind, rest) = package.split_once(' ').unwrap();
        let (name, version) = rest.rsplit_once(' ').unwrap();
        let (kind, _) = TYPES.iter().find(|(known, _)| *known == kind).unwrap();
        list.add(Package::looked_up(kind, name, version).unwrap());
    }
    list
}

fn sbom(urls: &[&str]) -> Packages {
    let mut list = Packages::default();
    urls.iter().filter_map(|url| listed(url)).for_each(|package| list.add(package));
    list
}

fn numbered(kind: &str, number: usize) -> Packages {
    let mut packages = Packages::default();
    (0..number).for_each(|index| packages.add(listed(&format!("pkg:{kind}/name-{index}@1")).unwrap()));
    packages
}

fn missing(read: &Packages, listed: &Packages) -> Missing {
    read.missing(listed, &BTreeSet::new(), &[])
}

fn names(shortfalls: &[Shortfall]) -> Vec<&str> {
    shortfalls.iter().map(|shortfall| shortfall.name.as_str()).collect()
}

fn by_name(missing: &Missing) -> Vec<String> {
    missing.by_name.iter().map(|package| format!("{} {package}", package.kind())).collect()
}

#[test]
fn what_trivy_looked_up_is_not_missing_however_the_sbom_writes_it() {
    for (trivy, syft) in [
        ("deb tar 1.34+dfsg-1.2", "pkg:deb/tar@1.34%2Bdfsg-1.2"),
        ("deb bash 1:5.2-1", "pkg:deb/bash@1%3A5.2-1"),
        ("rpm bash 5.2-1.el9", "pkg:rpm/bash@0%3A5.2-1.el9"),
        ("apk musl 1.2.5-r10", "pkg:apk/musl@1.2.5-r10"),
        ("pypi PyYAML 5.3", "pkg:pypi/pyyaml@5.3"),
        ("pypi zope.interface 1", "pkg:pypi/zope-interface@1"),
        ("pypi Foo._-Bar 1", "pkg:pypi/foo-bar@1"),
        ("npm @angular/core 1.0.0", "pkg:npm/%40angular/core@1.0.0"),
        ("npm JSONStream 1.0.0", "pkg:npm/jsonstream@1.0.0"),
        ("golang github.com/Foo/Bar v1.2.3", "pkg:golang/github.com/Foo/Bar@v1.2.3"),
        ("golang github.com/foo/bar v1.2.3", "pkg:golang/github.com/foo/bar@1.2.3"),
        ("golang stdlib v1.26.1", "pkg:golang/stdlib@go1.26.1%20X:nodwarf5"),
        ("maven org.a:b 1", "pkg:maven/org.a/b@1?type=jar"),
        ("nuget Newtonsoft.Json 13.0.1", "pkg:nuget/newtonsoft.json@13.0.1"),
        ("cargo serde 1.0.0", "pkg:cargo/serde@1.0.0"),
    ] {
        assert_eq!(missing(&looked_up(&[trivy]), &sbom(&[syft])), Missing::default(), "{trivy} {syft}");
    }
}

#[test]
fn one_package_of_many_that_trivy_has_not_looked_up_is_handed_to_it() {
    for (trivy, syft) in [
        ("pypi pyyaml 5.4", "pkg:pypi/pyyaml@5.3"),
        ("pypi harmless 5.3", "pkg:pypi/pyyaml@5.3"),
        ("npm pyyaml 5.3", "pkg:pypi/pyyaml@5.3"),
        // Go's advisories go by the name as it is.
        ("golang github.com/foo/bar v1.2.3", "pkg:golang/github.com/Foo/bar@v1.2.3"),
        ("maven org.a:b 1", "pkg:maven/org.c/b@1"),
    ] {
        let missing = missing(&looked_up(&[trivy]), &sbom(&[syft]));
        assert_eq!((missing.unjudged.len(), missing.by_name.iter().count()), (0, 1), "{trivy} {syft}");
    }
    let all = numbered("npm", 100_000);
    let mut most = all.clone();
    most.0.remove(&listed("pkg:npm/name-77@1").unwrap().key());
    assert_eq!(by_name(&missing(&most, &all)), ["npm name-77 1"]);
}

#[test]
fn what_trivy_does_not_take_is_not_judged_and_told_one_by_one_unless_it_is_much() {
    let nothing = Packages::default();
    assert_eq!(names(&nothing.refused(&numbered("pypi", 2))), ["pypi name-0 1", "pypi name-1 1"]);
    let many = nothing.refused(&numbered("pypi", 12));
    assert_eq!(names(&many), ["pypi"]);
    assert_eq!(many[0].why, "the SBOM lists 12 packages that trivy did not see: name-0 1, name-1 1, name-10 1 and 9 more");
    assert!(numbered("pypi", 2).refused(&numbered("pypi", 2)).is_empty());
}

#[test]
fn a_package_that_a_distribution_s_list_has_in_one_reading_is_not_judged() {
    let list = sbom(&["pkg:deb/tar@1", "pkg:deb/openssl@3.0.1"]);
    let missing = missing(&looked_up(&["deb tar 1", "deb openssl 3.0.2"]), &list);
    assert_eq!(names(&missing.unjudged), ["deb openssl 3.0.1", "deb"], "one is missing, and another is there instead");
    assert!(missing.by_name.is_empty(), "its distribution may be another than the image's");
}

#[test]
fn a_distribution_s_list_must_be_read_by_both() {
    let nothing = Packages::default();
    assert_eq!(names(&missing(&numbered("apk", 3), &nothing).unjudged), ["apk"]);
    assert_eq!(missing(&numbered("npm", 3), &nothing), Missing::default(), "the SBOM may leave out what is no package");
    assert_eq!(missing(&numbered("deb", 100), &numbered("deb", 91)), Missing::default());
}

#[test]
fn a_package_without_a_version_is_not_judged_where_each_has_one() {
    let list = sbom(&["pkg:deb/tar", "pkg:pypi/pyyaml@UNKNOWN", "pkg:gem/rack"]);
    let missing = missing(&Packages::default(), &list);
    assert_eq!(names(&missing.unjudged), ["deb tar", "gem rack", "pypi pyyaml"]);
    assert!(missing.by_name.is_empty());
}

#[test]
fn what_is_no_release_of_a_package_is_nothing_to_judge() {
    // A project's own, which is nowhere released.
    let own = ["pkg:npm/fixture", "pkg:npm/app@UNKNOWN", "pkg:golang/example.com/app@UNKNOWN", "pkg:maven/app/app@UNKNOWN"];
    // What has no ecosystem in trivy's database.
    let others = ["pkg:generic/nginx@1.25", "pkg:huggingface/x@1", "pkg:github/actions/checkout@v4", "pkg:oci/app@sha256:1"];
    for url in own.into_iter().chain(others).chain(["", "pkg:", "pkg:deb", "pkg:deb/", "tar"]) {
        assert_eq!(missing(&Packages::default(), &sbom(&[url])), Missing::default(), "{url}");
    }
    // A program that was built from a checkout.
    let program = sbom(&["pkg:golang/example.com/app@v0.0.0-20260101000000-abcdef012345"]);
    assert_eq!(missing(&looked_up(&["golang example.com/app "]), &program), Missing::default());
    assert_eq!(by_name(&missing(&Packages::default(), &program)).len(), 1, "a module of that version is one");
}

#[test]
fn a_type_without_advisories_is_told_as_a_whole() {
    assert_eq!(names(&missing(&Packages::default(), &numbered("alpm", 3)).unjudged), ["alpm"]);
    let arch = &missing(&Packages::default(), &sbom(&["pkg:alpm/bash@5"])).unjudged[0];
    assert_eq!(arch.why, "trivy knows no advisories for packages of this type, and the SBOM lists 1 package");
}

#[test]
fn what_is_known_to_be_unread_is_told_once() {
    let mut list = Packages::default();
    let file = "app/METADATA";
    list.add(Package::listed("pkg:pypi/pyyaml@5.3", "pyyaml", "5.3", Some(file.to_owned())).unwrap());
    let nothing = Packages::default();
    assert_eq!(nothing.missing(&list, &BTreeSet::from([file]), &[]), Missing::default());
    assert_eq!(nothing.missing(&numbered("rpm", 9), &BTreeSet::new(), &["rpm"]), Missing::default());
    assert_eq!(by_name(&nothing.missing(&list, &BTreeSet::from(["app/other"]), &["rpm"])), ["pypi pyyaml 5.3"]);
}

#[test]
fn each_hyphen_of_a_python_package_may_be_a_dot() {
    let names = |name: &str| Package::looked_up("pypi", name, "1").unwrap().names();
    assert_eq!(names("pyyaml"), ["pyyaml"]);
    assert_eq!(names("zope-interface"), ["zope-interface", "zope.interface"]);
    assert_eq!(names("a-b-c"), ["a-b-c", "a.b-c", "a-b.c", "a.b.c"]);
    assert_eq!(names(&"a-".repeat(100)).len(), 8);
    assert_eq!(Package::looked_up("npm", "a-b", "1").unwrap().names(), ["a-b"]);
}

#[test]
fn the_type_of_a_package_has_no_case() {
    let usual = Package::listed("pkg:pypi/pyyaml@5.3", "pyyaml", "5.3", None);
    assert!(usual.is_some());
    for url in ["pkg:PyPI/pyyaml@5.3", "PKG:pypi/pyyaml@5.3", "pkg:/pypi/pyyaml@5.3", "pkg://pypi/pyyaml@5.3"] {
        assert_eq!(Package::listed(url, "pyyaml", "5.3", None), usual, "{url}");
    }
}
