//! A proxy before a registry: it wants credentials as registries do, breaks what it is told to break, and remembers what
//! it was shown.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::registry::USER;

/// The token that the proxy gives and takes.
const TOKEN: &str = "a-token-of-the-proxy";

/// A proxy; it ends with the runtime.
pub struct Proxy {
    /// `127.0.0.1:PORT`.
    pub address: String,
    state: Arc<State>,
}

struct State {
    address: String,
    upstream: String,
    challenge: Challenge,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Request>>,
}

/// What the proxy wants to see before it serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Challenge {
    /// Nothing.
    #[default]
    Nothing,
    /// [`USER`].
    Basic,
    /// A token of its own `/token`, which wants [`USER`].
    Bearer,
    /// A token of this address.
    BearerOf(String),
}

/// What goes wrong, where, and how often.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The method it is about.
    pub method: &'static str,
    /// What the path and query hold.
    pub holds: String,
    /// How often it still happens.
    pub times: usize,
    /// What happens.
    pub fault: Fault,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status, with the error code that registries give, and perhaps a header.
    Answer(u16, &'static str, Option<(&'static str, String)>),
    /// This content, of this type, in place of the registry's.
    Content(&'static str, Vec<u8>),
    /// After so many bytes of the request's body, the connection ends; shorter requests pass.
    CutRequest(usize),
    /// After so many bytes of the answer's body, the connection ends.
    CutAnswer(usize),
    /// What is asked is done, and the connection ends without an answer.
    Silence,
    /// A header of the answer has another value.
    Header(&'static str, String),
    /// The proxy's own address in `Location` becomes this one.
    Relocate(String),
    /// The last byte of the answer's body is another.
    Corrupt,
    /// What is asked is done, but what the tests need to know is told first.
    Tell(tokio::sync::mpsc::UnboundedSender<()>),
    /// What is asked is done once this is true.
    Hold(tokio::sync::watch::Receiver<bool>),
    /// As [`Fault::Hold`], and that it is held is told first.
    HoldAndTell(tokio::sync::watch::Receiver<bool>, tokio::sync::mpsc::UnboundedSender<()>),
    /// What is asked is done once this is true, also when whoever asked has gone by then.
    HoldWhole(tokio::sync::watch::Receiver<bool>, tokio::sync::mpsc::UnboundedSender<()>),
}

/// A request as it was seen.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// The length of its body, in bytes.
    pub fn length(&self) -> u64 {
        self.header("content-length").map_or(0, |length| length.parse().unwrap())
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Every time.
pub const ALWAYS: usize = usize::MAX;

/// A rule.
pub fn rule(method: &'static str, holds: impl Into<String>, times: usize, fault: Fault) -> Rule {
    Rule { method, holds: holds.into(), times, fault }
}

/// The `Authorization` of [`USER`].
pub fn basic() -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", USER.0, USER.1)))
}

impl Proxy {
    /// Starts one before the registry at `upstream`.
    pub async fn start(upstream: &str, challenge: Challenge, rules: Vec<Rule>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state =
            State { address: address.clone(), upstream: upstream.into(), challenge, rules: rules.into(), seen: Mutex::default() };
        let state = Arc::new(state);
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = serving.clone();
                // What becomes of a connection that someone cuts is nobody's concern.
                tokio::spawn(async move { state.serve(client).await.ok() });
            }
        });
        Self { address, state }
    }

    /// What was asked so far.
    pub fn seen(&self) -> Vec<Request> {
        self.state.seen.lock().unwrap().clone()
    }

    /// How many of the requests so far have this method and hold this in their path.
    pub fn count(&self, method: &str, holds: &str) -> usize {
        self.seen().iter().filter(|request| request.method == method && request.path.contains(holds)).count()
    }
}

impl State {
    async fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let (head, rest) = read_head(&mut client).await?;
        let request = parse(&head);
        self.seen.lock().unwrap().push(request.clone());
        if let Some(answer) = self.gate(&request) {
            let (status, headers, body) = answer;
            let headers = format!("Content-Type: application/json\r\n{headers}");
            return reply(&mut client, (status, headers, body.into_bytes())).await;
        }
        let fault = self.fault(&request);
        match &fault {
            Some(Fault::Answer(status, code, header)) => {
                let header = header.as_ref().map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default();
                let header = format!("Content-Type: application/json\r\n{header}");
                return reply(&mut client, (*status, header, errors(code).into_bytes())).await;
            }
            Some(Fault::Content(media_type, content)) => {
                return reply(&mut client, (200, format!("Content-Type: {media_type}\r\n"), content.clone())).await;
            }
            Some(Fault::CutRequest(after)) => {
                let mut body = vec![0; after.saturating_sub(rest.len())];
                client.read_exact(&mut body).await?;
                return Ok(());
            }
            Some(Fault::Tell(to)) => to.send(()).unwrap(),
            Some(Fault::Hold(until)) => {
                // A test that ended holds nothing any more.
                let _ = until.clone().wait_for(|over| *over).await;
            }
            Some(Fault::HoldAndTell(until, to)) => {
                to.send(()).unwrap();
                let _ = until.clone().wait_for(|over| *over).await;
            }
            Some(Fault::HoldWhole(until, to)) => {
                let (until, to) = (until.clone(), to.clone());
                return self.hold_whole(client, &request, rest, until, to).await;
            }
            _ => {}
        }
        self.forward(client, &request, rest, fault).await
    }

    fn fault(&self, request: &Request) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap();
        let length = request.length();
        let applies = |rule: &&mut Rule| {
            let long_enough = !matches!(rule.fault, Fault::CutRequest(after) if length <= after as u64);
            rule.times > 0 && rule.method == request.method && request.path.contains(&rule.holds) && long_enough
        };
        let rule = rules.iter_mut().find(applies)?;
        rule.times -= 1;
        Some(rule.fault.clone())
    }

    /// What someone is told who has not shown what is wanted.
    fn gate(&self, request: &Request) -> Option<(u16, String, String)> {
        let shown = request.header("authorization");
        if request.path.starts_with("/token") {
            let known = shown == Some(&basic());
            let token = || (200, String::new(), format!(r#"{{"token":"{TOKEN}","expires_in":300}}"#));
            return Some(if known { token() } else { (401, String::new(), errors("UNAUTHORIZED")) });
        }
        let (wanted, challenge) = match &self.challenge {
            Challenge::Nothing => return None,
            Challenge::Basic => (basic(), "Basic realm=\"proxy\"".to_owned()),
            Challenge::Bearer => {
                (format!("Bearer {TOKEN}"), format!("Bearer realm=\"http://{}/token\",service=\"proxy\"", self.address))
            }
            Challenge::BearerOf(realm) => (format!("Bearer {TOKEN}"), format!("Bearer realm=\"{realm}\",service=\"proxy\"")),
        };
        let refusal = || (401, format!("WWW-Authenticate: {challenge}\r\n"), errors("UNAUTHORIZED"));
        (shown != Some(&wanted)).then(refusal)
    }

    /// Takes the whole request first, as a slow registry does, and does it in the end whatever has become of the client.
    async fn hold_whole(
        &self,
        mut client: TcpStream,
        request: &Request,
        mut body: Vec<u8>,
        mut until: tokio::sync::watch::Receiver<bool>,
        to: tokio::sync::mpsc::UnboundedSender<()>,
    ) -> std::io::Result<()> {
        let mut rest = vec![0; usize::try_from(request.length()).unwrap() - body.len()];
        client.read_exact(&mut rest).await?;
        body.extend(rest);
        to.send(()).unwrap();
        let _ = until.wait_for(|over| *over).await;
        let mut upstream = TcpStream::connect(&self.upstream).await?;
        upstream.write_all(head_of(request).as_bytes()).await?;
        upstream.write_all(&body).await?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).await?;
        // Whoever waits for it learns that it is done.
        let _ = to.send(());
        client.write_all(&answer).await
    }

    async fn forward(
        &self,
        mut client: TcpStream,
        request: &Request,
        rest: Vec<u8>,
        fault: Option<Fault>,
    ) -> std::io::Result<()> {
        let mut upstream = TcpStream::connect(&self.upstream).await?;
        upstream.write_all(head_of(request).as_bytes()).await?;
        upstream.write_all(&rest).await?;
        let length = request.length();
        let (mut from, to) = client.split();
        let (mut up_from, mut up_to) = upstream.split();
        let mut body = (&mut from).take(length - rest.len() as u64);
        let sending = tokio::io::copy(&mut body, &mut up_to);
        let answering = self.answer(&mut up_from, to, fault);
        tokio::try_join!(sending, answering).map(|_| ())
    }

    async fn answer(
        &self,
        upstream: &mut (impl AsyncRead + Unpin),
        mut client: tokio::net::tcp::WriteHalf<'_>,
        fault: Option<Fault>,
    ) -> std::io::Result<()> {
        let (mut head, mut body) = read_head(upstream).await?;
        match &fault {
            Some(Fault::Relocate(to)) => head = head.replace(&format!("//{}/", self.address), &format!("//{to}/")),
            Some(Fault::Header(name, value)) => {
                let others = head.split("\r\n").filter(|line| !line.to_lowercase().starts_with(&format!("{name}:")));
                let mut lines: Vec<String> = others.map(str::to_owned).collect();
                lines.insert(1, format!("{name}: {value}"));
                head = lines.join("\r\n");
            }
            _ => {}
        }
        if let Some(Fault::Silence) = fault {
            return Ok(());
        }
        client.write_all(head.as_bytes()).await?;
        match fault {
            Some(Fault::CutAnswer(after)) => {
                let mut missing = vec![0; after.saturating_sub(body.len())];
                upstream.read_exact(&mut missing).await?;
                body.extend(missing);
                client.write_all(&body[..after]).await?;
            }
            Some(Fault::Corrupt) => {
                upstream.read_to_end(&mut body).await?;
                if let Some(last) = body.last_mut() {
                    *last ^= 1;
                }
                client.write_all(&body).await?;
            }
            _ => {
                client.write_all(&body).await?;
                tokio::io::copy(upstream, &mut client).await?;
            }
        }
        client.shutdown().await
    }
}

/// A request's head as it goes to the registry.
fn head_of(request: &Request) -> String {
    let kept = |name: &str| name != "connection" && name != "authorization";
    let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", request.method, request.path);
    for (name, value) in request.headers.iter().filter(|(name, _)| kept(name)) {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head + "\r\n"
}

fn errors(code: &str) -> String {
    format!(r#"{{"errors":[{{"code":"{code}","message":"the proxy says no"}}]}}"#)
}

async fn reply(client: &mut TcpStream, (status, headers, body): (u16, String, Vec<u8>)) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} No\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    client.write_all(&[head.as_bytes(), &body].concat()).await?;
    client.shutdown().await?;
    // Closing with unread bytes would reset the connection before the answer is read.
    tokio::io::copy(client, &mut tokio::io::sink()).await.map(|_| ())
}

/// Reads as far as the empty line; what came after it is returned apart.
async fn read_head(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8(bytes).unwrap(), rest));
        }
        if from.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn parse(head: &str) -> Request {
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap().split(' ');
    let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    Request { method, path, headers }
}
