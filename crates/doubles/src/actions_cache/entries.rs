//! The entries: each has a scope, a key and a version, and stays as it is once it is there.

use hyper::body::Bytes;
use rand::Rng as _;

use super::refusal::Refusal;
use super::token::{Right, Scopes};

/// An entry, perhaps still on its way.
struct Entry {
    number: u64,
    scope: String,
    key: String,
    version: String,
    content: Option<Bytes>,
    /// Whether it was said that it is whole.
    is_final: bool,
    /// When it was used last, in requests.
    used: u64,
}

pub struct Entries {
    all: Vec<Entry>,
    limit: usize,
    clock: u64,
}

impl Entries {
    pub fn new(limit: usize) -> Self {
        Self { all: Vec::new(), limit, clock: 0 }
    }

    pub fn keys(&self) -> Vec<(String, String)> {
        self.all.iter().filter(|entry| entry.is_final).map(|entry| (entry.scope.clone(), entry.key.clone())).collect()
    }

    pub fn limit(&mut self, bytes: usize) {
        self.limit = bytes;
        self.forget();
    }

    pub fn spoil(&mut self) {
        for content in self.all.iter_mut().filter_map(|entry| entry.content.as_mut()) {
            let mut bytes = content.to_vec();
            bytes.iter_mut().for_each(|byte| *byte ^= 1);
            *content = bytes.into();
        }
    }

    /// Reserves a key in the scope that the token may write: the number of its entry.
    pub fn create(&mut self, scopes: &Scopes, key: &str, version: &str) -> Result<u64, Refusal> {
        if key.is_empty() || key.len() > 512 || key.contains(',') {
            return Err(Refusal::invalid("key must be 1 to 512 characters without commas"));
        }
        let scope = writable(scopes)?;
        if self.all.iter().any(|entry| entry.is(scope, key, version)) {
            return Err(Refusal::exists());
        }
        let number = rand::rng().random();
        let used = self.tick();
        let [scope, key, version] = [scope, key, version].map(str::to_owned);
        self.all.push(Entry { number, scope, key, version, content: None, is_final: false, used });
        Ok(number)
    }

    /// Says that an entry is whole: its number.
    pub fn finish(&mut self, scopes: &Scopes, key: &str, version: &str, size: usize) -> Result<u64, Refusal> {
        let scope = writable(scopes)?;
        let entry = self.all.iter_mut().find(|entry| entry.is(scope, key, version) && !entry.is_final);
        let entry = entry.ok_or_else(Refusal::not_found)?;
        match &entry.content {
            Some(content) if content.len() == size => entry.is_final = true,
            _ => return Err(Refusal::invalid("the size of the upload is not that of the entry")),
        }
        let number = entry.number;
        self.forget();
        Ok(number)
    }

    /// The entry that a run is given: in the order of its scopes, the one of that key, else the latest whose key begins with one
    /// of the others. Its number and key.
    pub fn find(&mut self, scopes: &Scopes, key: &str, others: &[String], version: &str) -> Option<(u64, String)> {
        let used = self.tick();
        for (scope, _) in scopes {
            let of = |entry: &Entry| entry.is_final && entry.scope == *scope && entry.version == version;
            let exact = self.all.iter().position(|entry| of(entry) && entry.key == key);
            let begins = |entry: &Entry| others.iter().any(|other| entry.key.starts_with(other.as_str()));
            let found = exact.or_else(|| self.all.iter().rposition(|entry| of(entry) && begins(entry)));
            if let Some(entry) = found.map(|at| &mut self.all[at]) {
                entry.used = used;
                return Some((entry.number, entry.key.clone()));
            }
        }
        None
    }

    /// Puts the content of an entry that is not whole yet.
    pub fn put(&mut self, number: u64, content: Bytes) -> Result<(), Refusal> {
        let entry = self.all.iter_mut().find(|entry| entry.number == number && !entry.is_final);
        entry.ok_or(Refusal::Azure(409, "BlobImmutableDueToPolicy"))?.content = Some(content);
        Ok(())
    }

    pub fn content(&self, number: u64) -> Option<Bytes> {
        self.all.iter().find(|entry| entry.number == number)?.content.clone()
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Forgets what was not used for longest, until the rest is within the limit.
    fn forget(&mut self) {
        let size = |entries: &[Entry]| entries.iter().filter_map(|entry| entry.content.as_ref()).map(Bytes::len).sum::<usize>();
        while size(&self.all) > self.limit {
            let oldest = self.all.iter().enumerate().filter(|(_, entry)| entry.is_final).min_by_key(|(_, entry)| entry.used);
            let Some((at, _)) = oldest else { return };
            self.all.remove(at);
        }
    }
}

impl Entry {
    fn is(&self, scope: &str, key: &str, version: &str) -> bool {
        (&*self.scope, &*self.key, &*self.version) == (scope, key, version)
    }
}

/// The scope that a token may write.
fn writable(scopes: &Scopes) -> Result<&str, Refusal> {
    let own = scopes.iter().find(|(_, right)| *right == Right::Write);
    let first = || scopes.first().map(|(scope, _)| scope.as_str()).unwrap_or_default();
    own.map(|(scope, _)| scope.as_str()).ok_or_else(|| Refusal::read_only(first()))
}
