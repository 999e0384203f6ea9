//! The secrets of this process.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::redactor::{Collection, Redactor};
use super::{SHORTEST, parts};

/// The shortest token of someone else's issue that is looked for: who gives it out must not choose the words that our log
/// and reports go without.
const SHORTEST_ISSUED: usize = 32;

/// Whether a secret is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Wherever text leaves the process.
    Masked,
    /// Nowhere: it is too short.
    TooShort,
    /// Nowhere: it is what everyone knows, and reports have to say.
    Public,
}

/// Hears of each line of a secret, once.
type Listener = fn(&str);

#[derive(Default)]
struct Secrets {
    known: BTreeSet<Vec<u8>>,
    public: BTreeSet<String>,
    told: BTreeSet<String>,
    listener: Option<Listener>,
    /// What looks for them. Who redacts meanwhile holds what it was.
    redactor: Arc<Redactor>,
}

#[cfg(not(test))]
fn with<T>(act: impl FnOnce(&RwLock<Secrets>) -> T) -> T {
    static SECRETS: std::sync::LazyLock<RwLock<Secrets>> = std::sync::LazyLock::new(RwLock::default);
    act(&SECRETS)
}

#[cfg(test)]
fn with<T>(act: impl FnOnce(&RwLock<Secrets>) -> T) -> T {
    thread_local!(static SECRETS: RwLock<Secrets> = RwLock::default());
    SECRETS.with(act)
}

/// Forgets all that this thread knows.
#[cfg(test)]
pub(super) fn forget() {
    with(|secrets| *secrets.write().unwrap_or_else(PoisonError::into_inner) = Secrets::default());
}

/// Takes note of what must not leave the process: as a whole, and each of its lines.
pub(crate) fn remember(secret: &str) -> Known {
    remember_all(secret.as_bytes(), &[])
}

/// Takes note of a secret of a build, which may be a whole file: also of what is secret in it by itself.
pub(crate) fn remember_structured(secret: &[u8]) -> Known {
    remember_all(secret, &std::str::from_utf8(secret).map(parts::of).unwrap_or_default())
}

/// Takes note of a token that someone else issued, who may not be trusted with our words.
pub(crate) fn remember_issued(token: &str) -> Known {
    let is_token = token.len() >= SHORTEST_ISSUED && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token { remember(token) } else { Known::TooShort }
}

/// Says that `value` is what everyone knows, the commit's id for one: a secret that is the same is none.
pub(crate) fn publish(value: &str) {
    with(|secrets| secrets.write().unwrap_or_else(PoisonError::into_inner).public.insert(value.to_owned()));
}

/// Has `listener` hear of each secret that is made known from now on, be it known before or not.
pub(crate) fn tell(listener: fn(&str)) {
    with(|secrets| secrets.write().unwrap_or_else(PoisonError::into_inner).listener = Some(listener));
}

/// The text with `***` in place of each secret.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    redactor().apply(text)
}

/// The same for a text that was cut at its end: what a secret begins with there is hidden too.
pub(crate) fn redact_cut(text: &str) -> Cow<'_, str> {
    redactor().apply_cut(text)
}

fn remember_all(secret: &[u8], parts: &[String]) -> Known {
    let text = Zeroizing::new(String::from_utf8_lossy(secret).into_owned());
    let whole = text.trim();
    let heard = with(|secrets| {
        let mut secrets = secrets.write().unwrap_or_else(PoisonError::into_inner);
        if secrets.public.contains(whole) {
            return Err(Known::Public);
        }
        if whole.chars().count() < SHORTEST {
            return Err(Known::TooShort);
        }
        let mut lines = parts::lines(whole);
        lines.retain(|line| !secrets.public.contains(line));
        // A line's end that another system writes makes other digits of what is encoded as a whole.
        let other = if whole.contains("\r\n") { whole.replace("\r\n", "\n") } else { whole.replace('\n', "\r\n") };
        let other = Some(Zeroizing::new(other)).filter(|_| lines.len() > 1);
        let parts: Vec<_> = parts.iter().filter(|part| !secrets.public.contains(part.trim())).collect();
        let pieces = lines.iter().chain(parts.iter().copied()).map(|piece| piece.trim().as_bytes());
        let other = other.iter().map(|other| other.as_bytes());
        secrets.add([secret.trim_ascii()].into_iter().chain(other).chain(pieces));
        // One that is not of letters has no lines that tell something, and is one all the same.
        let single = Some(whole.to_owned()).filter(|whole| !whole.contains('\n'));
        Ok(secrets.unheard(single.into_iter().chain(lines).chain(parts.into_iter().flat_map(|part| parts::lines(part)))))
    });
    match heard {
        Err(known) => known,
        Ok(None) => Known::Masked,
        Ok(Some((listener, lines))) => {
            lines.iter().for_each(|line| listener(line));
            Known::Masked
        }
    }
}

impl Secrets {
    /// Adds a secret and what of it is one by itself.
    fn add<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]>) {
        let mut patterns = Collection::beside(&self.redactor);
        pieces.filter(|piece| self.known.insert(piece.to_vec())).for_each(|piece| patterns.add(piece));
        let new = patterns.into_new();
        Arc::make_mut(&mut self.redactor).add(new);
    }

    /// Who is to hear of what; nobody, or nothing new: none.
    fn unheard(&mut self, lines: impl Iterator<Item = String>) -> Option<(Listener, Vec<String>)> {
        let listener = self.listener?;
        let new = lines.filter(|line| self.told.insert(line.clone())).collect();
        Some((listener, new))
    }
}

fn redactor() -> Arc<Redactor> {
    with(|secrets| Arc::clone(&secrets.read().unwrap_or_else(PoisonError::into_inner).redactor))
}
