//! How the steps of a build are run: what `docker build` has flags for, and a Dockerfile does not say.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

/// How the steps of a build are run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Whether steps are run anew, whatever the builder has of them.
    pub(crate) no_cache: bool,
    /// Whether the registry is asked what the tags of base images name, whatever the builder has.
    pub(crate) pull: bool,
    /// Hosts that steps know besides.
    pub(crate) hosts: Vec<Host>,
    /// What steps reach; as the builder is set up where none is named.
    pub(crate) network: Option<Network>,
    /// How large `/dev/shm` is, in bytes; as the builder has it where none is named.
    pub(crate) shm_size: Option<Bytes>,
    /// What the processes of a step are held to.
    pub(crate) limits: Vec<Limit>,
}

/// A host that steps know: its name and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    name: String,
    address: IpAddr,
}

/// What steps reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// Nothing.
    None,
    /// What the builder's own machine reaches, its local services among it.
    Host,
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(u64);

/// A limit of the processes of a step, by the name that `ulimit` of Docker's client has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    name: String,
    soft: i64,
    hard: i64,
}

/// The permission that a solve asks for whose steps have the network of the builder's machine (BuildKit, `util/entitlements`).
pub(crate) const HOST_NETWORK: &str = "network.host";

/// The limits that runc knows (go-units, `ulimit.go`).
const LIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl Options {
    /// The options of a frontend that say it (BuildKit, `frontend/dockerui/config.go`).
    pub(super) fn attributes(&self) -> impl Iterator<Item = (String, String)> {
        let fresh = [("no-cache", self.no_cache, ""), ("image-resolve-mode", self.pull, "pull")];
        let fresh =
            fresh.into_iter().filter(|(_, wanted, _)| *wanted).map(|(name, _, value)| (name.to_owned(), value.to_owned()));
        fresh.chain(self.decisive())
    }

    /// Those that a result depends on.
    pub(crate) fn decisive(&self) -> BTreeMap<String, String> {
        let network = self.network.map(|network| match network {
            Network::None => "none".to_owned(),
            Network::Host => "host".to_owned(),
        });
        let all = [
            ("add-hosts", joined(&self.hosts)),
            ("force-network-mode", network),
            ("shm-size", self.shm_size.map(|Bytes(bytes)| bytes.to_string())),
            ("ulimit", joined(&self.limits)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// What the solve asks the builder to be allowed.
    pub(super) fn entitlements(&self) -> Vec<String> {
        self.network.filter(|network| *network == Network::Host).map(|_| HOST_NETWORK.to_owned()).into_iter().collect()
    }

    /// The input that a builder which knows no limits of steps would pass over in silence, if there is one.
    pub(super) fn of_limits(&self) -> Option<&'static str> {
        let given = [("shm-size", self.shm_size.is_some()), ("ulimit", !self.limits.is_empty())];
        given.into_iter().find_map(|(input, given)| given.then_some(input))
    }
}

/// A list as a frontend reads it; absent where it is empty.
fn joined<T: std::fmt::Display>(entries: &[T]) -> Option<String> {
    (!entries.is_empty()).then(|| entries.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.name, self.address)
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}:{}", self.name, self.soft, self.hard)
    }
}

/// `NAME=ADDRESS`, or `NAME:ADDRESS` as `docker build` has it.
impl FromStr for Host {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).ok_or(())?;
        let label = |label: &str| {
            (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let address = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
        // Those tell apart whose steps are whose.
        let is_ours = name.to_ascii_lowercase().ends_with(super::namespace::DOMAIN);
        if name.len() > 253 || !name.split('.').all(label) || is_ours {
            return Err(());
        }
        Ok(Self { name: name.to_owned(), address: address.parse().map_err(drop)? })
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "none" => Ok(Self::None),
            "host" => Ok(Self::Host),
            _ => Err(()),
        }
    }
}

/// A number with a unit of 1024 as Docker's client reads it (go-units, `RAMInBytes`): `64m`, `1g`, `67108864`.
impl FromStr for Bytes {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.to_ascii_lowercase();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let power = match unit {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 1,
            "m" | "mb" | "mib" => 2,
            "g" | "gb" | "gib" => 3,
            _ => return Err(()),
        };
        let bytes = number.parse::<u64>().map_err(drop)?.checked_mul(1024_u64.pow(power)).ok_or(())?;
        // BuildKit reads a signed number, and takes none for its default.
        (bytes > 0 && i64::try_from(bytes).is_ok()).then_some(Self(bytes)).ok_or(())
    }
}

/// `NAME=SOFT[:HARD]` (go-units, `ParseUlimit`); -1 is no limit.
impl FromStr for Limit {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, values) = text.split_once('=').ok_or(())?;
        let (soft, hard) = values.split_once(':').unwrap_or((values, values));
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= -1).ok_or(());
        let (soft, hard) = (number(soft)?, number(hard)?);
        let fits = hard == -1 || (soft != -1 && soft <= hard);
        (LIMITS.contains(&name) && fits).then(|| Self { name: name.to_owned(), soft, hard }).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_an_address_and_nothing_that_a_list_would_take_apart() {
        for (text, read) in [
            ("db.local=10.0.0.5", "db.local=10.0.0.5"),
            ("db:10.0.0.5", "db=10.0.0.5"),
            ("six=2001:db8::1", "six=2001:db8::1"),
            ("six:[2001:db8::1]", "six=2001:db8::1"),
        ] {
            assert_eq!(text.parse::<Host>().map(|host| host.to_string()), Ok(read.to_owned()), "{text}");
        }
        for text in [
            "",
            "db",
            "db=",
            "=10.0.0.5",
            "db=host-gateway",
            "a,b=10.0.0.5",
            "db=10.0.0.5,evil=10.0.0.6",
            "a b=10.0.0.5",
            "a..b=::1",
            "0123.gp-deliver.invalid=127.0.0.1",
            "0123.GP-deliver.invalid=127.0.0.1",
        ] {
            assert_eq!(text.parse::<Host>(), Err(()), "{text}");
        }
    }

    #[test]
    fn sizes_and_limits_are_read_as_dockers_client_reads_them() {
        for (text, bytes) in [("64m", 64 << 20), ("1G", 1 << 30), ("67108864", 67_108_864), ("3kib", 3 << 10), ("5b", 5)] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "0", "-1", "m", "1.5g", "1 g", "1t", "18446744073709551615", "9223372036854775808"] {
            assert_eq!(text.parse::<Bytes>(), Err(()), "{text}");
        }
        for (text, read) in
            [("nofile=1024", "nofile=1024:1024"), ("nofile=1024:2048", "nofile=1024:2048"), ("core=-1", "core=-1:-1")]
        {
            assert_eq!(text.parse::<Limit>().map(|limit| limit.to_string()), Ok(read.to_owned()), "{text}");
        }
        for text in ["nofile", "nofile=", "files=1", "nofile=2:1", "nofile=-1:5", "nofile=-2", "nofile=1:2:3", "nofile=1,core=1"]
        {
            assert_eq!(text.parse::<Limit>(), Err(()), "{text}");
        }
    }

    #[test]
    fn what_decides_about_the_result_is_told_from_what_does_not() {
        let options = Options {
            no_cache: true,
            pull: true,
            hosts: vec!["a=10.0.0.1".parse().unwrap(), "b=10.0.0.2".parse().unwrap()],
            network: Some(Network::None),
            shm_size: Some(Bytes(5)),
            limits: vec!["core=0".parse().unwrap()],
        };
        let expected =
            [("add-hosts", "a=10.0.0.1,b=10.0.0.2"), ("force-network-mode", "none"), ("shm-size", "5"), ("ulimit", "core=0:0")];
        assert!(options.decisive().iter().map(|(name, value)| (&**name, &**value)).eq(expected));
        let fresh: Vec<_> =
            options.attributes().map(|(name, _)| name).filter(|name| !options.decisive().contains_key(name)).collect();
        assert_eq!(fresh, ["no-cache", "image-resolve-mode"]);
    }
}
