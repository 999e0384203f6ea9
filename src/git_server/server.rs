//! What a git server is asked, and what it says.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{RequestBuilder, Response};

use super::Address;
use super::error::Error;
use super::object::Id;
use super::packet::{self, Packet, Packets};
use crate::net::{Carrier as _, ClientBuilder, Pace, RetryPolicy, TransportError};
use crate::secret::Secret;
use crate::text;

/// The most bytes of an answer.
const MAX_ANSWER: usize = 128 << 20;
/// The most bytes of what a refusal says that are read.
const MAX_WORDS: usize = 8 << 10;
/// How the second version of the protocol is asked for; one that does not know it answers in the first.
const PROTOCOL: &str = "version=2";
const AGENT: &str = concat!("agent=gp-deliver/", env!("CARGO_PKG_VERSION"));
const FORMAT: &str = "object-format=sha1";

/// A git server, about one repository.
pub(super) struct Server {
    address: Address,
    http: reqwest::Client,
    token: Option<Secret>,
}

/// What it can do besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    /// Leaves out files, or folders too.
    pub(super) filters: bool,
    /// Says the format of objects, which is then said to it too.
    says_format: bool,
}

/// What is fetched.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// The objects.
    pub(super) want: Vec<Id>,
    /// Commits that are here, with all behind them that was fetched.
    pub(super) have: Vec<Id>,
    /// Those of them whose parents are not here.
    pub(super) shallow: Vec<Id>,
    /// What is left out, where the server leaves out anything.
    pub(super) filter: Option<&'static str>,
    /// How many commits behind those that are wanted.
    pub(super) depth: Option<usize>,
}

/// What came.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) pack: Vec<u8>,
    /// The commits whose parents were left out.
    pub(super) shallow: Vec<Id>,
}

impl Server {
    pub(super) fn open(address: Address, token: Option<Secret>) -> Result<Self, Error> {
        // A header has no line ends.
        if token.as_ref().is_some_and(|token| !token.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Error::Token);
        }
        let http = ClientBuilder::new().build().map_err(TransportError::from)?;
        Ok(Self { address, http, token })
    }

    /// What it can do.
    ///
    /// # Errors
    /// It refuses, can't be reached, or speaks another protocol.
    pub(super) async fn abilities(&self) -> Result<Abilities, Error> {
        let service = "git-upload-pack";
        let answer = RetryPolicy::REGISTRY.run(|| self.advertised(service)).await?;
        let mut packets = Packets(&answer);
        let mut lines = packets.lines()?;
        if lines.first() == Some(&"# service=git-upload-pack") {
            lines = packets.lines()?;
        }
        if lines.first() != Some(&"version 2") {
            return Err(Error::Unspoken("the second version of git's protocol"));
        }
        let of = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let format = of("object-format");
        let (Some(fetch), None | Some("sha1")) = (of("fetch"), format) else {
            return Err(Error::Unspoken("of objects by SHA-1"));
        };
        Ok(Abilities { filters: fetch.split(' ').any(|word| word == "filter"), says_format: format.is_some() })
    }

    async fn advertised(&self, service: &str) -> Result<Bytes, Error> {
        let url = self.address.below(&format!("info/refs?service={service}"));
        self.answer(self.http.get(url), &format!("application/x-{service}-advertisement")).await
    }

    fn message(abilities: Abilities, command: &str) -> Vec<u8> {
        let mut message = Vec::new();
        packet::line(&mut message, &format!("command={command}\n"));
        packet::line(&mut message, &format!("{AGENT}\n"));
        if abilities.says_format {
            packet::line(&mut message, &format!("{FORMAT}\n"));
        }
        message.extend_from_slice(b"0001");
        message
    }

    async fn upload_pack(&self, message: Vec<u8>) -> Result<Bytes, Error> {
        let message = Bytes::from(message);
        RetryPolicy::REGISTRY.run(|| self.posted("git-upload-pack", message.clone())).await
    }

    async fn posted(&self, service: &str, message: Bytes) -> Result<Bytes, Error> {
        let request =
            self.http.post(self.address.below(service)).header(CONTENT_TYPE, format!("application/x-{service}-request"));
        self.answer(request.body(message), &format!("application/x-{service}-result")).await
    }

    /// The commit that a branch names; none where there is no such branch.
    ///
    /// # Errors
    /// It refuses, or can't be reached.
    pub(super) async fn branch(&self, abilities: Abilities, name: &str) -> Result<Option<Id>, Error> {
        let reference = format!("refs/heads/{name}");
        let mut message = Self::message(abilities, "ls-refs");
        packet::line(&mut message, &format!("ref-prefix {reference}\n"));
        message.extend_from_slice(b"0000");
        let answer = self.upload_pack(message).await?;
        let lines = Packets(&answer).lines()?;
        said(&lines)?;
        let named = lines.iter().filter_map(|line| line.split_once(' ')).find(|(_, name)| *name == reference);
        named.map(|(id, _)| id.parse()).transpose()
    }

    /// Objects, and the commits and trees behind them.
    ///
    /// # Errors
    /// It refuses, or can't be reached.
    pub(super) async fn fetch(&self, abilities: Abilities, wanted: &Wanted) -> Result<Fetched, Error> {
        let mut message = Self::message(abilities, "fetch");
        let mut add = |line: String| packet::line(&mut message, &line);
        add("no-progress\n".to_owned());
        if let Some(filter) = wanted.filter.filter(|_| abilities.filters) {
            add(format!("filter {filter}\n"));
        }
        wanted.depth.iter().for_each(|depth| add(format!("deepen {depth}\n")));
        wanted.shallow.iter().for_each(|id| add(format!("shallow {id}\n")));
        wanted.want.iter().for_each(|id| add(format!("want {id}\n")));
        wanted.have.iter().for_each(|id| add(format!("have {id}\n")));
        add("done\n".to_owned());
        message.extend_from_slice(b"0000");
        let answer = self.upload_pack(message).await?;
        fetched(&answer)
    }

    /// Has a branch name a commit in place of another, which it has to name now.
    ///
    /// # Errors
    /// It does not do so, or it is not known whether it does.
    pub(super) async fn push(&self, branch: &str, from: Id, to: Id, pack: &[u8]) -> Result<(), Error> {
        let service = "git-receive-pack";
        let advertised = RetryPolicy::REGISTRY.run(|| self.advertised(service)).await?;
        let mut packets = Packets(&advertised);
        if packets.lines()? != ["# service=git-receive-pack"] {
            return Err(Error::Malformed("it says nothing of what it takes"));
        }
        let lines = packets.lines()?;
        said(&lines)?;
        let able = lines.first().and_then(|line| line.split_once('\0')).map(|(_, able)| able).unwrap_or_default();
        let can = |name: &str| able.split(' ').any(|one| one == name);
        if !can("report-status") {
            return Err(Error::Unspoken("of what became of a push"));
        }
        let side_band = if can("side-band-64k") { " side-band-64k" } else { "" };
        let reference = format!("refs/heads/{branch}");
        let mut message = Vec::new();
        packet::line(&mut message, &format!("{from} {to} {reference}\0 report-status{side_band} {AGENT}"));
        message.extend_from_slice(b"0000");
        message.extend_from_slice(pack);
        // Never done twice: what became of it is looked at.
        let answer = self.posted(service, message.into()).await?;
        let (report, words) =
            if side_band.is_empty() { (answer.to_vec(), String::new()) } else { parted(&mut Packets(&answer))? };
        taken(&report, &reference, &words)
    }

    async fn answer(&self, request: RequestBuilder, expected: &str) -> Result<Bytes, Error> {
        // What takes a push knows the first version alone, and leaves out what it is where it is asked in another.
        let request = if expected.contains("upload-pack") { request.header("Git-Protocol", PROTOCOL) } else { request };
        let request = match &self.token {
            Some(token) => request.basic_auth(self.address.user(), Some(token.expose())),
            None => request,
        };
        let request = request.build().map_err(TransportError::from)?;
        let mut watch = Pace::REMOTE.watch(MAX_ANSWER as u64);
        let response = watch.next(self.http.carry(request), |_| 0).await??;
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
            return Err(Error::Elsewhere { to: text::words(&to.unwrap_or_default()) });
        }
        if !status.is_success() {
            let words = read(response, MAX_WORDS).await.unwrap_or_default();
            return Err(Error::Refused { status, message: text::words(&String::from_utf8_lossy(&words)) });
        }
        let of = response.headers().get(CONTENT_TYPE).and_then(|of| of.to_str().ok()).unwrap_or_default();
        if of != expected {
            return Err(Error::Unspoken("git's protocol at this address"));
        }
        read(response, MAX_ANSWER).await
    }
}

async fn read(mut response: Response, limit: usize) -> Result<Bytes, Error> {
    let mut watch = Pace::REMOTE.watch(limit as u64);
    let mut answer = Vec::new();
    let size =
        |chunk: &Result<Option<Bytes>, reqwest::Error>| chunk.as_ref().ok().and_then(Option::as_ref).map_or(0, Bytes::len) as u64;
    while let Some(chunk) = watch.next(response.chunk(), size).await?.map_err(TransportError::from)? {
        if answer.len() + chunk.len() > limit {
            return Err(Error::TooLong(limit));
        }
        answer.extend_from_slice(&chunk);
    }
    Ok(answer.into())
}

/// What a message says in place of an answer.
fn said(lines: &[&str]) -> Result<(), Error> {
    lines.iter().find_map(|line| line.strip_prefix("ERR ")).map_or(Ok(()), |words| Err(Error::Said(text::words(words))))
}

fn fetched(answer: &[u8]) -> Result<Fetched, Error> {
    let mut packets = Packets(answer);
    let mut shallow = Vec::new();
    loop {
        let Some(Packet::Data(section)) = packets.next()? else { return Err(Error::Malformed("a section is missing")) };
        match section.strip_suffix(b"\n").unwrap_or(section) {
            b"packfile" => return Ok(Fetched { pack: parted(&mut packets)?.0, shallow }),
            b"shallow-info" => {
                for line in packets.lines()? {
                    shallow.extend(line.strip_prefix("shallow ").map(str::parse::<Id>).transpose()?);
                }
            }
            section if section.starts_with(b"ERR ") => {
                return Err(Error::Said(text::words(&String::from_utf8_lossy(&section[4..]))));
            }
            _ => packets.lines().map(drop)?,
        }
    }
}

/// What comes on the first band, and what is said on the second.
fn parted(packets: &mut Packets<'_>) -> Result<(Vec<u8>, String), Error> {
    let (mut content, mut words) = (Vec::new(), Vec::new());
    while let Some(packet) = packets.next()? {
        match packet {
            Packet::Data([1, part @ ..]) => content.extend_from_slice(part),
            Packet::Data([2, part @ ..]) => {
                words.extend_from_slice(&part[..part.len().min(MAX_WORDS.saturating_sub(words.len()))]);
            }
            Packet::Data([3, part @ ..]) => return Err(Error::Said(text::words(&String::from_utf8_lossy(part)))),
            Packet::Data(_) | Packet::Delimiter => return Err(Error::Malformed("a band is none")),
            Packet::Flush => return Ok((content, String::from_utf8_lossy(&words).into_owned())),
        }
    }
    Err(Error::Malformed("it has no end"))
}

/// What became of a push (gitprotocol-pack(5), "Report Status").
fn taken(report: &[u8], reference: &str, words: &str) -> Result<(), Error> {
    let lines = Packets(report).lines()?;
    said(&lines)?;
    let rejected = |reason: &str| {
        let words = if words.trim().is_empty() { reason.to_owned() } else { format!("{reason}: {}", words.trim()) };
        Err(Error::Rejected { reason: text::words(&words) })
    };
    match lines.as_slice() {
        ["unpack ok", line] if line.strip_prefix("ok ") == Some(reference) => Ok(()),
        ["unpack ok", line] => match line.strip_prefix("ng ").and_then(|rest| rest.strip_prefix(reference)) {
            Some(reason) => rejected(reason.trim()),
            None => Err(Error::Malformed("it says nothing of the branch")),
        },
        [unpack, ..] if unpack.starts_with("unpack ") => rejected(unpack),
        _ => Err(Error::Malformed("it does not say what became of it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(lines: &[&str]) -> Vec<u8> {
        let mut message = Vec::new();
        lines.iter().for_each(|line| packet::line(&mut message, line));
        message.extend_from_slice(b"0000");
        message
    }

    #[test]
    fn only_what_is_said_to_be_taken_is() {
        let (main, ok) = ("refs/heads/main", "unpack ok\n");
        let taken = |lines: &[&str]| taken(&message(lines), main, "remote: no\n");
        assert!(taken(&[ok, "ok refs/heads/main\n"]).is_ok());
        let Err(Error::Rejected { reason }) = taken(&[ok, "ng refs/heads/main pre-receive hook declined\n"]) else { panic!() };
        assert_eq!(reason.to_string(), "pre-receive hook declined: remote: no");
        for lines in [
            &["ok refs/heads/main\n"][..],
            &[ok],
            &[ok, "ok refs/heads/main2\n"],
            &[ok, "ok refs/heads/main\n", "ng refs/heads/main x\n"],
            &["unpack error\n", "ok refs/heads/main\n"],
            &["ERR no"],
            &[],
        ] {
            assert!(taken(lines).is_err(), "{lines:?}");
        }
        assert!(super::taken(b"", main, "").is_err());
    }

    #[test]
    fn a_pack_is_what_stands_on_the_first_band() {
        let answer = message(&["shallow-info\n", "shallow e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n"]);
        let mut answer = [&answer[..answer.len() - 4], b"0001"].concat();
        answer.extend_from_slice(&message(&["packfile\n", "\x01PA", "\x02words", "\x01CK"]));
        let fetched = fetched(&answer).unwrap();
        assert_eq!((&fetched.pack[..], fetched.shallow.len()), (&b"PACK"[..], 1));
        for broken in [&["packfile\n", "\x01PA", "\x03no"][..], &["packfile\n", "\x04"], &["ERR no"], &["packfile\n", ""], &[]] {
            assert!(super::fetched(&message(broken)).is_err(), "{broken:?}");
        }
        assert!(super::fetched(&answer[..answer.len() - 4]).is_err());
    }
}
