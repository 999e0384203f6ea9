//! Where credentials may be sent.

use url::Url;

use super::address::{Unfit, is_confidential};
use super::client::ClientBuilder;

/// The address of someone who is shown credentials: over https, or on this machine, where nobody listens on the way. A
/// client for it sends nothing over plain http to another machine, after a redirect neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Confidential(Url);

impl Confidential {
    /// Reads an address.
    ///
    /// # Errors
    /// It is not valid, or is plain http to another machine.
    pub(crate) fn parse(text: &str) -> Result<Self, Unfit> {
        let url: Url = text.parse().map_err(Unfit::Invalid)?;
        if is_confidential(&url) { Ok(Self(url)) } else { Err(Unfit::of(&url)) }
    }

    /// The address.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// A client for it.
    pub(crate) fn client(&self) -> ClientBuilder {
        // What is for this machine goes past any proxy: a proxy's loopback is another machine's.
        if self.0.scheme() == "https" { ClientBuilder::new().https_only() } else { ClientBuilder::new().no_proxy() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_to_https_and_to_this_machine_alone() {
        for (address, fit) in [
            ("https://api.github.com", true),
            ("HTTPS://h.example:8443/api/v3", true),
            ("http://127.0.0.1:1234", true),
            ("http://127.9.8.7", true),
            // As all readers of addresses take it, and so does the client.
            ("http://127.1", true),
            ("http://2130706433", true),
            ("http://[::1]:1/x", true),
            ("http://localhost:1", true),
            ("http://h.example", false),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0", false),
            ("http://[::]", false),
            ("http://[::ffff:127.0.0.1]", false),
            ("http://127.0.0.1.example", false),
            ("http://localhost.example", false),
            ("http://x.localhost", false),
            ("http://localhost.", false),
            ("http://127.0.0.1@h.example", false),
            ("http://h.example#@127.0.0.1", false),
            ("http://h.example\\@127.0.0.1", false),
            ("ftp://127.0.0.1", false),
            ("unix:///x", false),
            ("h.example", false),
            ("", false),
        ] {
            assert_eq!(Confidential::parse(address).is_ok(), fit, "{address}");
        }
    }

    #[test]
    fn an_address_is_named_without_what_is_secret_in_it() {
        let unfit = Confidential::parse("http://me:password@h.example:81/path?token=x").unwrap_err();
        assert!(unfit.to_string().contains(" http://h.example:81 ") && !unfit.to_string().contains("password"), "{unfit}");
    }
}
