//! Which values of which files name the image.

use super::*;

/// What becomes of a file of this name.
fn edited(name: &str, file: &str) -> Result<Edited, Refusal> {
    edit(name, file.as_bytes(), &wanted(), None)
}

/// Each `OLD` of a text becomes `NEW`, and nothing else.
fn turns(name: &str, file: &str, values: &[(&str, &str)]) {
    let change = |text: &str, new: bool| {
        values.iter().enumerate().fold(text.to_owned(), |text, (number, (old, value))| {
            text.replace(&format!("<{number}>"), if new { value } else { old })
        })
    };
    assert_eq!(edited(name, &change(file, false)), Ok(Edited::Changed(change(file, true))), "{file}");
    assert_eq!(edited(name, &change(file, true)), Ok(Edited::Unchanged), "{file}");
}

fn refusal(name: &str, file: &str) -> Refusal {
    edited(name, file).unwrap_err()
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {image: 'r.example/shop/web:1'}}
spec:
  template:
    spec:
      initContainers:
        - {name: migrate, image: <0>}
      containers:
        - name: web # r.example/shop/web:1
          image: <0>
          env: [{name: IMAGE, value: 'r.example/shop/web:1'}]
        - name: other
          image: r.example/shop/web-other:1
        - {name: port, image: 'r.example:5000/shop/web:1'}
";

#[test]
fn a_workloads_containers_are_found_by_the_name_of_their_image() {
    let new = &*format!("r.example/shop/web:{}", pin());
    for old in ["r.example/shop/web", "r.example/shop/web:1", &format!("r.example/shop/web@{}", digest())] {
        turns("a.yaml", DEPLOYMENT, &[(old, new)]);
    }
    let pod = "spec:\n      containers: [{name: a, image: <0>}]\n";
    for (kind, file) in [
        ("batch/v1\nkind: CronJob", format!("spec:\n  jobTemplate:\n   spec:\n    template:\n     {pod}")),
        ("v1\nkind: Pod", "spec:\n  containers: [{name: a, image: <0>}]\n".to_owned()),
        ("argoproj.io/v1alpha1\nkind: Rollout", format!("spec:\n    template:\n     {pod}")),
    ] {
        turns("a.yaml", &format!("apiVersion: {kind}\n{file}"), &[("r.example/shop/web:1", new)]);
    }
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  spec:\n    containers:\n    - image: <0>\n";
    turns("a.yaml", list, &[("r.example/shop/web:1", new)]);
}

#[test]
fn a_file_that_names_two_images_of_the_repository_is_left_alone() {
    let file = DEPLOYMENT.replacen("<0>", "r.example/shop/web:1", 1).replacen("<0>", "r.example/shop/web:2", 1);
    assert_eq!(refusal("a.yaml", &file), Refusal { line: 8, reason: Reason::Several(vec![8, 11]) });
}

#[test]
fn a_kustomization_gets_the_digest_and_the_tag() {
    let (digest, name) = (&*digest().to_string(), "r.example/shop/web");
    let (tags, digests) = (("\"1.0\"", "\"prod-0a1b2c3\""), ("sha256:00", digest));
    let head = "kind: Kustomization\nimages:\n";
    turns("kustomization.yaml", &format!("{head}- name: {name}\n  newTag: <0>\n  digest: <1>\n"), &[tags, digests]);
    // Its own name, or the new one that it has already.
    turns("kustomization.yaml", &format!("{head}- name: web\n  newName: {name}\n  digest: <0> # pinned\n"), &[digests]);
    let file = format!("images:\n- name: {name}\n- name: {name}-other\n");
    let after = format!("images:\n- name: {name}\n  newTag: prod-0a1b2c3\n  digest: {digest}\n- name: {name}-other\n");
    assert_eq!(edited("base/kustomization.yml", &file), Ok(Edited::Changed(after)));
    // The short name that the manifests have is someone's to say.
    let file = "images:\n- name: web\n  newTag: x\n";
    assert_eq!(edited("kustomization.yaml", file), Ok(Edited::NotThere));
    let named = Wanted { name: Some("web".into()), ..wanted() };
    let after = format!("images:\n- name: web\n  newTag: prod-0a1b2c3\n  newName: {name}\n  digest: {digest}\n");
    assert_eq!(edit("kustomization.yaml", file.as_bytes(), &named, None), Ok(Edited::Changed(after)));
}

#[test]
fn a_charts_values_are_a_triple_or_one_text_at_any_depth() {
    let pin = &*pin();
    let digest = &*digest().to_string();
    turns(
        "values.yaml",
        "image:\n  repository: r.example/shop/web\n  tag: <0>\n",
        &[("old", &format!("\"{pin}\""))].map(|(old, _)| (old, pin)),
    );
    turns(
        "values.yaml",
        "web:\n- a: 1\n- image:\n    registry: r.example\n    repository: shop/web\n    tag: \"<0>\"\n    digest: '<1>'\n",
        &[("", "prod-0a1b2c3"), ("sha256:00", digest)],
    );
    turns(
        "values.yaml",
        "jobs: {webImage: \"<0>\", x: r.example/shop/web:1}\n",
        &[("r.example/shop/web:1", &format!("r.example/shop/web:{pin}"))],
    );
    for file in
        ["image:\n  registry: other.example\n  repository: shop/web\n  tag: x\n", "image:\n  repository: r.example/shop/web2\n"]
    {
        assert_eq!(edited("values.yaml", file), Ok(Edited::NotThere), "{file}");
    }
}

#[test]
fn an_application_of_argo_cd_names_images_and_parameters() {
    let pin = &*pin();
    let head = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n";
    let whole = &*format!("r.example/shop/web:{pin}");
    turns(
        "app.yaml",
        &format!("{head}  source: {{kustomize: {{images: ['<0>', \"x=y:1\", 'web=<0>']}}}}\n"),
        &[("r.example/shop/web:1", whole)],
    );
    let parameters = "helm:\n      parameters:\n      - name: image.repository\n        value: r.example/shop/web\n      - {name: image.tag, value: \"<0>\", forceString: true}\n";
    turns("app.yaml", &format!("{head}  sources:\n  - path: x\n  - {parameters}"), &[("1", pin)]);
    let values = "  source:\n    helm:\n      valuesObject:\n        image: {repository: r.example/shop/web, tag: '<0>'}\n";
    turns("app.yaml", &format!("{head}{values}"), &[("1", pin)]);
    let set = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec:\n  template:\n    spec:\n      source: {kustomize: {images: ['<0>']}}\n";
    turns("app.yaml", set, &[("r.example/shop/web:1", whole)]);
}

#[test]
fn a_release_of_flux_has_values() {
    let file = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  chart: {spec: {image: 'r.example/shop/web:1'}}\n  values:\n    image:\n      repository: r.example/shop/web\n      tag: <0>\n";
    turns("release.yaml", file, &[("old", &pin())]);
}

#[test]
fn a_way_that_is_given_leads_to_one_place() {
    let at = |file: &str, way: &str| edit("x.yaml", file.as_bytes(), &wanted(), Some(&way.parse().unwrap()));
    let pin = pin();
    let changed = |text: String| Ok(Edited::Changed(text));
    assert_eq!(at("a: {b: x}\n", "a.b"), changed(format!("a: {{b: r.example/shop/web:{pin}}}\n")));
    assert_eq!(at("a: 1\n---\nimage: {tag: x}\n", "image.tag"), changed(format!("a: 1\n---\nimage: {{tag: {pin}}}\n")));
    assert_eq!(at("digest: x\n", "digest"), changed(format!("digest: {}\n", digest())));
    assert_eq!(at("a: x\n---\na: y\n", "a").unwrap_err(), Refusal { line: 1, reason: Reason::Several(vec![1, 3]) });
    assert!(matches!(at("a: {b: x}\n", "a.c").unwrap_err(), Refusal { line: 1, reason: Reason::Missing(_) }));
}

#[test]
fn what_has_two_readings_or_none_is_refused_with_its_line() {
    let head = "kind: Deployment\nspec:\n template:\n  spec:\n   containers:\n";
    let image = "r.example/shop/web:1";
    for (file, line, is) in [
        (
            format!("{head}   - &a {{image: {image}}}\n   - <<: *a\n"),
            7,
            (|reason| matches!(reason, Reason::Merge)) as fn(&Reason) -> bool,
        ),
        (format!("{head}   - image: {image}\n     image: {image}\n"), 7, |reason| matches!(reason, Reason::Twice(_))),
        (format!("{head}   - image: >-\n      {image}\n"), 6, |reason| matches!(reason, Reason::Block)),
        (format!("{head}   - {{image: !x {image}}}\n"), 6, |reason| matches!(reason, Reason::Unproven)),
        (format!("{head}\t- image: {image}\n"), 6, |reason| matches!(reason, Reason::Syntax(_))),
        (format!("{head}   - image: {image}\n     a: {{{{ .x }}}}\n"), 7, |reason| matches!(reason, Reason::Syntax(_))),
        (format!("{head}   - image: {image}\n     x: 1\n     x: 2\n"), 6, |reason| matches!(reason, Reason::Syntax(_))),
        ("image: {repository: r.example/shop/web}\n".into(), 1, |reason| matches!(reason, Reason::NoPlace(_))),
        ("b: &b {tag: 1}\nimage:\n  <<: *b\n  repository: r.example/shop/web\n".into(), 3, |reason| {
            matches!(reason, Reason::Merge)
        }),
        ("t: &t x\nimage:\n  repository: r.example/shop/web\n  tag: *t\n".into(), 4, |reason| matches!(reason, Reason::Alias)),
        ("image:\n  repository: r.example/shop/web\n  tag: [x]\n".into(), 3, |reason| matches!(reason, Reason::NoScalar)),
    ] {
        let refusal = refusal("x.yaml", &file);
        assert!(is(&refusal.reason), "{file}: {refusal}");
        assert_eq!(refusal.line, line, "{file}: {refusal}");
    }
}
