//! Passwords that expire: their issuer is asked again for as long as a delivery lasts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::error::Error;
use crate::secret::Secret;

/// A password is renewed this long before it expires: an upload that begins with it may take its time to arrive.
const MARGIN: Duration = Duration::from_mins(2);

/// Issues passwords for a registry.
pub(crate) trait Issuer: fmt::Debug + Send + Sync {
    /// A new password.
    fn issue(&self) -> BoxFuture<'_, Result<Password, Error>>;
}

/// A name, a password, and how long they are valid.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "the field is what a registry calls it")]
pub(crate) struct Password {
    /// The name.
    pub(crate) username: String,
    /// The password.
    pub(crate) password: Secret,
    /// How long from now; absent if not known.
    pub(crate) good_for: Option<Duration>,
}

/// The current password, and its issuer. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct CachedPassword {
    issuer: Arc<dyn Issuer>,
    current: Arc<Mutex<Option<Issued>>>,
}

#[derive(Debug)]
struct Issued {
    password: Password,
    at: Instant,
}

impl CachedPassword {
    /// Starts with a password that was just issued.
    #[must_use]
    pub(crate) fn new(issuer: Arc<dyn Issuer>, first: Password) -> Self {
        let first = Issued { password: first, at: Instant::now() };
        Self { issuer, current: Arc::new(Mutex::new(Some(first))) }
    }

    /// Starts without one: the issuer is asked once a password is wanted.
    #[must_use]
    pub(crate) fn of(issuer: Arc<dyn Issuer>) -> Self {
        Self { issuer, current: Arc::default() }
    }

    /// A password that has not expired. One request at a time asks the issuer: the others wait for its answer.
    pub(crate) async fn current(&self) -> Result<Password, Error> {
        let mut current = self.current.lock().await;
        if let Some(issued) = current.as_ref().filter(|issued| issued.is_good()) {
            return Ok(issued.password.clone());
        }
        let password = self.issuer.issue().await?;
        *current = Some(Issued { password: password.clone(), at: Instant::now() });
        Ok(password)
    }

    /// Discards the password that was shown at `shown` and refused. One that was issued later is kept.
    pub(in crate::oci::registry) async fn give_up(&self, shown: Instant) {
        let mut current = self.current.lock().await;
        current.take_if(|issued| issued.at <= shown);
    }
}

impl Issued {
    fn is_good(&self) -> bool {
        self.password.good_for.is_none_or(|life| self.at.elapsed() < life.saturating_sub(MARGIN))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Counting(AtomicU32);

    impl Issuer for Counting {
        fn issue(&self) -> BoxFuture<'_, Result<Password, Error>> {
            let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            Box::pin(async move { Ok(password(&number.to_string(), Some(Duration::from_hours(12)))) })
        }
    }

    fn password(text: &str, good_for: Option<Duration>) -> Password {
        Password { username: "AWS".to_owned(), password: Secret::new(text), good_for }
    }

    async fn current(passwords: &CachedPassword) -> String {
        passwords.current().await.unwrap().password.expose().to_owned()
    }

    #[tokio::test]
    async fn a_password_is_issued_anew_when_the_last_is_about_to_expire() {
        let lasting = CachedPassword::new(Arc::new(Counting::default()), password("first", None));
        assert_eq!(current(&lasting).await, "first");
        let short = CachedPassword::new(Arc::new(Counting::default()), password("first", Some(MARGIN)));
        assert_eq!(current(&short).await, "1");
        assert_eq!(current(&short).await, "1");
    }

    #[tokio::test]
    async fn a_refused_password_is_given_up_once_however_many_showed_it() {
        let passwords = CachedPassword::new(Arc::new(Counting::default()), password("first", None));
        let shown = Instant::now();
        passwords.give_up(shown).await;
        assert_eq!(current(&passwords).await, "1");
        passwords.give_up(shown).await;
        assert_eq!(current(&passwords).await, "1");
    }
}
