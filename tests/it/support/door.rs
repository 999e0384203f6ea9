//! A door before a Docker engine: it hands on what comes, speaks TLS or loses images, as it is told.

use std::fs;
use std::net::TcpListener as Listener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use super::run;

/// What an engine with TLS says to a client without, as Go's HTTP server has it.
const PLAIN: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// A door; it closes when it is dropped.
pub struct Door {
    /// Where to knock, as `DOCKER_HOST` has it.
    pub address: String,
    folder: tempfile::TempDir,
    losses: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Door {
    /// A door to the engine at `engine` that removes an image just before it is saved, so many times.
    #[must_use]
    pub fn that_loses_images(engine: &str, times: usize) -> Self {
        let (runtime, folder) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
        let (engine, socket, losses) = (socket(engine), folder.path().join("s"), Arc::new(AtomicUsize::new(times)));
        let listener = runtime.block_on(async { UnixListener::bind(&socket).unwrap() });
        let left = Arc::clone(&losses);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(hand_on(client, engine.clone(), Arc::clone(&left)));
            }
        });
        Self { address: format!("unix://{}", socket.display()), folder, losses, _runtime: runtime }
    }

    /// A door to the builder at `engine` that has it asked for another platform than it is asked for. Both have names of one
    /// length.
    #[must_use]
    pub fn that_builds_for(engine: &str, asked: &'static str, built: &'static str) -> Self {
        let (runtime, folder) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
        let (engine, socket) = (socket(engine), folder.path().join("s"));
        let listener = runtime.block_on(async { UnixListener::bind(&socket).unwrap() });
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(misstate(client, engine.clone(), asked, built));
            }
        });
        let losses = Arc::new(AtomicUsize::new(0));
        Self { address: format!("unix://{}", socket.display()), folder, losses, _runtime: runtime }
    }

    /// A door with TLS, to whoever shows the certificate in [`Door::certificates`].
    #[must_use]
    pub fn with_tls(engine: &str) -> Self {
        let (runtime, folder) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
        let (engine, acceptor) = (socket(engine), acceptor(folder.path()));
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        listener.set_nonblocking(true).unwrap();
        let nothing = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&nothing);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(open(client, acceptor.clone(), engine.clone(), Arc::clone(&left)));
            }
        });
        Self { address, folder, losses: nothing, _runtime: runtime }
    }

    /// How many images are still to be lost.
    #[must_use]
    pub fn losses_left(&self) -> usize {
        self.losses.load(Ordering::SeqCst)
    }

    /// The folder with `ca.pem`, `cert.pem` and `key.pem` for a client.
    #[must_use]
    pub fn certificates(&self) -> PathBuf {
        self.folder.path().join("client")
    }
}

fn socket(engine: &str) -> PathBuf {
    PathBuf::from(engine.strip_prefix("unix://").unwrap())
}

async fn open(client: TcpStream, acceptor: TlsAcceptor, engine: PathBuf, left: Arc<AtomicUsize>) {
    let mut first = [0];
    if client.peek(&mut first).await.is_ok() && first != [0x16] {
        let mut client = client;
        let _ = client.read(&mut [0; 4096]).await;
        let _ = client.write_all(PLAIN).await;
        return;
    }
    if let Ok(client) = acceptor.accept(client).await {
        hand_on(client, engine, left).await;
    }
}

async fn hand_on(client: impl AsyncRead + AsyncWrite + Send + 'static, engine: PathBuf, left: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_engine, mut to_engine) = UnixStream::connect(&engine).await.unwrap().into_split();
    let back = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_engine, &mut to_client).await;
        let _ = to_client.shutdown().await;
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count) = from_client.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        let lost = saved_image(&buffer[..count])
            .filter(|_| left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok());
        if let Some(name) = lost {
            remove(&engine, &name).await;
        }
        if to_engine.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = to_engine.shutdown().await;
    let _ = back.await;
}

/// Hands on what comes, with one word for another.
async fn misstate(client: UnixStream, engine: PathBuf, asked: &str, built: &str) {
    assert_eq!(asked.len(), built.len());
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_engine, mut to_engine) = UnixStream::connect(&engine).await.unwrap().into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_engine, &mut to_client).await });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
        let mut start = 0;
        while let Some(at) = buffer[start..count].windows(asked.len()).position(|word| word == asked.as_bytes()) {
            buffer[start + at..start + at + built.len()].copy_from_slice(built.as_bytes());
            start += at + built.len();
        }
        if to_engine.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = to_engine.shutdown().await;
    let _ = back.await;
}

/// The image that a request wants to have saved (`GET /images/NAME/get`).
fn saved_image(request: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(request.split(|byte| *byte == b'\r').next()?).ok()?;
    let path = line.strip_prefix("GET ")?.split(' ').next()?;
    let name = path.split_once("/images/")?.1.strip_suffix("/get")?;
    Some(name.to_owned())
}

async fn remove(engine: &Path, name: &str) {
    let mut engine = UnixStream::connect(engine).await.unwrap();
    let request = format!("DELETE /images/{name} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
    engine.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    engine.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Makes an authority, and what a server and a client show.
fn acceptor(folder: &Path) -> TlsAcceptor {
    let client = folder.join("client");
    fs::create_dir_all(&client).unwrap();
    let openssl = |words: &str| {
        run(Command::new("openssl").args(words.split(' ')).current_dir(folder));
    };
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(&format!("req -x509 {new} -subj /CN=authority -keyout authority.key -out client/ca.pem"));
    for (name, key, certificate, extension) in [
        ("server", "server.key", "server.pem", "subjectAltName=IP:127.0.0.1"),
        ("client", "client/key.pem", "client/cert.pem", "extendedKeyUsage=clientAuth"),
    ] {
        fs::write(folder.join("extension"), extension).unwrap();
        openssl(&format!("req {} -subj /CN={name} -keyout {key} -out request", new.replace(" -days 2", "")));
        openssl(&format!(
            "x509 -req -in request -CA client/ca.pem -CAkey authority.key -CAcreateserial -days 2 -extfile extension -out {certificate}"
        ));
    }
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let certificates = |name: &str| CertificateDer::pem_slice_iter(&read(name)).map(Result::unwrap).collect::<Vec<_>>();
    let mut roots = RootCertStore::empty();
    roots.add(certificates("client/ca.pem").remove(0)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(verifier);
    let config = config.with_single_cert(certificates("server.pem"), PrivateKeyDer::from_pem_slice(&read("server.key")).unwrap());
    TlsAcceptor::from(Arc::new(config.unwrap()))
}
