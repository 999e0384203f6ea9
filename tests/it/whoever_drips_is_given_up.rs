//! A mirror that gives next to nothing holds no delivery up for long: the next one is asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::support::{Source, part};

/// How a mirror keeps its client waiting. Each sends something all the time, or has answered, so that a limit on standing
/// still, or on an answer, would not end it.
#[derive(Clone, Copy, Debug)]
enum Trick {
    /// A byte of the database now and then.
    Body,
    /// A letter of the answer's head now and then.
    Head,
    /// The first half of the database at once, and nothing more.
    Half,
    /// A letter of the manifest now and then.
    Manifest,
}

const SIZE: usize = 100_000_000;

/// A mirror on this machine; gives its port.
fn mirror(trick: Trick) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // What becomes of a connection that was given up is nobody's concern.
            thread::spawn(move || answer(stream.unwrap(), trick).ok());
        }
    });
    port
}

fn answer(mut stream: TcpStream, trick: Trick) -> std::io::Result<()> {
    let mut request = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    request.read_line(&mut line)?;
    let mut rest = String::new();
    while request.read_line(&mut rest)? > 2 {
        rest.clear();
    }
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let none = format!("sha256:{}", "0".repeat(64));
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{manifest_type}","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{none}","size":2}},"layers":[{{"mediaType":"application/vnd.aquasec.trivy.db.layer.v1.tar+gzip","digest":"{none}","size":{SIZE}}}]}}"#
    );
    let head = |length: usize| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: {manifest_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
    };
    if line.contains("/blobs/") {
        match trick {
            Trick::Body | Trick::Manifest => stream.write_all(head(SIZE).as_bytes())?,
            Trick::Head => stream.write_all(b"HTTP/1.1 200 OK\r\nX: ")?,
            Trick::Half => {
                stream.write_all(head(SIZE).as_bytes())?;
                stream.write_all(&vec![b'x'; SIZE / 2])?;
            }
        }
        return drip(stream, trick);
    }
    let body = if line.contains("/manifests/") { manifest } else { String::new() };
    stream.write_all(head(body.len()).as_bytes())?;
    if matches!(trick, Trick::Manifest) && !body.is_empty() {
        return drip(stream, trick);
    }
    stream.write_all(body.as_bytes())
}

fn drip(mut stream: TcpStream, trick: Trick) -> std::io::Result<()> {
    loop {
        thread::sleep(Duration::from_secs(5));
        if !matches!(trick, Trick::Half) {
            stream.write_all(b"x")?;
        }
    }
}

#[test]
fn the_next_mirror_is_asked_where_one_gives_next_to_nothing() {
    thread::scope(|scope| {
        for trick in [Trick::Body, Trick::Head, Trick::Half, Trick::Manifest] {
            scope.spawn(move || {
                let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /\n"), ("a", &format!("{trick:?}"))]);
                let good = format!("oci:{}:2", part("TRIVY_DB"));
                let mirrors = format!("localhost:{}/db:2,{good}", mirror(trick));
                // A cache of its own, so that it has to ask.
                let delivery = source.deliver().flag("--environment", "prod").flag("--trivy-db-repository", &mirrors);
                let ended = delivery.ends_with(0);
                ended.says("could not be fetched from localhost");
                assert_eq!(source.record()["database"]["repository"], good, "{trick:?}");
                // How long it was waited for, in the words of what gave it up.
                assert!(["25 s", "30 s", "40 s", "45 s"].iter().any(|limit| ended.stderr.contains(limit)), "{trick:?}: {ended}");
            });
        }
    });
}
