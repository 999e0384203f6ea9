//! Tests of the client with servers that take their time: whatever they do, they are given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use oci_spec::image::{Descriptor, MediaType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::patience::Patience;
use super::{Client, Credentials, Error, Progress, Selector, Subject};
use crate::net::{Pace, TransportError};
use crate::oci::{Digest, layout};

/// What a server does once it has read the head of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trick {
    /// It answers as it should.
    None,
    /// It says nothing.
    Silence,
    /// The head of its answer comes letter by letter, and never ends.
    HeadDrips,
    /// The body of its answer comes letter by letter.
    BodyDrips,
    /// The body of a refusal comes letter by letter.
    RefusalDrips,
    /// Its answer has no end.
    Endless,
    /// It sends all but the last of its answer, each time from the beginning.
    Most,
    /// Its answer is whole, and it does not say so.
    Unended,
    /// It redirects to itself, each time at the last moment.
    Redirects,
    /// It asks for a token, and the server that has tokens says nothing.
    TokenHangs,
    /// It takes nothing of what it is sent.
    TakesNothing,
    /// It takes all, and does not say that it has.
    SaysNothing,
}

/// A moment of a server that drips.
const DROP: Duration = Duration::from_millis(20);

/// How long these servers are waited for.
const PATIENCE: Patience = Patience {
    answer: Duration::from_secs(1),
    token: Duration::from_millis(500),
    refusal: Duration::from_millis(500),
    commit: Duration::from_secs(1),
    commit_rate: u64::MAX,
    pace: Pace {
        idle: Duration::from_millis(800),
        window: Duration::from_secs(1),
        least: 40 << 10,
        base: Duration::from_secs(20),
        rate: u64::MAX,
    },
    tags: Duration::from_secs(20),
};

/// A blob that these servers have.
fn blob() -> (Vec<u8>, Descriptor) {
    let content = vec![b'x'; 100_000];
    let descriptor = layout::descriptor(MediaType::ImageLayerGzip, Digest::of(&content), content.len() as u64);
    (content, descriptor)
}

/// A server that plays its trick wherever a request holds `at`.
struct Server {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Server {
    async fn start(at: &'static str, trick: Trick) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
        let server = Self { address: address.clone(), asked: Arc::clone(&asked) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (address, asked) = (address.clone(), Arc::clone(&asked));
                // What becomes of a connection that was given up is nobody's concern.
                tokio::spawn(async move { serve(stream, &address, at, trick, &asked).await.ok() });
            }
        });
        server
    }

    fn client(&self) -> Client {
        Client::impatient(format!("{}/app", self.address).parse().unwrap(), Credentials::anonymous(), PATIENCE)
    }
}

async fn serve(mut stream: TcpStream, address: &str, at: &str, trick: Trick, asked: &AtomicUsize) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let request = String::from_utf8(request).unwrap();
    let line = request.lines().next().unwrap().to_owned();
    let trick = match &*line {
        line if line.contains("/silent-token") => Trick::Silence,
        line if line.contains(at) => trick,
        _ => Trick::None,
    };
    asked.fetch_add(usize::from(trick != Trick::None), Ordering::Relaxed);
    let length = request.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    if trick != Trick::TakesNothing {
        stream.read_exact(&mut vec![0; length]).await?;
    }
    let (content, _) = blob();
    match trick {
        Trick::None => {
            let (status, head, body) = answer(&line, address, content);
            let head = format!("HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await?;
            return stream.write_all(&body).await;
        }
        Trick::Silence | Trick::TakesNothing | Trick::SaysNothing => {}
        Trick::HeadDrips => return drip(stream, "HTTP/1.1 200 OK\r\nX: ").await,
        Trick::BodyDrips => return drip(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await,
        Trick::RefusalDrips => return drip(stream, "HTTP/1.1 403 No\r\nContent-Length: 1000\r\n\r\n").await,
        Trick::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            loop {
                stream.write_all(&content).await?;
            }
        }
        Trick::Most => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await?;
            stream.write_all(&content[..90_000]).await?;
        }
        Trick::Unended => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            stream.write_all(&content).await?;
        }
        Trick::Redirects => {
            tokio::time::sleep(PATIENCE.answer / 3).await;
            let path = line.split(' ').nth(1).unwrap();
            let head = format!("HTTP/1.1 307 No\r\nLocation: http://{address}{path}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
        }
        Trick::TokenHangs => {
            let token = format!("WWW-Authenticate: Bearer realm=\"http://{address}/silent-token\"\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(format!("HTTP/1.1 401 No\r\n{token}").as_bytes()).await?;
        }
    }
    // It keeps the connection open for as long as anyone waits for it.
    let _ = stream.read(&mut [0]).await;
    std::future::pending().await
}

fn answer(line: &str, address: &str, content: Vec<u8>) -> (&'static str, String, Vec<u8>) {
    if line.starts_with("HEAD") {
        return ("404 No", String::new(), Vec::new());
    }
    if line.starts_with("POST") {
        return ("202 Accepted", format!("Location: http://{address}/place\r\n"), Vec::new());
    }
    if line.starts_with("PUT") {
        return ("201 Created", String::new(), Vec::new());
    }
    ("200 OK", String::new(), if line.contains("/blobs/") { content } else { Vec::new() })
}

async fn drip(mut stream: TcpStream, head: &str) -> std::io::Result<()> {
    stream.write_all(head.as_bytes()).await?;
    loop {
        stream.write_all(b"x").await?;
        tokio::time::sleep(DROP).await;
    }
}

/// How a request ends; a test in which it does not end fails.
async fn ended<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(Duration::from_mins(1), request).await.expect("it is waited for without end")
}

fn connection(error: &Error) -> &TransportError {
    match error {
        Error::Connection { error, .. } => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn who_does_not_answer_is_asked_twice_and_given_up() {
    for (at, trick) in [
        ("/v2/", Trick::Silence),
        ("/v2/", Trick::HeadDrips),
        ("/blobs/", Trick::Silence),
        ("/blobs/", Trick::HeadDrips),
        ("/blobs/", Trick::Redirects),
    ] {
        let server = Server::start(at, trick).await;
        let error = ended(server.client().pull_blob(&blob().1, &mut Vec::new(), &|_| ())).await.unwrap_err();
        assert!(matches!(connection(&error), TransportError::Stalled(_)), "{trick:?} at {at}: {error}");
        let most = if trick == Trick::Redirects { 8 } else { 2 };
        assert!(server.asked.load(Ordering::Relaxed) <= most, "{trick:?} at {at}");
    }
}

#[tokio::test]
async fn who_gives_next_to_nothing_is_given_up_and_not_asked_again() {
    for at in ["/blobs/", "/manifests/", "/tags/"] {
        let server = Server::start(at, Trick::BodyDrips).await;
        let (client, tag) = (server.client(), Selector::Tag("v1".parse().unwrap()));
        let error = match at {
            "/blobs/" => ended(client.pull_blob(&blob().1, &mut Vec::new(), &|_| ())).await.unwrap_err(),
            "/manifests/" => ended(client.pull_manifest(&tag)).await.unwrap_err(),
            _ => ended(client.tags()).await.unwrap_err(),
        };
        assert!(matches!(connection(&error), TransportError::TooSlow { .. }), "{at}: {error}");
        assert_eq!(server.asked.load(Ordering::Relaxed), 1, "{at}");
    }
}

#[tokio::test]
async fn what_was_sent_before_buys_no_time_when_it_is_sent_again() {
    let server = Server::start("/blobs/", Trick::Most).await;
    let error = ended(server.client().pull_blob(&blob().1, &mut Vec::new(), &|_| ())).await.unwrap_err();
    assert!(matches!(connection(&error), TransportError::TooSlow { .. }), "{error}");
    assert!(server.asked.load(Ordering::Relaxed) <= 2);
}

#[tokio::test]
async fn a_refusal_is_known_without_its_words() {
    let server = Server::start("/blobs/", Trick::RefusalDrips).await;
    let error = ended(server.client().pull_blob(&blob().1, &mut Vec::new(), &|_| ())).await.unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(403), "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_at_its_limit() {
    let server = Server::start("/blobs/", Trick::Endless).await;
    let mut content = Vec::new();
    let error = ended(server.client().pull_blob(&blob().1, &mut content, &|_| ())).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 100_000, .. }), "{error}");
    assert!(content.len() <= 100_000);
    for at in ["/manifests/", "/tags/"] {
        let server = Server::start(at, Trick::Endless).await;
        let error = match at {
            "/manifests/" => ended(server.client().pull_manifest(&Selector::Tag("v1".parse().unwrap()))).await.unwrap_err(),
            _ => ended(server.client().tags()).await.unwrap_err(),
        };
        assert!(matches!(error, Error::TooLarge { .. }), "{at}: {error}");
    }
}

#[tokio::test]
async fn what_is_whole_is_whole_though_nobody_says_so() {
    let server = Server::start("/blobs/", Trick::Unended).await;
    let (expected, descriptor) = blob();
    let mut content = Vec::new();
    ended(server.client().pull_blob(&descriptor, &mut content, &|_| ())).await.unwrap();
    assert!(content == expected);
    // A document has no length that is known: it is waited for, and not for long.
    let server = Server::start("/manifests/", Trick::Unended).await;
    let error = ended(server.client().pull_manifest(&Selector::Tag("v1".parse().unwrap()))).await.unwrap_err();
    assert!(matches!(connection(&error), TransportError::Stalled(_) | TransportError::TooSlow { .. }), "{error}");
}

#[tokio::test]
async fn a_server_of_tokens_that_hangs_is_given_up() {
    let server = Server::start("/v2/ ", Trick::TokenHangs).await;
    let patience = Patience { answer: Duration::from_secs(20), ..PATIENCE };
    let client = Client::impatient(format!("{}/app", server.address).parse().unwrap(), Credentials::anonymous(), patience);
    let error = ended(client.pull_blob(&blob().1, &mut Vec::new(), &|_| ())).await.unwrap_err();
    assert!(matches!(&error, Error::Connection { subject: Subject::Token, .. }), "{error}");
}

#[tokio::test]
async fn who_takes_nothing_or_never_says_that_it_has_is_given_up() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // More than the buffers of a connection on one machine hold.
    let content = vec![b'y'; 32 << 20];
    std::fs::write(file.path(), &content).unwrap();
    let descriptor = layout::descriptor(MediaType::ImageLayerGzip, Digest::of(&content), content.len() as u64);
    let progress: Progress = Arc::new(|_| ());
    for (at, trick) in [("/place", Trick::TakesNothing), ("/place", Trick::SaysNothing), ("POST /v2/", Trick::Silence)] {
        let server = Server::start(at, trick).await;
        let error = ended(server.client().push_blob(&descriptor, file.path(), None, &progress)).await.unwrap_err();
        assert!(matches!(connection(&error), TransportError::Stalled(_) | TransportError::TooSlow { .. }), "{trick:?}: {error}");
        assert!(server.asked.load(Ordering::Relaxed) <= 2, "{trick:?}");
    }
    let server = Server::start("nowhere", Trick::None).await;
    ended(server.client().push_blob(&descriptor, file.path(), None, &progress)).await.unwrap();
}

#[tokio::test]
async fn a_manifest_that_is_never_confirmed_leaves_doubt() {
    let server = Server::start("PUT ", Trick::SaysNothing).await;
    let patience = Patience { pace: Pace { base: Duration::from_millis(300), ..PATIENCE.pace }, ..PATIENCE };
    let client = Client::impatient(format!("{}/app", server.address).parse().unwrap(), Credentials::anonymous(), patience);
    let (tag, manifest) = (Selector::Tag("v1".parse().unwrap()), Bytes::from_static(b"{}"));
    let error = ended(client.put_manifest(&tag, &MediaType::ImageManifest, &manifest)).await.unwrap_err();
    assert!(error.leaves_doubt(), "{error}");
}

#[tokio::test]
async fn what_is_served_is_what_is_read_and_nothing_is_unpacked_on_the_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            // Ten bytes that a client which unpacks would take for a kibibyte of nothing, or for an error.
            let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\nConnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(b"0123456789").await.unwrap();
        }
    });
    let client = Client::impatient(format!("{address}/app").parse().unwrap(), Credentials::anonymous(), PATIENCE);
    let descriptor = layout::descriptor(MediaType::ImageLayerGzip, Digest::of(b"0123456789"), 10);
    let mut content = Vec::new();
    ended(client.pull_blob(&descriptor, &mut content, &|_| ())).await.unwrap();
    assert_eq!(content, b"0123456789");
}
