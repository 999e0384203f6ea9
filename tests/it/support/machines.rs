//! Two builders that know nothing of each other, as those of two machines, and a source by whose image one sees whether its steps
//! were run.

use std::fs;

use serde_json::Value;

use crate::support::{Delivery, Engine, Source, engines, job};

const BASE: &str = "debian:bookworm-slim";

/// Two builders, each of which can write to a cache.
pub fn machines() -> [Engine; 2] {
    let [_, containerd, buildkitd] = <[Engine; 3]>::try_from(engines()).unwrap();
    [buildkitd, containerd]
}

/// A source whose steps come to something else each time that they are run, that of the image and that of a stage before it,
/// and which no builder has seen.
pub fn source() -> Source {
    let id: u64 = rand::random();
    let roll = format!(": {id}; head -c 24 /dev/urandom | base64");
    let dockerfile = format!(
        "FROM {BASE} AS build\nRUN {roll} > /built\nFROM {BASE}\nCOPY --from=build /built /built\nRUN {roll} > /own\n\
         COPY file /file\n"
    );
    Source::in_git(&[("Dockerfile", &dockerfile), ("file", &format!("{id}\n"))])
}

/// A delivery by a push to main, for an environment, by a builder that is the job's own. Nothing is dated, since the two kinds of
/// builders differ in what they can date.
pub fn push(source: &Source, engine: &Engine, environment: &str) -> Delivery {
    let _ = fs::remove_dir_all(source.beside("image"));
    let delivery = job::in_job(source, Vec::new()).flag("--environment", environment).on(engine);
    delivery
        .flag("--sbom-formats", "spdx-json")
        .flag("--secrets-history", "none")
        .flag("--builder-cache", "own")
        .flag("--reproducible", "false")
}

/// The same delivery as a run for a fork's pull request for main.
pub fn as_pull_request(source: &Source, delivery: Delivery) -> Delivery {
    let head = job::commit(source);
    let side = |branch: &str, id: u32| format!(r#"{{"ref":"{branch}","sha":"{head}","repo":{{"id":{id}}}}}"#);
    let event = source.beside("event.json");
    fs::write(&event, format!(r#"{{"pull_request":{{"number":1,"head":{},"base":{}}}}}"#, side("x", 2), side("main", 1)))
        .unwrap();
    delivery
        .variable("GITHUB_EVENT_NAME", "pull_request")
        .variable("GITHUB_EVENT_PATH", event.to_str().unwrap())
        .variable("GITHUB_REF", "refs/pull/1/merge")
}

/// What the record says of the cache.
pub fn cache(source: &Source) -> Value {
    source.record()["build_cache"].clone()
}

/// How many steps were there, and how many there are.
pub fn hits(source: &Source) -> (usize, usize) {
    let cache = cache(source);
    let steps = cache["steps"].as_array().unwrap();
    (steps.iter().filter(|step| step["cached"] == true).count(), steps.len())
}

/// The digest of the image that was built.
pub fn digest(source: &Source) -> String {
    source.record()["image"]["digest"].as_str().unwrap().to_owned()
}
