//! The builders that a delivery may use: those of each platform, and the order in which they are asked.
//!
//! The order follows from what is built (rendezvous hashing): the same repository and Dockerfile prefer the same builder as long
//! as it is there, whose cache has their steps, and a builder that is added takes its share from each of the others and moves
//! nothing between these.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use super::endpoint::{Address, InvalidAddress};
use super::namespace::delimited;
use crate::oci::platform::InvalidPlatform;
use crate::oci::{Digest, Platform};

/// A builder, and what it builds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    /// The platform as it was written, and what is meant; absent for all that no other line names.
    platform: Option<(String, Platform)>,
    address: Address,
}

/// Builders by their addresses: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fleet(Vec<Member>);

/// What has one builder preferred to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FleetKey(Digest);

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidMember {
    /// The line, or that part of it that is wrong, without what may be a credential.
    pub(crate) value: String,
    /// What it is.
    pub(crate) fault: MemberFault,
}

/// What can be wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MemberFault {
    /// It names no builder that can be reached.
    Address,
    /// What stands before `=` is no platform.
    Platform,
    /// The line before says the same platform in another spelling.
    Spelling(String),
    /// The builder is named for that platform already.
    Twice,
}

impl FleetKey {
    /// What builds of a Dockerfile of a repository have in common.
    #[must_use]
    pub(crate) fn of(repository: &str, dockerfile: &str) -> Self {
        Self(Digest::of(&delimited(&["preferred builder", repository, dockerfile])))
    }

    /// How much it prefers an address.
    fn score(self, address: &Address) -> String {
        Digest::of(&delimited(&[&self.0.hex(), &address.canonical()])).hex()
    }
}

impl Fleet {
    /// Reads the lines of an input, blank ones left out: `ADDRESS`, or `PLATFORM=ADDRESS`.
    ///
    /// # Errors
    /// All that is wrong with them, also with each of two that are right by themselves.
    pub(crate) fn read(text: &str) -> Result<Self, Vec<InvalidMember>> {
        let (mut members, mut faults) = (Vec::<Member>::new(), Vec::new());
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match member(line).and_then(|member| fits(&members, line, member)) {
                Ok(member) => members.push(member),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(Self(members)) } else { Err(faults) }
    }

    /// The builder, where one address is all that is said.
    #[must_use]
    pub(crate) fn only(&self) -> Option<&Address> {
        match self.0.as_slice() {
            [Member { platform: None, address }] => Some(address),
            _ => None,
        }
    }

    /// The builders of a platform, the preferred one first: those that are named for it, else those that are named for none.
    #[must_use]
    pub(crate) fn builders_of(&self, platform: Option<&Platform>, key: FleetKey) -> Vec<Address> {
        let named = |platform: Option<&Platform>| {
            let is_of = |member: &&Member| member.platform.as_ref().map(|(_, platform)| platform) == platform;
            self.0.iter().filter(is_of).map(|member| member.address.clone()).collect::<Vec<_>>()
        };
        let mut builders = platform.map(|platform| named(Some(platform))).unwrap_or_default();
        if builders.is_empty() {
            builders = named(None);
        }
        builders.sort_by_cached_key(|address| Reverse(key.score(address)));
        builders
    }

    /// Whether somebody builds for a platform.
    #[must_use]
    pub(crate) fn has_some_for(&self, platform: &Platform) -> bool {
        self.0.iter().any(|member| member.platform.as_ref().is_none_or(|(_, named)| named == platform))
    }

    /// All addresses, each once, with the platforms that it is named for.
    pub(crate) fn addresses(&self) -> Vec<(&Address, Vec<&Platform>)> {
        let mut seen = BTreeSet::new();
        let new = self.0.iter().filter(|member| seen.insert(member.address.canonical()));
        let platforms = |address: &Address| {
            let of_address = self.0.iter().filter(|member| member.address.is_same_as(address));
            of_address.filter_map(|member| Some(&member.platform.as_ref()?.1)).collect()
        };
        new.map(|member| (&member.address, platforms(&member.address))).collect()
    }

    /// The addresses that are on other machines, each with its platform, in one order and one spelling.
    pub(crate) fn elsewhere(&self) -> BTreeSet<String> {
        let elsewhere = self.0.iter().filter(|member| !member.address.is_on_this_machine());
        elsewhere.map(ToString::to_string).collect()
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.platform {
            Some((_, platform)) => write!(f, "{platform}={}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

/// Reads a line.
fn member(line: &str) -> Result<Member, InvalidMember> {
    let platform = line.split_once('=').filter(|(before, _)| !before.contains("://"));
    let (platform, address) = platform.map_or((None, line), |(platform, address)| (Some(platform.trim()), address.trim()));
    let address = address.parse().map_err(|InvalidAddress(value)| InvalidMember { value, fault: MemberFault::Address });
    let Some(written) = platform else { return Ok(Member { platform: None, address: address? }) };
    match written.parse() {
        Ok(platform) => Ok(Member { platform: Some((written.to_owned(), platform)), address: address? }),
        // Before an `@` it is part of a password as likely as not.
        Err(InvalidPlatform(_)) if line.contains('@') => {
            let (_, shown) = line.rsplit_once('@').unwrap_or_default();
            Err(InvalidMember { value: format!("…@{shown}"), fault: MemberFault::Address })
        }
        Err(InvalidPlatform(value)) => Err(InvalidMember { value, fault: MemberFault::Platform }),
    }
}

/// The member, where the others leave no doubt about what is meant.
fn fits(others: &[Member], line: &str, member: Member) -> Result<Member, InvalidMember> {
    let invalid = |fault| Err(InvalidMember { value: line.to_owned(), fault });
    if let Some((written, platform)) = &member.platform {
        let same = others.iter().filter_map(|other| other.platform.as_ref()).find(|(_, other)| other == platform);
        if let Some((other, _)) = same.filter(|(other, _)| other != written) {
            return invalid(MemberFault::Spelling(other.clone()));
        }
    }
    let platform = |member: &Member| member.platform.as_ref().map(|(_, platform)| platform.clone());
    let is_same = |other: &Member| platform(other) == platform(&member) && other.address.is_same_as(&member.address);
    if others.iter().any(is_same) { invalid(MemberFault::Twice) } else { Ok(member) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(lines: &[&str]) -> Fleet {
        Fleet::read(&lines.join("\n")).unwrap()
    }

    fn faults(text: &str) -> Vec<(String, MemberFault)> {
        Fleet::read(text).unwrap_err().into_iter().map(|invalid| (invalid.value, invalid.fault)).collect()
    }

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    /// Keys of many Dockerfiles.
    fn keys() -> impl Iterator<Item = FleetKey> {
        (0..1000).map(|number| FleetKey::of("acme/app", &format!("services/{number}/Dockerfile")))
    }

    fn pods(number: usize) -> Fleet {
        fleet(
            &(0..number)
                .map(|pod| format!("tcp://buildkit-{pod}.buildkit:1234"))
                .collect::<Vec<_>>()
                .iter()
                .map(|s| &**s)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn a_platform_is_built_by_those_that_are_named_for_it_and_by_all_others_where_none_is() {
        let fleet = fleet(&["tcp://all:1", "linux/arm64=tcp://arm:1", "linux/arm64=tcp://arm:2"]);
        let key = FleetKey::of("acme/app", "Dockerfile");
        let of = |name: &str| {
            let mut found: Vec<_> = fleet.builders_of(Some(&platform(name)), key).iter().map(ToString::to_string).collect();
            found.sort();
            found
        };
        assert_eq!(of("linux/amd64"), ["tcp://all:1"]);
        assert_eq!(of("linux/arm64/v8"), ["tcp://arm:1", "tcp://arm:2"]);
        assert_eq!(of("linux/arm/v7"), ["tcp://all:1"]);
        assert!(fleet.only().is_none());
        assert_eq!(self::fleet(&["tcp://one:1"]).only().unwrap().to_string(), "tcp://one:1");
        assert!(self::fleet(&["linux/amd64=tcp://one:1"]).only().is_none());
    }

    #[test]
    fn the_same_repository_and_dockerfile_prefer_the_same_builder_in_whichever_order_they_are_named() {
        let (one, other) = (fleet(&["tcp://a:1", "tcp://b:1", "tcp://c:1"]), fleet(&["tcp://C:1", "tcp://a:01", "tcp://b:1"]));
        let names = |fleet: &Fleet, key| fleet.builders_of(None, key).iter().map(Address::canonical).collect::<Vec<_>>();
        assert!(keys().all(|key| names(&one, key) == names(&other, key)));
        let [app, other] = ["acme/app", "acme/other"].map(|name| FleetKey::of(name, "Dockerfile"));
        assert_ne!(app, other);
        assert_ne!(FleetKey::of("acme/app", "x"), FleetKey::of("acme/ap", "px"), "no two lists read alike");
    }

    #[test]
    fn each_builder_has_its_share_and_one_that_is_added_takes_its_own_and_moves_nothing_else() {
        let (four, five) = (pods(4), pods(5));
        let first = |fleet: &Fleet, key| fleet.builders_of(None, key)[0].to_string();
        let mut moved = 0;
        for key in keys() {
            let (before, after) = (first(&four, key), first(&five, key));
            if before != after {
                assert!(after.contains("buildkit-4"), "{before} lost it to {after}");
                moved += 1;
            }
        }
        assert!((100..300).contains(&moved), "a fifth moves: {moved}");
        for pod in 0..4 {
            let share = keys().filter(|key| first(&four, *key).contains(&format!("buildkit-{pod}."))).count();
            assert!((150..350).contains(&share), "a quarter each: {share}");
        }
    }

    #[test]
    fn one_that_is_gone_leaves_its_own_to_the_others_by_their_order() {
        let (all, less) = (pods(4), pods(3));
        for key in keys() {
            let mut order = all.builders_of(None, key);
            order.retain(|address| !address.to_string().contains("buildkit-3"));
            assert_eq!(order, less.builders_of(None, key));
        }
    }

    #[test]
    fn lines_with_two_readings_are_refused_all_at_once() {
        let text = "linux/arm64=tcp://a:1\nlinux/arm64/v8=tcp://b:1\nlinux/arm64=tcp://A:1\nlinux/amd64=\nssh://h\n=tcp://a:1\n\
                    Linux/x=tcp://a:1\ntcp://a:1\ntcp://a:1\nunix://run/x\n";
        let expected = [
            ("linux/arm64/v8=tcp://b:1", MemberFault::Spelling("linux/arm64".to_owned())),
            ("linux/arm64=tcp://A:1", MemberFault::Twice),
            ("", MemberFault::Address),
            ("ssh://h", MemberFault::Address),
            ("", MemberFault::Platform),
            ("Linux/x", MemberFault::Platform),
            ("tcp://a:1", MemberFault::Twice),
            ("unix://run/x", MemberFault::Address),
        ];
        assert_eq!(faults(text), expected.map(|(value, fault)| (value.to_owned(), fault)));
    }

    #[test]
    fn what_may_be_a_credential_is_not_repeated() {
        for (line, shown) in [
            ("tcp://user:secret@h:1", "tcp://…@h:1"),
            ("linux/arm64=tcp://user:secret@h:1", "tcp://…@h:1"),
            ("linux/arm64=tcp://user:sec=ret@h:1", "tcp://…@h:1"),
            ("tcp://user:sec=r@t@h:1", "tcp://…@h:1"),
            ("user:sec=ret@h:1", "…@h:1"),
            ("user:secret@h:1", "…@h:1"),
            ("tcp://h:1/?token=secret", "tcp://h:1/…"),
            ("https://h/secret", "https://h/…"),
        ] {
            let said = faults(line);
            assert_eq!(said, [(shown.to_owned(), MemberFault::Address)], "{line}");
        }
    }

    #[test]
    fn a_socket_whose_path_has_an_equals_sign_is_an_address() {
        let fleet = fleet(&["unix:///run/a=b/socket", "linux/arm64=unix:///run/c=d"]);
        let names: Vec<_> = fleet.0.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["unix:///run/a=b/socket", "linux/arm64=unix:///run/c=d"]);
    }
}
