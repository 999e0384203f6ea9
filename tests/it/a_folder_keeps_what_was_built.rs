//! A build takes the steps that another builder has run from a folder of this machine, comes to the same image by them, and is
//! neither ended nor changed by a folder that is spoilt, full or somebody else's.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::buildkitd::Buildkitd;
use crate::support::machines::{self, as_pull_request, cache, digest, hits, machines, source};
use crate::support::{Delivery, Ended, Engine, Source, engines, secret};

const BASE: &str = "debian:bookworm-slim";

/// A folder for each environment, beside the source.
fn folders(source: &Source) -> String {
    source.beside("caches/{env}").display().to_string()
}

fn folder(source: &Source, environment: &str) -> PathBuf {
    source.beside("caches").join(environment)
}

/// A delivery with a cache in a folder.
fn push(source: &Source, engine: &Engine, environment: &str) -> Delivery {
    machines::push(source, engine, environment).flag("--cache", "local").flag("--cache-folder", &folders(source))
}

/// The files of a folder, with what is in each.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![(path.clone(), fs::read(&path).unwrap())] };
    let files = entries.flat_map(read);
    let mut files: Vec<_> = files.collect();
    files.sort();
    files
}

/// The names of the entries of a folder.
fn entries(folder: &Path) -> Vec<String> {
    let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let name = |entry: &Value| entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap().to_owned();
    index["manifests"].as_array().unwrap().iter().map(name).collect()
}

/// Copies a folder as an archive does that is packed and unpacked.
fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn the_second_builder_runs_no_step_and_comes_to_the_same_image() {
    let [one, two] = machines();
    for (first, second) in [(&one, &two), (&two, &one)] {
        let source = source();
        push(&source, first, "dev").ends_with(0);
        assert_eq!((&cache(&source)["read"], &cache(&source)["written"]), (&"empty".into(), &"written".into()));
        assert_eq!((&cache(&source)["place"], hits(&source).0), (&"local".into(), 0), "{}", cache(&source));
        let built = digest(&source);

        push(&source, second, "dev").ends_with(0).says("build cache: 4 of 4 steps there");
        assert_eq!((&cache(&source)["read"], &cache(&source)["written"]), (&"read".into(), &"unchanged".into()));
        assert_eq!((digest(&source), hits(&source)), (built, (4, 4)), "{}", second.name);

        // What is new goes there beside what was there, and what is not needed any more does not stay.
        source.write("file", "another\n");
        source.commit("another");
        push(&source, second, "dev").ends_with(0);
        assert_eq!((hits(&source), &cache(&source)["written"]), ((3, 4), &"written".into()));
        source.write("file", "a third\n");
        source.commit("a third");
        let before = files(&folder(&source, "dev")).len();
        push(&source, second, "dev").ends_with(0);
        assert_eq!((files(&folder(&source, "dev")).len(), entries(&folder(&source, "dev")).len()), (before, 1));
    }
}

/// A source of which any builder of one kind makes the same image.
fn steady() -> Source {
    let id: u64 = rand::random();
    let dockerfile = format!(
        "FROM {BASE} AS build\nRUN echo {id} > /built\nFROM {BASE}\nCOPY --from=build /built /built\nRUN echo {id} > /own\n"
    );
    Source::in_git(&[("Dockerfile", &dockerfile), ("file", "1\n")])
}

#[test]
fn with_the_cache_and_without_it_comes_the_same_image() {
    let source = steady();
    let daemons = [Buildkitd::start(), Buildkitd::start(), Buildkitd::start()];
    let [one, two, three] = daemons.each_ref().map(Buildkitd::engine);
    push(&source, &one, "dev").without("--reproducible").ends_with(0);
    let built = digest(&source);
    push(&source, &two, "dev").without("--reproducible").ends_with(0);
    assert_eq!((hits(&source), digest(&source)), ((3, 3), built.clone()), "{}", cache(&source));
    machines::push(&source, &three, "dev").without("--reproducible").ends_with(0);
    assert_eq!((cache(&source), digest(&source)), (Value::Null, built));
}

#[test]
fn a_pull_request_takes_what_its_base_has_left_and_leaves_nothing() {
    let [one, two] = machines();
    for environment in ["dev", "prod"] {
        let early = source();
        as_pull_request(&early, push(&early, &two, environment)).ends_with(0);
        assert_eq!((&cache(&early)["read"], early.beside("caches").exists()), (&"empty".into(), false));
        let source = source();
        push(&source, &one, environment).ends_with(0);
        let (left, built) = (files(&folder(&source, environment)), digest(&source));

        as_pull_request(&source, push(&source, &two, environment)).ends_with(0);
        assert_eq!((hits(&source), digest(&source)), ((4, 4), built.clone()), "{environment}: {}", cache(&source));
        source.write("file", "the change\n");
        source.commit("a change");
        as_pull_request(&source, push(&source, &two, environment)).ends_with(0);
        assert_eq!((hits(&source), &cache(&source)["written"]), ((3, 4), &Value::Null), "{environment}");
        // Nor does a run that publishes nothing in a job that could.
        push(&source, &two, environment).flag("--publish", "false").ends_with(0).says("publishes nothing");
        assert_eq!((&cache(&source)["place"], files(&folder(&source, environment)) == left), (&Value::Null, true));
    }
}

#[test]
fn a_blocking_environment_takes_what_it_has_written_in_a_folder_of_its_own_and_nothing_else() {
    let [one, two] = machines();
    let source = source();
    push(&source, &one, "dev").ends_with(0);
    push(&source, &two, "prod").ends_with(0);
    assert_eq!((&cache(&source)["read"], hits(&source).0), (&"empty".into(), 0), "what dev has left is dev's");
    let built = digest(&source);
    push(&source, &one, "prod").ends_with(0);
    assert_eq!((&cache(&source)["read"], hits(&source), digest(&source)), (&"read".into(), (4, 4), built));

    // Restored by a runner, or from an archive, by whoever may write that.
    let own = folder(&source, "prod");
    fs::rename(&own, source.beside("aside")).unwrap();
    copied(&source.beside("aside"), &own);
    let daemon = Buildkitd::start();
    push(&source, &daemon.engine(), "prod").ends_with(0).says("prod takes nothing from it");
    assert_eq!((&cache(&source)["read"], &cache(&source)["written"]), (&"withheld".into(), &"written".into()));
    assert_eq!(hits(&source).0, 0);
    // A pull request, of which nothing is published, does.
    let daemon = Buildkitd::start();
    as_pull_request(&source, push(&source, &daemon.engine(), "prod")).ends_with(0);
    assert_eq!(hits(&source), (4, 4), "{}", cache(&source));

    // One that is not said to be its own.
    let shared = source.beside("shared").display().to_string();
    let to_all = |engine: &Engine| push(&source, engine, "prod").without("--cache-folder").flag("--cache-folder", &shared);
    let daemons = [Buildkitd::start(), Buildkitd::start()];
    for daemon in &daemons {
        to_all(&daemon.engine()).ends_with(0).says("takes nothing from it");
        assert_eq!((&cache(&source)["read"], hits(&source).0), (&"withheld".into(), 0));
    }
    assert!(source.summary().contains("takes nothing from it"), "{}", source.summary());
}

#[test]
fn what_was_put_into_prods_folder_by_others_is_not_taken_and_does_not_stay() {
    let [one, two] = machines();
    let source = source();
    push(&source, &one, "prod").ends_with(0);
    // Something is restored into the folder: the index is another one, of a cache that is whole.
    let index = folder(&source, "prod").join("index.json");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, format!("{text}\n")).unwrap();
    push(&source, &two, "prod").ends_with(0).says("prod takes nothing from it");
    assert_eq!((&cache(&source)["read"], hits(&source).0), (&"withheld".into(), 0));
    let built = digest(&source);
    let daemon = Buildkitd::start();
    push(&source, &daemon.engine(), "prod").ends_with(0);
    assert_eq!((hits(&source), digest(&source)), ((4, 4), built), "what was built since is prod's own");
}

#[test]
fn a_folder_that_is_not_this_users_alone_or_in_the_source_is_not_used() {
    let [one, _] = machines();
    let source = source();
    let at =
        |path: &Path| push(&source, &one, "dev").without("--cache-folder").flag("--cache-folder", &path.display().to_string());
    let refused = |path: &Path, why: &str| {
        let before = files(path);
        source.commit("again");
        at(path).ends_with(0).says("the cache's folder is not used").says(why);
        assert_eq!((&cache(&source)["place"], files(path)), (&Value::Null, before));
    };
    let shared = source.beside("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    refused(&shared, "others may write to it");
    symlink(source.beside("shared"), source.beside("link")).unwrap();
    refused(&source.beside("link"), "is a link");
    let strangers = source.beside("strangers");
    fs::create_dir(&strangers).unwrap();
    fs::set_permissions(&strangers, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(strangers.join("precious"), "x").unwrap();
    refused(&strangers, "is no part of a build cache");
    refused(&source.context().join("cache"), "is in the source");
    assert!(!source.context().join("cache").exists());
}

/// What the first builder has left for dev is spoilt, and read by another.
fn spoilt(spoil: impl FnOnce(&Path)) -> (Source, Ended) {
    let daemons = [Buildkitd::start(), Buildkitd::start()];
    let source = source();
    push(&source, &daemons[0].engine(), "dev").ends_with(0);
    spoil(&folder(&source, "dev"));
    source.write("file", "another\n");
    source.commit("another");
    let ended = push(&source, &daemons[1].engine(), "dev").ends_with(0);
    let files = source.image().files();
    assert_eq!(files["file"], b"another\n", "{ended}");
    assert!(files.contains_key("built") && files.contains_key("own"), "{ended}");
    assert_eq!(source.record()["result"], "delivered", "{ended}");
    // The next one finds it whole.
    let daemon = Buildkitd::start();
    push(&source, &daemon.engine(), "dev").ends_with(0);
    assert_eq!(hits(&source), (4, 4), "{}", cache(&source));
    (source, ended)
}

/// The blobs of a folder.
fn blobs(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn blobs_that_are_spoilt_make_a_build_slower_and_nothing_else() {
    let spoil = |folder: &Path| {
        let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
        let manifest = index["manifests"][0]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
        // All but what says what there is.
        let bytes = fs::read(folder.join("blobs/sha256").join(&manifest)).unwrap();
        let config: Value = serde_json::from_slice(&bytes).unwrap();
        let config = config["config"]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
        for blob in blobs(folder).into_iter().filter(|blob| !blob.ends_with(&manifest) && !blob.ends_with(&config)) {
            let mut bytes = fs::read(&blob).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(blob, bytes).unwrap();
        }
    };
    spoilt(spoil);
}

#[test]
fn manifests_that_are_spoilt_lost_or_links_make_a_build_slower_and_nothing_else() {
    spoilt(|folder| blobs(folder).into_iter().for_each(|blob| fs::write(blob, "{}").unwrap()));
    spoilt(|folder| blobs(folder).into_iter().for_each(|blob| fs::remove_file(blob).unwrap()));
    spoilt(|folder| {
        fs::create_dir(folder.parent().unwrap().join("aside")).unwrap();
        for blob in blobs(folder) {
            let aside = folder.parent().unwrap().join("aside").join(blob.file_name().unwrap());
            fs::rename(&blob, &aside).unwrap();
            symlink(aside, blob).unwrap();
        }
    });
}

#[test]
fn an_index_that_is_spoilt_or_says_what_is_not_there_makes_a_build_slower_and_nothing_else() {
    spoilt(|folder| fs::write(folder.join("index.json"), "{").unwrap());
    spoilt(|folder| {
        // An image of somebody's, in the place of each entry.
        let path = folder.join("index.json");
        let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let image = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
        });
        let image = serde_json::to_vec(&image).unwrap();
        let digest = doubles::aws::stranger::digest_of(&image);
        for entry in index["manifests"].as_array_mut().unwrap() {
            entry["digest"] = digest.clone().into();
            entry["size"] = image.len().into();
        }
        fs::write(folder.join("blobs/sha256").join(digest.trim_start_matches("sha256:")), image).unwrap();
        fs::write(path, serde_json::to_vec(&index).unwrap()).unwrap();
    });
}

#[test]
fn a_full_disk_is_said_and_takes_nothing_back() {
    let [one, _] = machines();
    let source = source();
    let small = source.beside("caches");
    fs::create_dir_all(&small).unwrap();
    // In a mount namespace of its own, the caches are on a disk of eight megabytes.
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c"]);
    command.arg(r#"mount -t tmpfs -o size=8m tmpfs "$0" && "$@""#).arg(&small);
    let deliver = push(&source, &one, "dev").command();
    command.arg(deliver.get_program()).args(deliver.get_args()).env_clear();
    command.envs(deliver.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = Ended::from(command.current_dir(source.beside("")).output().unwrap());
    assert_eq!((ended.code, &cache(&source)["written"]), (Some(0), &"failed".into()), "{ended}");
    ended.says("the cache could not be written").says("are free");
    assert_eq!(source.record()["result"], "delivered");
}

#[test]
fn an_engine_that_writes_to_no_cache_says_so_once_and_goes_on() {
    let source = source();
    let ended = push(&source, &engines()[0], "dev").ends_with(0);
    let said = ended.stderr.matches("can't write to such a cache").count();
    assert_eq!((said, &cache(&source)["written"]), (1, &"failed".into()), "{ended}");
}

#[test]
fn a_builder_that_others_use_is_given_nothing_of_it_and_what_is_blocked_does_not_go_there() {
    let [one, two] = machines();
    let source = source();
    push(&source, &one, "dev").ends_with(0);
    let left = files(&folder(&source, "dev"));
    source.commit("again");
    push(&source, &two, "dev").flag("--builder-cache", "isolated").ends_with(0).says("not known to be this job's alone");
    assert_eq!((&cache(&source)["place"], files(&folder(&source, "dev")) == left), (&Value::Null, true));
    source.write("file", &format!("TOKEN={}\n", secret()));
    source.commit("a leak");
    push(&source, &one, "prod").ends_with(3);
    assert_eq!((cache(&source)["written"].clone(), entries(&folder(&source, "prod"))), (Value::Null, Vec::new()));
}

#[test]
fn check_stages_and_each_platform_have_entries_of_their_own() {
    let daemons = [Buildkitd::start(), Buildkitd::start()];
    let [one, two] = [daemons[0].engine(), daemons[1].engine()];
    let id: u64 = rand::random();
    let dockerfile = format!("FROM {BASE} AS lint\nRUN echo {id} > /lint\nFROM scratch\nCOPY file /file\nCOPY file /{id}\n");
    let source = Source::in_git(&[("Dockerfile", &dockerfile), ("file", "1\n")]);
    let deliver = |engine: &Engine| {
        let delivery = push(&source, engine, "dev").without("--reproducible").flag("--check-targets", "lint");
        delivery.flag("--platforms", "linux/amd64,linux/arm64").ends_with(0)
    };
    deliver(&one);
    assert_eq!(entries(&folder(&source, "dev")).len(), 3, "{:?}", entries(&folder(&source, "dev")));
    let built = digest(&source);
    let ended = deliver(&two);
    assert_eq!((hits(&source), digest(&source)), ((4, 4), built), "{ended}");
    let linted = ended.stderr.lines().find(|line| line.contains("RUN echo")).unwrap();
    let number = linted.split('#').nth(1).unwrap().split(' ').next().unwrap();
    ended.says(&format!("#{number} CACHED"));
}

#[test]
fn two_deliveries_that_write_at_once_both_leave_what_they_have() {
    let [one, two] = machines();
    let sources = [source(), source()];
    let shared = sources[0].beside("caches").join("{env}").display().to_string();
    let deliver = |source: &Source, engine: &Engine| {
        machines::push(source, engine, "dev").flag("--cache", "local").flag("--cache-folder", &shared).ends_with(0)
    };
    std::thread::scope(|scope| {
        let at_once = sources.iter().zip([&one, &two]).map(|(source, engine)| scope.spawn(move || deliver(source, engine)));
        let at_once: Vec<_> = at_once.collect();
        at_once.into_iter().for_each(|delivery| drop(delivery.join().unwrap()));
    });
    for (source, engine) in sources.iter().zip([&two, &one]) {
        assert_eq!(cache(source)["written"], "written");
        let built = digest(source);
        deliver(source, engine);
        assert_eq!((hits(source), digest(source)), ((4, 4), built), "{}", cache(source));
    }
}
