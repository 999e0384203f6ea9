//! The tokens of a registry's token server (distribution, "Token Authentication Specification" and "`OAuth2` token
//! authentication"), kept until shortly before they expire.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::secret::Secret;

/// The life of a token that does not state one, by the specification.
const DEFAULT_LIFE: Duration = Duration::from_mins(1);
/// A token is renewed this long before it expires, since a request takes its time to arrive.
const MARGIN: Duration = Duration::from_secs(10);

/// The current tokens, by their scopes.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<Vec<String>, (Secret, Instant)>>);

/// A token server's answer.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl TokenAnswer {
    /// The token and how long it may be used; absent where the answer holds none.
    pub(super) fn usable(self) -> Option<(Secret, Duration)> {
        let token = self.token.or(self.access_token).filter(|token| !token.is_empty())?;
        let life = self.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs);
        Some((Secret::issued(token), life.saturating_sub(MARGIN)))
    }
}

impl Tokens {
    /// The token for `scopes`, fetched unless one is at hand. One request at a time asks the token server: the others wait
    /// for its answer instead of asking the same.
    pub(super) async fn get_or_fetch<E>(
        &self,
        scopes: &[String],
        fetch: impl Future<Output = Result<(Secret, Duration), E>>,
    ) -> Result<Secret, E> {
        let mut tokens = self.0.lock().await;
        if let Some((token, until)) = tokens.get(scopes)
            && *until > Instant::now()
        {
            return Ok(token.clone());
        }
        let (token, life) = fetch.await?;
        // A life that overflows the clock can't be meant: such a token is used once.
        let until = Instant::now().checked_add(life).unwrap_or_else(Instant::now);
        tokens.insert(scopes.to_vec(), (token.clone(), until));
        Ok(token)
    }

    /// Forgets the token for `scopes`: the registry no longer accepts it.
    pub(super) async fn forget(&self, scopes: &[String]) {
        self.0.lock().await.remove(scopes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn count_fetches(life: Duration) -> u32 {
        let tokens = Tokens::default();
        let fetches = std::sync::atomic::AtomicU32::new(0);
        for _ in 0..3 {
            let fetch = async {
                fetches.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok::<_, ()>((Secret::new("t"), life))
            };
            tokens.get_or_fetch(&["repository:a:pull".to_owned()], fetch).await.unwrap();
        }
        fetches.into_inner()
    }

    #[tokio::test]
    async fn a_token_is_fetched_again_only_when_it_has_expired() {
        assert_eq!(count_fetches(Duration::from_mins(5)).await, 1);
        assert_eq!(count_fetches(Duration::ZERO).await, 3);
        assert_eq!(count_fetches(Duration::MAX).await, 3);
    }

    #[test]
    fn a_token_is_used_until_shortly_before_it_expires() {
        let answer = |text: &str| serde_json::from_str::<TokenAnswer>(text).unwrap().usable();
        assert_eq!(answer(r#"{"token":"t","expires_in":300}"#).unwrap().1, Duration::from_secs(290));
        assert_eq!(answer(r#"{"access_token":"t"}"#).unwrap().1, Duration::from_secs(50));
        assert_eq!(answer(r#"{"token":"t","expires_in":1}"#).unwrap().1, Duration::ZERO);
        assert!(answer(r#"{"token":""}"#).is_none());
    }
}
