//! Credentials that the SDK's own chain finds: a profile's, of single sign-on, of a process, a container's or a machine's own.
//! What is secret in them is known before the SDK has them, and so before it leaves for anywhere it could come back from.

use aws_config::profile;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::os_shim_internal::{Env, Fs};

use crate::redaction;

/// The chain, as the SDK has it.
#[derive(Debug)]
pub(super) struct Chain(SharedCredentialsProvider);

impl Chain {
    /// In place of the SDK's own.
    pub(super) fn around(chain: SharedCredentialsProvider) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Self(chain))
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.0.provide_credentials().await.inspect(remember) })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.0.fallback_on_interrupt().inspect(remember)
    }
}

/// Takes note of the keys of the profile that is used, and of those that it takes a role with (`source_profile`): these the
/// chain uses by itself.
pub(super) async fn remember_profiles(variables: &Env) {
    // Where they can't be read, the chain says so, if it comes to them.
    let Ok(profiles) = profile::load(&Fs::real(), variables, &<_ as Default>::default(), None).await else { return };
    let mut name = Some(profiles.selected_profile());
    // No way of one to the next is longer, unless it leads back.
    for _ in profiles.profiles() {
        let Some(profile) = name.and_then(|name| profiles.get_profile(name)) else { return };
        let secrets = ["aws_secret_access_key", "aws_session_token"];
        secrets.into_iter().filter_map(|name| profile.get(name)).for_each(note);
        name = profile.get("source_profile");
    }
}

fn remember(credentials: &Credentials) {
    [Some(credentials.secret_access_key()), credentials.session_token()].into_iter().flatten().for_each(note);
}

fn note(secret: &str) {
    redaction::remember(secret);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn the_keys_that_a_profile_takes_a_role_with_are_known_and_those_of_other_profiles_are_not() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        let config = "[profile a]\nrole_arn = arn:aws:iam::012345678901:role/x\nsource_profile = b\n\
                      [profile b]\nsource_profile = a\naws_access_key_id = b\naws_secret_access_key = key-of-b\n\
                      aws_session_token = token-of-b\n[profile c]\naws_access_key_id = c\naws_secret_access_key = key-of-c\n";
        fs::write(home.path().join(".aws/config"), config).unwrap();
        remember_profiles(&Env::from_slice(&[("HOME", home.path().to_str().unwrap()), ("AWS_PROFILE", "a")])).await;
        assert_eq!(redaction::redact("key-of-b token-of-b key-of-c"), "*** *** key-of-c");
    }

    #[tokio::test]
    async fn what_the_chain_gives_is_known_before_anyone_has_it() {
        let given = Credentials::new("id-of-someone", "key-of-someone", Some("token-of-someone".to_owned()), None, "test");
        let chain = Chain::around(SharedCredentialsProvider::new(given));
        chain.provide_credentials().await.unwrap();
        assert_eq!(redaction::redact("id-of-someone key-of-someone token-of-someone"), "id-of-someone *** ***");
    }
}
