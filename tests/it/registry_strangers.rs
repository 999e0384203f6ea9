//! Credentials are shown to the registry and its token server, and to nobody else.

use std::fs;

use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, basic, rule};
use doubles::registry::{Options, Registry, USER};
use serde_json::json;

use crate::support::job::clean;
use crate::support::{Delivery, Source};

/// A delivery through a proxy, by someone who has logged in there.
fn deliver(source: &Source, proxy: &Proxy) -> Delivery {
    let folder = source.beside("home/.docker");
    fs::create_dir_all(&folder).unwrap();
    let config = json!({"auths": {(&proxy.address): {"username": USER.0, "password": USER.1}}});
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    source.deliver().flag("--destination", &format!("{}/app", proxy.address)).flag("--tags", "v1")
}

/// How many blobs the delivery sent.
fn sent(source: &Source) -> usize {
    source.record()["publication"]["blobs_sent"].as_u64().unwrap().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_elsewhere_is_sent_without_credentials() {
    let (registry, source) = (Registry::start(Options::default()), clean());
    let stranger = Proxy::start(&registry.address, Challenge::Nothing, vec![]).await;
    let rules = vec![rule("POST", "/blobs/uploads/", ALWAYS, Fault::Relocate(stranger.address.clone()))];
    let proxy = Proxy::start(&registry.address, Challenge::Basic, rules).await;
    deliver(&source, &proxy).ends_with(0);
    let seen = stranger.seen();
    assert_eq!(seen.len(), sent(&source));
    assert!(seen.iter().all(|request| request.header("authorization").is_none()));
    assert!(proxy.seen().iter().any(|request| request.header("authorization") == Some(&basic())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_fetched_with_the_password_and_the_password_shown_nowhere_else() {
    let (registry, source) = (Registry::start(Options::default()), clean());
    let proxy = Proxy::start(&registry.address, Challenge::Bearer, vec![]).await;
    deliver(&source, &proxy).flag("--platforms", "linux/amd64,linux/arm64").ends_with(0);
    let tokens: Vec<_> = proxy.seen().into_iter().filter(|request| request.path.starts_with("/token")).collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert!(tokens[0].path.contains("service=proxy&scope=repository%3Aapp%3Apull%2Cpush"), "{}", tokens[0].path);
    let others = proxy.seen().into_iter().filter(|request| !request.path.starts_with("/token"));
    assert_eq!(others.filter(|request| request.header("authorization") == Some(&basic())).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_server_over_plain_http_beyond_this_machine_is_shown_nothing() {
    let source = clean();
    let elsewhere = Challenge::BearerOf("http://auth.invalid/token?secret".to_owned());
    let proxy = Proxy::start("127.0.0.1:1", elsewhere, vec![]).await;
    let ended = deliver(&source, &proxy).ends_with(1);
    ended.says("http://auth.invalid/token").does_not_say("token?secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_one_request_of_known_length_that_waits_for_nothing() {
    let (registry, source) = (Registry::start(Options::default()), clean());
    let noise: Vec<u8> = std::iter::repeat_with(rand::random).take(3 << 20).collect();
    fs::write(source.context().join("noise"), noise).unwrap();
    source.commit("noise");
    let proxy = Proxy::start(&registry.address, Challenge::Nothing, vec![]).await;
    deliver(&source, &proxy).ends_with(0);
    let puts: Vec<_> = proxy.seen().into_iter().filter(|r| r.method == "PUT" && r.path.contains("/uploads/")).collect();
    assert_eq!(puts.len(), sent(&source));
    let manifests: Vec<_> = proxy.seen().into_iter().filter(|r| r.method == "PUT" && r.path.contains("/manifests/")).collect();
    let size = |request: &doubles::proxy::Request| request.header("content-length").unwrap().parse::<u64>().unwrap();
    let total = puts.iter().map(size).sum::<u64>() + size(&manifests[0]);
    assert_eq!(source.record()["image"]["size"], total);
    assert!(total > 3 << 20);
    // The registry's own query is as it was, and the digest comes after it.
    assert!(puts.iter().all(|put| put.path.contains("?_state=") && put.path.contains("&digest=sha256%3A")));
    assert!(puts.iter().all(|put| put.header("expect").is_none()));
    assert_eq!(proxy.count("PATCH", ""), 0);
}
