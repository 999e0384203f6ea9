//! A git server: git's own `http-backend` behind a small HTTP server, which knows a token, writes down what it is asked, and fails
//! as it is told.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// What the server can.
    Abilities,
    /// What a branch names.
    ReadBranch,
    /// Commits, trees and files.
    Fetch,
    /// What a push may say.
    Announce,
    /// A push.
    Push,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status, with these words.
    Status(u16, &'static str),
    /// Another address.
    Redirect(String),
    /// It is done, and the connection is cut before the answer.
    Lost,
    /// It is done, and whoever stands before the server says that it failed.
    Denied,
    /// Nothing is done, and nothing is said.
    Hang,
    /// The answer ends in its middle.
    Truncated,
    /// The answer is another one's.
    Wrong,
    /// A byte in the middle of the answer is another one.
    Spoilt,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What was asked; none where it is nothing that git asks.
    pub call: Option<Call>,
    /// The path with its query.
    pub path: String,
    /// The user and the token that were shown.
    pub credential: Option<String>,
    /// What was sent.
    pub body: Vec<u8>,
}

type Before = Box<dyn FnOnce() + Send>;

struct State {
    root: PathBuf,
    credential: Mutex<String>,
    asked: Mutex<Vec<Asked>>,
    faults: Mutex<Vec<(Call, usize, Fault)>>,
    before: Mutex<Vec<(Call, Before)>>,
}

/// The server, with the bare repositories below a folder.
pub struct GitServer {
    address: SocketAddr,
    state: Arc<State>,
}

impl GitServer {
    /// Starts one that lets `user` in by a token.
    pub fn start(root: &Path, user: &str, token: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = State {
            root: root.to_owned(),
            credential: Mutex::new(format!("{user}:{token}")),
            asked: Mutex::default(),
            faults: Mutex::default(),
            before: Mutex::default(),
        };
        let (address, state) = (listener.local_addr().unwrap(), Arc::new(state));
        let served = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = served.clone();
                // What becomes of a connection that someone cuts is nobody's concern.
                std::thread::spawn(move || state.serve(client).ok());
            }
        });
        Self { address, state }
    }

    /// The address of a repository.
    pub fn url(&self, repository: &str) -> String {
        format!("http://{}/{repository}", self.address)
    }

    /// Lets nobody in any more.
    pub fn revoke(&self) {
        self.state.credential.lock().unwrap().push_str("revoked");
    }

    /// What it was asked.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// How often it was asked that.
    pub fn count(&self, call: Call) -> usize {
        self.asked().iter().filter(|asked| asked.call == Some(call)).count()
    }

    /// So many calls fail.
    pub fn fail(&self, call: Call, times: usize, fault: Fault) {
        self.state.faults.lock().unwrap().push((call, times, fault));
    }

    /// Lets nothing fail any longer.
    pub fn mend(&self) {
        self.state.faults.lock().unwrap().clear();
    }

    /// Has something happen before the next such call is answered.
    pub fn before(&self, call: Call, happens: impl FnOnce() + Send + 'static) {
        self.state.before.lock().unwrap().push((call, Box::new(happens)));
    }
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(client: &TcpStream) -> std::io::Result<Self> {
        let mut reader = BufReader::new(client);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut words = first.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut request = Self { method, path, headers, body: Vec::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        request.body = vec![0; length];
        reader.read_exact(&mut request.body)?;
        Ok(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    fn call(&self) -> Option<Call> {
        let is = |end: &str| self.path.ends_with(end);
        let asks = |words: &[u8]| self.body.windows(words.len()).any(|part| part == words);
        match &*self.method {
            "GET" if is("/info/refs?service=git-upload-pack") => Some(Call::Abilities),
            "GET" if is("/info/refs?service=git-receive-pack") => Some(Call::Announce),
            "POST" if is("/git-upload-pack") && asks(b"command=ls-refs") => Some(Call::ReadBranch),
            "POST" if is("/git-upload-pack") => Some(Call::Fetch),
            "POST" if is("/git-receive-pack") => Some(Call::Push),
            _ => None,
        }
    }
}

impl State {
    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let request = Request::read(&client)?;
        let credential = request.header("authorization").and_then(|shown| shown.strip_prefix("Basic "));
        let credential = credential.and_then(|shown| String::from_utf8(STANDARD.decode(shown).ok()?).ok());
        let call = request.call();
        let asked = Asked { call, path: request.path.clone(), credential: credential.clone(), body: request.body.clone() };
        self.asked.lock().unwrap().push(asked);
        if credential.as_deref() != Some(&**self.credential.lock().unwrap()) {
            return client
                .write_all(b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nWWW-Authenticate: Basic\r\n\r\nNo such token\n");
        }
        let before = {
            let mut all = self.before.lock().unwrap();
            let at = all.iter().position(|(of, _)| Some(*of) == call);
            at.map(|at| all.remove(at).1)
        };
        if let Some(happens) = before {
            happens();
        }
        let fault = {
            let mut all = self.faults.lock().unwrap();
            let found = all.iter_mut().find(|(of, times, _)| Some(*of) == call && *times > 0);
            found.map(|(_, times, fault)| {
                *times -= 1;
                fault.clone()
            })
        };
        match fault {
            Some(Fault::Status(status, words)) => {
                return client.write_all(format!("HTTP/1.1 {status} No\r\nConnection: close\r\n\r\n{words}").as_bytes());
            }
            Some(Fault::Redirect(to)) => {
                return client.write_all(format!("HTTP/1.1 301 Moved\r\nConnection: close\r\nLocation: {to}\r\n\r\n").as_bytes());
            }
            Some(Fault::Wrong) => {
                return client
                    .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n<html>Sign in</html>");
            }
            // Until whoever asks goes away.
            Some(Fault::Hang) => return client.read_to_end(&mut Vec::new()).map(drop),
            _ => {}
        }
        let answer = self.answer(&request);
        let (head, mut body) = (answer.0, answer.1);
        let middle = body.len() / 2;
        match fault {
            Some(Fault::Lost) => return Ok(()),
            Some(Fault::Denied) => return client.write_all(b"HTTP/1.1 502 No\r\nConnection: close\r\n\r\n"),
            Some(Fault::Spoilt) => body[middle] ^= 1,
            _ => {}
        }
        let head = format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        if fault == Some(Fault::Truncated) {
            body.truncate(middle);
        }
        client.write_all(head.as_bytes())?;
        client.write_all(&body)
    }

    /// What `git http-backend` answers (git-http-backend(1)).
    fn answer(&self, request: &Request) -> (String, Vec<u8>) {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let mut backend = Command::new("git");
        backend.arg("http-backend").env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs([
            ("HOME", "/nonexistent"),
            ("GIT_HTTP_EXPORT_ALL", "1"),
            ("REMOTE_USER", "a"),
            ("GIT_COMMITTER_EMAIL", "a@example.invalid"),
            ("PATH_INFO", path),
            ("QUERY_STRING", query),
            ("REQUEST_METHOD", &request.method),
            ("CONTENT_TYPE", request.header("content-type").unwrap_or_default()),
            ("CONTENT_LENGTH", &request.body.len().to_string()),
            ("GIT_PROTOCOL", request.header("git-protocol").unwrap_or_default()),
        ]);
        backend.env("GIT_PROJECT_ROOT", &self.root);
        let mut child = backend.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut stdin, body) = (child.stdin.take().unwrap(), request.body.clone());
        let writer = std::thread::spawn(move || stdin.write_all(&body).ok());
        let output = child.wait_with_output().unwrap().stdout;
        writer.join().unwrap();
        let end = output.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
        let (mut status, mut head) = ("200 OK".to_owned(), String::new());
        for line in String::from_utf8_lossy(&output[..end]).lines() {
            match line.strip_prefix("Status: ") {
                Some(other) => other.clone_into(&mut status),
                None => write!(head, "{line}\r\n").unwrap(),
            }
        }
        (format!("HTTP/1.1 {status}\r\n{head}"), output[end + 4..].to_vec())
    }
}
