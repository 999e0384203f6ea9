//! Where a repository is.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::net;

/// The address of a repository at a git server: `https://[USER@]HOST[:PORT]/PATH`. There is no password in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    url: Url,
    user: Option<String>,
}

impl Address {
    /// An address below the repository's own.
    pub(super) fn below(&self, path: &str) -> String {
        format!("{}/{path}", self.url.as_str().trim_end_matches('/'))
    }

    /// Whom the server is to take the token for: most take it for whoever it is of.
    pub(super) fn user(&self) -> &str {
        self.user.as_deref().unwrap_or("git")
    }
}

impl FromStr for Address {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut url: Url = text.parse().map_err(|_| ())?;
        let user = Some(url.username()).filter(|user| !user.is_empty()).map(str::to_owned);
        let is_plain = |user: &str| user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let has_path = url.path().trim_matches('/').len() > 1;
        // What is at GitHub is asked of its API, which knows pull requests and rules.
        let is_github = url.host_str().is_some_and(|host| host == "github.com" || host.ends_with(".github.com"));
        let is_fit = net::is_confidential(&url) && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if !is_fit || !has_path || is_github || !user.as_deref().is_none_or(is_plain) {
            return Err(());
        }
        url.set_username("")?;
        Ok(Self { url, user })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_https_without_a_password() {
        let address: Address = "https://x-token-auth@git.example.com:8443/team/deploy.git/".parse().unwrap();
        assert_eq!(
            (address.user(), &*address.below("info/refs")),
            ("x-token-auth", "https://git.example.com:8443/team/deploy.git/info/refs")
        );
        assert!(!address.to_string().contains('@'));
        assert_eq!("https://git.example.com/a/b".parse::<Address>().unwrap().user(), "git");
        for text in [
            "http://git.example.com/a/b",
            "ssh://git@git.example.com/a/b",
            "git@git.example.com:a/b",
            "git://git.example.com/a/b",
            "file:///a/b",
            "https://user:token@git.example.com/a/b",
            "https://git.example.com/a/b?x",
            "https://git.example.com/a/b#x",
            "https://git.example.com/",
            "https://github.com/a/b",
            "https://a%0ab@git.example.com/a/b",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
