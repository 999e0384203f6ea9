//! Inputs as workflows and other actions write them, and git tags as people leave them.

use std::path::Path;

use serde_json::Value;

use crate::support::job::{clean, commit};
use crate::support::{Source, part};

fn manifest_of(source: &Source) -> Value {
    source.image().manifest()
}

#[test]
fn a_place_before_an_annotations_key_is_read_and_no_part_of_the_key() {
    let source = clean();
    // As docker/metadata-action writes them, with DOCKER_METADATA_ANNOTATIONS_LEVELS.
    let annotations = "manifest:org.opencontainers.image.title=app\n\
                       manifest,index:org.opencontainers.image.url=https://example.com/?a=b&c=d\n\
                       index:only.of.the.index=x\nmanifest-descriptor:of.the.entry=y\nplain=z:w";
    let ended = source.deliver().flag("--annotations", annotations).ends_with(0);
    ended.says("no place for these annotations: only.of.the.index");
    let manifest = manifest_of(&source);
    let on_manifest = &manifest["annotations"];
    assert_eq!(on_manifest["org.opencontainers.image.title"], "app");
    assert_eq!(on_manifest["org.opencontainers.image.url"], "https://example.com/?a=b&c=d");
    assert_eq!(on_manifest["plain"], "z:w");
    assert!(on_manifest.as_object().unwrap().keys().all(|key| !key.contains(':')), "{on_manifest}");
    assert_eq!(source.image().index()["manifests"][0]["annotations"]["of.the.entry"], "y");
}

#[test]
fn annotations_of_an_index_and_of_one_platform_are_where_they_belong() {
    let source = clean();
    let annotations = "index:a=of the index\nmanifest[linux/arm64]:a=of arm64\nmanifest-descriptor[linux/amd64]:b=of its entry";
    let delivery = source.deliver().flag("--platforms", "linux/amd64,linux/arm64").flag("--annotations", annotations);
    delivery.ends_with(0).does_not_say("no place for these annotations");
    let layout = source.image();
    let index = layout.document(layout.index()["manifests"][0]["digest"].as_str().unwrap());
    assert_eq!(index["annotations"]["a"], "of the index");
    for entry in index["manifests"].as_array().unwrap() {
        let manifest = layout.document(entry["digest"].as_str().unwrap());
        let (expected, beside) = match entry["platform"]["architecture"].as_str().unwrap() {
            "arm64" => ("of arm64".into(), Value::Null),
            _ => (Value::Null, "of its entry".into()),
        };
        assert_eq!((&manifest["annotations"]["a"], &entry["annotations"]["b"]), (&expected, &beside), "{entry}");
    }
}

#[test]
fn an_annotation_that_buildx_would_not_take_is_an_error_that_names_it() {
    let source = clean();
    for line in ["layer:a=b", "index[linux/amd64]:a=b", "manifest-descriptor:org.opencontainers.image.ref.name=latest"] {
        source.run("plan").flag("--annotations", line).ends_with(2).says(line);
    }
}

#[test]
fn what_the_image_says_of_its_delivery_is_said_by_no_annotation_of_any_place() {
    let source = clean();
    let planted = "manifest:gp-deliver.environment=prod\nmanifest[linux/amd64]:org.opencontainers.image.revision=x";
    source.deliver().flag("--environment", "dev").flag("--annotations", planted).ends_with(0);
    let annotations = &manifest_of(&source)["annotations"];
    assert_eq!(annotations["gp-deliver.environment"], "dev");
    assert_eq!(annotations["org.opencontainers.image.revision"], commit(&source).as_str());
}

#[test]
fn a_line_end_after_any_input_of_a_workflow_is_no_part_of_it() {
    let source = clean();
    source.write("app/Other.Dockerfile", "FROM scratch\nCOPY Other.Dockerfile /\n");
    source.commit("an app");
    let usual = source.run("deliver").command();
    // Only variables, as the runner passes the inputs of a container's action.
    let mut deliver = std::process::Command::new(usual.get_program());
    deliver.args(["deliver\n"]).env_clear().envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    deliver.current_dir(source.context()).stdin(std::process::Stdio::null());
    for (name, value) in [
        ("INPUT_BUILD-CONTEXT", "app".to_owned()),
        ("INPUT_DOCKERFILE-PATH", "app/Other.Dockerfile".to_owned()),
        ("INPUT_ENVIRONMENT", "dev".to_owned()),
        ("INPUT_DESTINATION", format!("oci:{}", source.beside("image").display())),
        ("INPUT_REPORT-DIR", source.beside("report").display().to_string()),
        ("INPUT_TRIVY-DB-REPOSITORY", format!("oci:{}:2", part("TRIVY_DB"))),
        ("INPUT_PUBLISH", "true".to_owned()),
        ("INPUT_TAGS", "{sha}\nlatest\n".to_owned()),
    ] {
        deliver.env(name, format!("{value}\n"));
    }
    let event = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/events/push-development.json");
    deliver.envs([("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "push"), ("GITHUB_REF", "refs/heads/development")]);
    deliver.env("GITHUB_EVENT_PATH", event).env("GITHUB_SHA", commit(&source)).env("GITHUB_WORKSPACE", source.context());
    let output = deliver.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(source.beside("report/record.json").exists());
    let tags: Vec<_> = source.image().tags().into_keys().collect();
    assert_eq!(tags.len(), 2, "{tags:?}");
    assert!(source.image().files().contains_key("Other.Dockerfile"));
}

#[test]
fn of_several_git_tags_on_the_commit_the_highest_release_is_the_version() {
    let source = clean();
    for (tag, expected) in [("v1.2.3-rc.1", "1.2.3-rc.1"), ("v1.2.3", "1.2.3"), ("vnext", "1.2.3"), ("v1.10.0-rc.1", "1.2.3")] {
        source.git(&["tag", tag]);
        let ended = source.run("plan").flag("--tags", "{version}").ends_with(0);
        let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
        let tag = &plan["tags"][0];
        assert_eq!(tag.as_str().or(tag["tag"].as_str()), Some(expected), "{plan}");
    }
}
