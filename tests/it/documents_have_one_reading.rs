//! What is published is what was scanned, whoever reads it: a document that two readers take for two things is refused, the
//! key named, and no tag is set.

use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, rule};
use doubles::registry::{Options, Registry, crane};
use serde_json::{Value, json};

use crate::support::job::clean;
use crate::support::{Delivery, Source, part, read_json, script, tool};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A commit whose image is in a registry, as another environment's delivery left it.
struct Stage {
    source: Source,
    registry: Registry,
    sha: String,
}

impl Stage {
    fn set() -> Self {
        let (source, registry) = (clean(), Registry::start(Options::default()));
        let sha = source.git(&["rev-parse", "--short=7", "HEAD"]);
        Self { source, registry, sha }
    }

    fn deliver(&self, environment: &str, registry: &str) -> Delivery {
        let delivery = self.source.deliver().flag("--destination", &format!("{registry}/app"));
        delivery.flag("--environment", environment).flag("--tags", "{sha},{env}-{sha}")
    }

    fn crane(&self, command: &str, reference: &str) -> String {
        crane(&[command, "--insecure", &format!("{}/app{reference}", self.registry.address)])
    }

    fn tags(&self) -> Vec<String> {
        self.crane("ls", "").lines().map(str::to_owned).collect()
    }

    /// A manifest of the repository, as its descriptor names it.
    fn described(&self, tag: &str) -> Value {
        let manifest = self.crane("manifest", &format!(":{tag}"));
        let digest = self.crane("digest", &format!(":{tag}"));
        json!({"mediaType": MANIFEST, "digest": digest, "size": manifest.len(),
            "platform": {"os": "linux", "architecture": "amd64"}})
    }

    /// The registry, with `content` in place of what the tag of the commit, or a digest, names.
    async fn with(&self, at: &str, media_type: &'static str, content: &str) -> Proxy {
        let rules = vec![rule("GET", format!("/manifests/{at}"), ALWAYS, Fault::Content(media_type, content.into()))];
        Proxy::start(&self.registry.address, Challenge::Nothing, rules).await
    }
}

/// An index of two images, of which the second is never scanned, with what names it where the first is named.
fn indexes(one: &Value, other: &Value, annotations: &Value) -> Vec<(&'static str, String)> {
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "annotations": annotations, "manifests": [one]}).to_string();
    let digest = one["digest"].as_str().unwrap();
    let before = |key: &str| format!(r#"{},"digest":"{digest}""#, key.replace("OTHER", other["digest"].as_str().unwrap()));
    let named = format!(r#""digest":"{digest}""#);
    let end = |more: &str| index.strip_suffix('}').unwrap().to_owned() + more;
    vec![
        ("Manifests", end(&format!(r#","Manifests":[{other}]}}"#))),
        ("manifests", end(&format!(r#","manifests":[{other}]}}"#))),
        ("Digest", index.replace(&named, &before(r#""Digest":"OTHER""#))),
        ("digest", index.replace(&named, &before(r#""\u0064igest":"OTHER""#))),
        ("Size", index.replace(&named, &before(r#""Size":1"#))),
        ("layers", end(&format!(r#","config":{other},"layers":[]}}"#))),
        (MANIFEST, index.replacen(INDEX, MANIFEST, 1)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_with_two_readings_is_not_promoted() {
    let stage = Stage::set();
    stage.deliver("dev", &stage.registry.address).ends_with(0);
    stage.deliver("dev", &stage.registry.address).flag("--tags", "other").flag("--labels", "a=b").ends_with(0);
    let annotations = serde_json::from_str::<Value>(&stage.crane("manifest", ":other")).unwrap()["annotations"].clone();
    let before = stage.tags();
    for (key, index) in indexes(&stage.described(&stage.sha), &stage.described("other"), &annotations) {
        let proxy = stage.with(&stage.sha, INDEX, &index).await;
        let ended = stage.deliver("prod", &proxy.address).ends_with(1);
        ended.says("serves a document that has two readings").says(key).says("Find out who pushed it");
        assert_eq!((stage.tags(), proxy.count("PUT", "/manifests/")), (before.clone(), 0), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_whose_manifest_or_configuration_has_two_readings_is_not_taken_for_delivered() {
    let stage = Stage::set();
    stage.deliver("dev", &stage.registry.address).ends_with(0);
    let manifest = stage.crane("manifest", &format!(":{}", stage.sha));
    let begun = |with: &str| manifest.replacen('{', &format!("{{{with},"), 1);
    for (key, manifest) in [("Layers", begun(r#""Layers":[]"#)), ("Config", begun(r#""Config":{}"#))] {
        let proxy = stage.with(&stage.sha, MANIFEST, &manifest).await;
        stage.deliver("dev", &proxy.address).ends_with(1).says("two readings").says(key);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_manifest_of_one_platform_has_an_sbom_of_its_own() {
    let stage = Stage::set();
    for tag in ["one", "two"] {
        let labels = format!("number={tag}");
        stage.deliver("local", &stage.registry.address).flag("--tags", tag).flag("--labels", &labels).ends_with(0);
    }
    let entries = ["one", "two"].map(|tag| stage.described(tag));
    assert_ne!(entries[0]["digest"], entries[1]["digest"]);
    let annotations = serde_json::from_str::<Value>(&stage.crane("manifest", ":one")).unwrap()["annotations"].clone();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "annotations": annotations, "manifests": entries}).to_string();
    let put = reqwest::Client::new().put(format!("http://{}/v2/app/manifests/{}", stage.registry.address, stage.sha));
    assert!(put.header("content-type", INDEX).body(index).send().await.unwrap().status().is_success());

    stage.deliver("dev", &stage.registry.address).ends_with(0).says("the image that local has");
    let record = stage.source.record();
    let platforms = record["image"]["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 2, "{record}");
    for (platform, entry) in platforms.iter().zip(&entries) {
        assert_eq!(platform["digest"], entry["digest"]);
        let sboms = platform["sboms"].as_array().unwrap();
        assert_eq!(sboms.len(), 2);
        for sbom in sboms {
            let text = std::fs::read_to_string(stage.source.beside("report").join(sbom.as_str().unwrap())).unwrap();
            let other = entries.iter().find(|other| other["digest"] != entry["digest"]).unwrap();
            assert!(text.contains(entry["digest"].as_str().unwrap()), "{sbom}");
            assert!(!text.contains(other["digest"].as_str().unwrap()), "{sbom}");
        }
    }
    assert_eq!(std::fs::read_dir(stage.source.beside("report/sbom")).unwrap().count(), 4);
}

#[test]
fn a_platform_that_is_named_twice_is_built_once() {
    for (platforms, expected) in [
        ("linux/amd64,linux/amd64", vec!["linux/amd64"]),
        ("linux/arm64,linux/arm64/v8,linux/aarch64", vec!["linux/arm64"]),
        ("linux/x86_64,linux/arm64,linux/amd64/v1", vec!["linux/amd64", "linux/arm64"]),
    ] {
        let source = clean();
        source.deliver().flag("--platforms", platforms).ends_with(0);
        let record = source.record();
        let built: Vec<_> = record["image"]["platforms"].as_array().unwrap().iter().map(|one| &one["platform"]).collect();
        assert_eq!(built, expected, "{platforms}");
        assert_eq!(
            source.image().index()["manifests"].as_array().unwrap().len(),
            record["publication"]["tags"].as_array().unwrap().len()
        );
    }
}

#[test]
fn a_layout_whose_index_has_two_readings_is_not_delivered_to() {
    let source = clean();
    source.deliver().ends_with(0);
    let path = source.beside("image/index.json");
    let index = std::fs::read_to_string(&path).unwrap();
    let hostile = index.replacen('{', r#"{"Manifests":[],"#, 1);
    std::fs::write(&path, &hostile).unwrap();
    source.deliver().ends_with(1).says("index.json is not valid in an image layout").says("\"Manifests\" is \"manifests\"");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), hostile);
}

#[test]
fn a_report_with_two_readings_is_no_scan() {
    for (program, command, name, twice) in [
        ("trivy", "image", "Results", "results"),
        ("syft", "scan", "packages", "Packages"),
        ("gitleaks", "git", "RuleID", "ruleID"),
    ] {
        let source = clean();
        let real = tool(program);
        // The real program, whose report says one thing more at its end.
        let report = match program {
            "trivy" => "--output ",
            "syft" => "--output=spdx-json=",
            _ => "--report-path ",
        };
        let change = if program == "gitleaks" {
            // A leak that it also counts, so that the report alone is at fault.
            format!(
                r#"[{{"{name}":"x","{twice}":"y","Description":"","File":"a","StartLine":1,"EndLine":1,"StartColumn":1,"EndColumn":1}}]"#
            )
        } else {
            String::new()
        };
        let text = format!(
            "#!/bin/bash\n\"{}\" \"$@\" || exit\nPATH=/usr/bin:/bin\nreport=$(grep -oE -- '{report}[^ ]+' <<<\"$*\" | head -n1)\nreport=${{report#{report}}}\n\
             [[ \" $* \" == *' {command} '* && -s $report ]] || exit 0\n\
             if [[ -n '{change}' ]]; then echo '{change}' >\"$report\"; else sed -i '$s/}}[[:space:]]*$/,\"{twice}\":[]}}/' \"$report\"; fi\n",
            real.display()
        );
        script(&source.beside(&format!("bin/{program}")), &text);
        let path = format!("{}:{}:/usr/bin:/bin", source.beside("bin").display(), part("TOOLS"));
        let ended = source.deliver().path(&path).without_sandbox().flag("--environment", "prod").ends_with(1);
        ended.says(&format!("{program} gave no usable answer")).says(twice);
        assert!(!source.beside("image").exists());
        let record = read_json(&source.beside("report/record.json"));
        assert_eq!(record["result"], "failed", "{program}");
    }
}
