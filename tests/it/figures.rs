//! What signing, `verify`, a promotion, a lifecycle preview and an update of a cluster's repository take against services on this machine: times and requests. `make
//! bench` runs this with the released program and holds the figures to their goals; here they are only written down.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use doubles::aws::{ShelfImage, World};
use doubles::github::Options;
use doubles::proxy::{Challenge, Proxy};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::a_cluster_is_brought_to_what_is_out::{image, named, of_ten_thousand_files, source_with};
use crate::support::{Delivery, binary, part};
use crate::what_is_delivered_is_signed::Scene;
use crate::what_is_promoted_is_proven;

const SIGNER: &str = "https://github.com/octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v*";
/// Pairs of deliveries, and looks.
const ROUNDS: usize = 9;

/// In seconds.
fn timed(delivery: &Delivery) -> f64 {
    let began = Instant::now();
    delivery.ends_with(0);
    began.elapsed().as_secs_f64()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// What a delivery that signs takes more than one that does not: the median of pairs, each in another order.
fn signing() -> f64 {
    let scene = Scene::set();
    let deliver = |how: &str| {
        scene.source.commit("another");
        timed(&scene.deliver("prod").flag("--sign", how))
    };
    deliver("keyless");
    let pairs = (0..ROUNDS).map(|round| {
        if round % 2 == 0 {
            let without = deliver("off");
            deliver("keyless") - without
        } else {
            deliver("keyless") - deliver("off")
        }
    });
    median(pairs.collect())
}

/// A proxy before each of some addresses, and a text with the proxies' addresses in place of theirs.
fn counted(runtime: &Runtime, addresses: &[String], mut text: String) -> (Vec<Proxy>, String) {
    let mut proxies = Vec::new();
    for address in addresses {
        let proxy = runtime.block_on(Proxy::start(address, Challenge::Nothing, Vec::new()));
        text = text.replace(address, &proxy.address);
        proxies.push(proxy);
    }
    (proxies, text)
}

fn requests(proxies: &[Proxy]) -> usize {
    proxies.iter().map(|proxy| proxy.seen().len()).sum()
}

/// How many requests more a delivery sends that signs, to the registry and to the services.
fn requests_of_signing(runtime: &Runtime) -> usize {
    let services = ["FULCIO", "REKOR", "TSA"].map(|service| {
        let url = part(service);
        url.trim_start_matches("http://").split('/').next().unwrap().to_owned()
    });
    let configuration = std::fs::read_to_string(Path::new(&part("SIGSTORE")).join("signing_config.json")).unwrap();
    let (services, configuration) = counted(runtime, &services, configuration);
    let to_registry = |how: &str| {
        let (proxies, address) = counted(runtime, &[part("REFERRERS_REGISTRY")], part("REFERRERS_REGISTRY"));
        let scene = Scene::at(&address);
        scene.deliver("prod").flag("--sign", how).flag("--sigstore-signing-config", &configuration).ends_with(0);
        requests(&proxies)
    };
    to_registry("keyless") - to_registry("off") + requests(&services)
}

/// How long a look at a signed image takes, and how many requests.
fn verifying(runtime: &Runtime) -> (f64, usize) {
    let (proxies, address) = counted(runtime, &[part("REFERRERS_REGISTRY")], part("REFERRERS_REGISTRY"));
    let scene = Scene::at(&address);
    scene.deliver("prod").ends_with(0);
    let before = requests(&proxies);
    let look = || scene.verify(&scene.sha, &["--identity", SIGNER, "--environment", "prod"], 0);
    look();
    let sent = requests(&proxies) - before;
    let looks = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        look();
        began.elapsed().as_secs_f64()
    });
    (median(looks.collect()), sent)
}

/// How long a promotion takes of an image of some 620 MB within one registry, judged by its SBOM.
fn promoting() -> f64 {
    let scene = what_is_promoted_is_proven::Scene::large();
    scene.deliver_to("test").ends_with(0);
    timed(&scene.promote(&scene.tag_of("test")).flag("--promote-by", "sbom"))
}

/// How much longer a preview of 10,000 images takes than a list of them, which reads the same.
fn previewing() -> f64 {
    let world = World::options().start();
    world.allow(&["ecr:DescribeImages", "ecr:BatchGetImage"]);
    world.shelve((0..10_000).map(|at| ShelfImage::new(&format!("{at}"), &[&format!("main-{at}")], 1.0 + f64::from(at))));
    let timed = |arguments: &[&str]| {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path()).envs(world.variables());
        command.args(arguments).args([&world.repository(), "--role-to-assume", &world.role(), "--json"]);
        let began = Instant::now();
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        began.elapsed().as_secs_f64()
    };
    let rounds = (0..ROUNDS).map(|_| {
        let listed = timed(&["images", "--details", "0"]);
        timed(&["lifecycle", "preview", "--preset", "environments-safe"]) - listed
    });
    median(rounds.collect())
}

/// How long an update takes in a repository of 10,000 files, where each answer of GitHub takes 200 ms, and how many requests.
fn updating() -> (f64, usize) {
    let options = || Options::default().delay(Duration::from_millis(200));
    let (cluster, (source, at)) = (of_ten_thousand_files(options()), source_with(options()));
    // Not by way of Prism, which takes longer over a list of 10,000 files than GitHub.
    let update = |of: u8| timed(&named(&cluster, &source, at.enterprise(), &image(of)));
    let asked = || cluster.github.journal().len() + at.journal().len();
    update(0);
    let before = asked();
    let rounds = (1..=9).map(|of| {
        source.commit(&format!("commit {of}"));
        update(of)
    });
    let took = median(rounds.collect());
    (took, (asked() - before) / ROUNDS)
}

fn figure(name: &str, value: f64, unit: &str, most: f64) -> Value {
    json!({ "name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit, "most": most })
}

#[test]
#[ignore = "figures, not promises: make bench"]
#[allow(clippy::cast_precision_loss, reason = "small counts")]
fn what_signing_verifying_promoting_previewing_and_updating_take() {
    let runtime = Runtime::new().unwrap();
    let (looking, looked) = verifying(&runtime);
    let (updated, asked) = updating();
    let figures = json!([
        figure("signing, with it - without it", signing(), "s", 1.5),
        figure("signing, requests", requests_of_signing(&runtime) as f64, "requests", 40.0),
        figure("verify", looking, "s", 1.0),
        figure("verify, requests", looked as f64, "requests", 15.0),
        figure("promotion by SBOM, 620 MB", promoting(), "s", 3.0),
        figure("lifecycle preview, 10,000 images", previewing(), "s", 0.3),
        figure("update of a cluster's repository, 10,000 files, 200 ms a request", updated, "s", 3.0),
        figure("update of a cluster's repository, requests", asked as f64, "requests", 12.0),
    ]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("figures.json"), figures.to_string()).unwrap();
}
