//! Names of images, and of where they are.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use url::{Host, Url};

use super::input::text;
use crate::aws::RegistryHost;
use crate::oci::reference::Repository;
use crate::oci::{Digest, Platform, Reference, Tag};
use crate::publish::Destination;
use crate::scan::database::Mirror;

/// Reads a text as each kind of name.
pub fn references(bytes: &[u8]) {
    let text = text(bytes);
    for exact in [
        reads_back::<Reference>(&text),
        reads_back::<Repository>(&text),
        reads_back::<Digest>(&text),
        reads_back::<Tag>(&text),
        reads_back::<Destination>(&text),
        reads_back::<Mirror>(&text),
    ] {
        assert!(exact.is_none_or(|written| written == text), "it is told as it was given");
    }
    reads_back::<Platform>(&text);
    if let Ok(platform) = text.parse::<Platform>() {
        let slug = platform.slug();
        assert!(!slug.contains('/') && !slug.starts_with('.'), "{slug:?} leads to another folder");
    }
    if let Ok(repository) = text.parse::<Repository>() {
        is_asked_where_it_says(&repository);
    }
}

/// A name as it is written once it is read, which reads back as the same.
fn reads_back<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<String> {
    let read: T = text.parse().ok()?;
    let written = read.to_string();
    assert_eq!(written.parse().ok(), Some(read), "{written:?} is read as something else than {text:?}");
    Some(written)
}

/// A repository's address is to HTTP what it is here: credentials go to that host alone, and in clear text nowhere but to
/// this machine.
fn is_asked_where_it_says(repository: &Repository) {
    let Ok(url) = Url::parse(&format!("http://{}/v2/{}", repository.registry(), repository.name())) else { return };
    assert_eq!(url.path(), format!("/v2/{}", repository.name()));
    assert!(url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none());
    if repository.is_loopback() {
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        assert!(is_here, "{repository} is taken for one of this machine, and is at {:?}", url.host());
    }
    if RegistryHost::parse(repository.registry()).is_some() {
        let amazons = ["amazonaws.com", "amazonaws.com.cn", "on.aws", "on.amazonwebservices.com.cn", "amazonaws.eu"];
        let host = url.host_str().unwrap_or_default();
        assert!(amazons.iter().any(|domain| host.ends_with(&format!(".{domain}"))), "{host} is not Amazon's");
    }
}
