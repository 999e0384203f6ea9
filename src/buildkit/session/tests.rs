//! An engine that asks for the context gets what it asks for, whole and in order, and hears of what it can't have.

use std::fs;
use std::path::Path;

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::health::HealthCheckRequest;
use bollard_buildkit_proto::health::health_client::HealthClient;

mod engine;

use engine::{Transfer, session};

use super::context::Directory;
use super::error::Error;

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn serve(folder: &tempfile::TempDir) -> Directory {
    Directory::folder(folder.path(), Vec::new()).unwrap()
}

fn dockerfile() -> Directory {
    Directory::files([("Dockerfile".to_owned(), "FROM scratch".into())])
}

#[tokio::test]
async fn files_arrive_whole_in_whatever_order_they_are_asked_for() {
    let large: Vec<u8> = (0..1_000_003_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let folder = folder(&[("a/large", &large), ("a/empty", b""), ("b", b"b"), ("c/d/e", b"e"), ("z.tmp", b"z")]);
    let (channel, account) = session(serve(&folder), dockerfile()).await;
    let headers = [("dir-name", "context"), ("exclude-patterns", "*.tmp")];
    let received = Transfer::start(&channel, &headers).await.unwrap().take().await.unwrap();
    let paths: Vec<&str> = received.entries.iter().map(|stat| stat.path.as_str()).collect();
    assert_eq!(paths, ["a", "a/empty", "a/large", "b", "c", "c/d", "c/d/e"]);
    assert!(received.content["a/large"] == large && received.content["a/empty"].is_empty());
    assert_eq!((received.content["b"].as_slice(), received.content["c/d/e"].as_slice()), (&b"b"[..], &b"e"[..]));
    assert_eq!((account.files(), account.bytes()), (4, large.len() as u64 + 2));
    assert!(account.take_error().is_none());
}

#[tokio::test]
async fn thousands_of_files_can_be_asked_for_before_any_is_read() {
    let folder = folder(&[]);
    for n in 0..4000 {
        fs::write(folder.path().join(format!("{n:04}")), n.to_string()).unwrap();
    }
    let (channel, account) = session(serve(&folder), dockerfile()).await;
    let received = Transfer::start(&channel, &[("dir-name", "context")]).await.unwrap().take().await.unwrap();
    assert!(received.content.iter().all(|(name, content)| name.trim_start_matches('0').as_bytes() == content || name == "0000"));
    assert_eq!((received.content.len(), account.files()), (4000, 4000));
}

#[tokio::test]
async fn names_travel_encoded_and_bare() {
    let folder = folder(&[("é b/c", b"c"), ("x", b"x")]);
    let (channel, _) = session(serve(&folder), dockerfile()).await;
    for headers in [
        &[("dir-name", "context"), ("followpaths", "é b")][..],
        &[("dir-name", "context"), ("followpaths", "%C3%A9+b"), ("followpaths-encoded", "1")],
    ] {
        let received = Transfer::start(&channel, headers).await.unwrap().take().await.unwrap();
        assert_eq!(received.content.keys().collect::<Vec<_>>(), ["é b/c"]);
    }
}

#[tokio::test]
async fn an_ignore_file_of_a_megabyte_is_taken() {
    let folder = folder(&[("keep", b""), ("drop", b"")]);
    let (channel, _) = session(serve(&folder), dockerfile()).await;
    let patterns: Vec<String> = (0..10_000).map(|n| format!("drop-{n}{}", "-0123456789".repeat(9))).collect();
    let mut headers = vec![("dir-name", "context")];
    headers.extend(patterns.iter().map(|pattern| ("exclude-patterns", pattern.as_str())));
    headers.push(("exclude-patterns", "drop"));
    let received = Transfer::start(&channel, &headers).await.unwrap().take().await.unwrap();
    assert_eq!(received.entries.iter().map(|stat| stat.path.as_str()).collect::<Vec<_>>(), ["keep"]);
}

#[tokio::test]
async fn a_dockerfile_is_served_from_memory() {
    let folder = folder(&[]);
    let (channel, _) = session(serve(&folder), dockerfile()).await;
    let headers = [("dir-name", "dockerfile"), ("followpaths", "Dockerfile"), ("followpaths", "Dockerfile.dockerignore")];
    let received = Transfer::start(&channel, &headers).await.unwrap().take().await.unwrap();
    assert_eq!(received.content["Dockerfile"], b"FROM scratch");
}

#[tokio::test]
async fn a_folder_that_is_not_served_is_not_found() {
    let folder = folder(&[]);
    let (channel, _) = session(serve(&folder), dockerfile()).await;
    let status = Transfer::start(&channel, &[("dir-name", "/etc")]).await.err().unwrap();
    assert_eq!(status.code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn a_file_that_is_gone_ends_the_transfer_and_is_named() {
    let folder = folder(&[("a", b"a"), ("b", b"b")]);
    let (channel, account) = session(serve(&folder), dockerfile()).await;
    let mut transfer = Transfer::start(&channel, &[("dir-name", "context")]).await.unwrap();
    while transfer.next().await.unwrap().unwrap().stat.is_some() {}
    fs::remove_file(folder.path().join("b")).unwrap();
    transfer.send(PacketType::PacketReq, 1, b"").await;
    let packet = transfer.next().await.unwrap().unwrap();
    assert_eq!(packet.r#type(), PacketType::PacketErr);
    assert!(String::from_utf8(packet.data).unwrap().contains('b'));
    assert!(transfer.next().await.is_err());
    assert!(matches!(account.take_error(), Some(Error::Changed { path }) if path == Path::new("b")));
}

#[tokio::test]
async fn a_malformed_pattern_ends_the_transfer_and_is_named() {
    let folder = folder(&[("a", b"")]);
    let (channel, account) = session(serve(&folder), dockerfile()).await;
    let headers = [("dir-name", "context"), ("exclude-patterns", "a[")];
    let status = Transfer::start(&channel, &headers).await.unwrap().take().await.unwrap_err();
    assert!(status.message().contains("PacketErr"), "{status:?}");
    assert!(matches!(account.take_error(), Some(Error::Pattern(pattern)) if pattern.0 == "a["));
}

#[tokio::test]
async fn a_file_that_can_not_be_read_ends_the_transfer_and_is_named() {
    // A regular file that nobody, the superuser included, can read from its start.
    let (channel, account) = session(Directory::folder("/proc/self", Vec::new()).unwrap(), dockerfile()).await;
    let headers = [("dir-name", "context"), ("followpaths", "mem")];
    Transfer::start(&channel, &headers).await.unwrap().take().await.unwrap_err();
    assert!(matches!(account.take_error(), Some(Error::Read { path, .. }) if path == Path::new("mem")));
}

#[tokio::test]
async fn an_engine_that_fails_hears_no_more() {
    let folder = folder(&[("a", b"a")]);
    let (channel, account) = session(serve(&folder), dockerfile()).await;
    let mut transfer = Transfer::start(&channel, &[("dir-name", "context")]).await.unwrap();
    transfer.send(PacketType::PacketErr, 0, b"no space left on device").await;
    let status = loop {
        match transfer.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended as if all were well"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.message(), "no space left on device");
    assert!(account.take_error().is_none());
}

#[tokio::test]
async fn what_is_no_file_or_was_given_already_is_not_given() {
    let folder = folder(&[("d/a", b"a")]);
    let (channel, _) = session(serve(&folder), dockerfile()).await;
    for wrong in [0, 2, 77] {
        let mut transfer = Transfer::start(&channel, &[("dir-name", "context")]).await.unwrap();
        while transfer.next().await.unwrap().unwrap().stat.is_some() {}
        transfer.send(PacketType::PacketReq, wrong, b"").await;
        assert!(transfer.next().await.is_err(), "{wrong}");
    }
    let mut transfer = Transfer::start(&channel, &[("dir-name", "context")]).await.unwrap();
    while transfer.next().await.unwrap().unwrap().stat.is_some() {}
    transfer.send(PacketType::PacketReq, 1, b"").await;
    assert_eq!(transfer.next().await.unwrap().unwrap().data, b"a");
    assert!(transfer.next().await.unwrap().unwrap().data.is_empty());
    transfer.send(PacketType::PacketReq, 1, b"").await;
    assert!(transfer.next().await.is_err());
}

#[tokio::test]
async fn the_client_says_that_it_is_there() {
    let folder = folder(&[]);
    let (channel, _) = session(serve(&folder), dockerfile()).await;
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);
}
