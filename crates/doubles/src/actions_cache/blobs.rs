//! Contents by signed addresses, as Azure's store of block blobs has them: a blob is put as a whole, or block by block and then
//! by a list of them, and read from any place on.

use std::collections::BTreeMap;
use std::sync::Mutex;

use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;

use super::refusal::Refusal;
use crate::service::content::{Answer, full};

/// The signatures that were given, each with the number of its entry and whether it lets write.
#[derive(Default)]
pub struct Signatures(Mutex<BTreeMap<String, (u64, bool)>>);

/// The blocks that wait for their list.
#[derive(Default)]
pub struct Blocks(Mutex<BTreeMap<(u64, String), Bytes>>);

impl Signatures {
    /// The path and query by which an entry's content is put or got.
    pub fn sign(&self, number: u64, writes: bool) -> String {
        let signature = format!("{:032x}", rand::random::<u128>());
        self.0.lock().unwrap().insert(signature.clone(), (number, writes));
        format!("blobs/{number}?sv=2025-05-05&sp={}&sig={signature}", if writes { "cw" } else { "r" })
    }

    /// The entry that an address is of.
    pub fn entry(&self, head: &Parts, writes: bool) -> Result<u64, Refusal> {
        let refused = Refusal::Azure(403, "AuthenticationFailed");
        let known = self.0.lock().unwrap();
        let (number, may_write) =
            query(head, "sig").and_then(|signature| known.get(&signature).copied()).ok_or(refused.clone())?;
        let is_its = head.uri.path().ends_with(&format!("/{number}")) && may_write == writes;
        is_its.then_some(number).ok_or(refused)
    }
}

/// What a request puts: the content of the blob where it is whole by that.
pub fn put(blocks: &Blocks, number: u64, head: &Parts, body: Bytes) -> Result<Option<Bytes>, Refusal> {
    match query(head, "comp").as_deref() {
        None if head.headers.get("x-ms-blob-type").is_some_and(|kind| kind == "BlockBlob") => Ok(Some(body)),
        Some("block") => {
            let id = query(head, "blockid").ok_or(Refusal::Azure(400, "InvalidQueryParameterValue"))?;
            blocks.0.lock().unwrap().insert((number, id), body);
            Ok(None)
        }
        Some("blocklist") => {
            let list = String::from_utf8_lossy(&body).into_owned();
            let ids = list.split("<Latest>").skip(1).filter_map(|rest| rest.split("</Latest>").next());
            let mut blocks = blocks.0.lock().unwrap();
            let parts = ids.map(|id| blocks.remove(&(number, id.to_owned())));
            let parts = parts.collect::<Option<Vec<_>>>().ok_or(Refusal::Azure(400, "InvalidBlockList"))?;
            Ok(Some(parts.concat().into()))
        }
        _ => Err(Refusal::Azure(400, "InvalidHeaderValue")),
    }
}

/// The answer to one that puts.
pub fn created() -> Answer {
    stored(Response::builder().status(201)).body(full("")).unwrap()
}

/// The content of a blob, from where a request wants it.
pub fn get(head: &Parts, content: &Bytes) -> Result<Answer, Refusal> {
    let range = head.headers.get("x-ms-range").or_else(|| head.headers.get("range"));
    let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let Some((from, to)) = range else {
        return Ok(stored(Response::builder().status(200)).body(full(content.clone())).unwrap());
    };
    let refused = || Refusal::Azure(416, "InvalidRange");
    let from: usize = from.parse().map_err(|_| refused())?;
    let end = to.parse::<usize>().map_or(content.len(), |to| to.saturating_add(1)).min(content.len());
    if from >= end {
        return Err(refused());
    }
    let answer = Response::builder().status(206).header("content-range", format!("bytes {from}-{}/{}", end - 1, content.len()));
    Ok(stored(answer).body(full(content.slice(from..end))).unwrap())
}

fn stored(answer: hyper::http::response::Builder) -> hyper::http::response::Builder {
    let answer = answer.header("etag", "\"0x1\"").header("last-modified", "Sat, 28 Nov 2026 12:00:00 GMT");
    answer.header("x-ms-request-id", "0").header("x-ms-version", "2025-05-05").header("date", "Sat, 28 Nov 2026 12:00:00 GMT")
}

fn query(head: &Parts, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(head.uri.query()?.as_bytes()).into_owned().collect::<Vec<_>>();
    pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}
