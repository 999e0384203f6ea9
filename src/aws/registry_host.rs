//! The addresses of registries of Amazon ECR.

use super::AccountId;

/// The parts of a registry's address (Amazon ECR user guide, "Amazon ECR private registry", and AWS General Reference,
/// "Amazon ECR endpoints"): `ACCOUNT.dkr.ecr.REGION.amazonaws.com`, with `ecr-fips` for FIPS, `dkr-ecr` and `on.aws` for dual
/// stack, and other suffixes in other partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegistryHost {
    /// The account of the registry.
    pub(crate) account: AccountId,
    /// The region of the registry.
    pub(crate) region: String,
}

impl RegistryHost {
    /// Reads an address; `None` if it is not one of Amazon ECR's.
    #[must_use]
    pub(crate) fn parse(host: &str) -> Option<Self> {
        let (account, rest) = host.split_once('.')?;
        let services = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."];
        let rest = services.iter().find_map(|service| rest.strip_prefix(service))?;
        let (region, suffix) = rest.split_once('.')?;
        let suffixes = ["amazonaws.com", "amazonaws.com.cn", "on.aws", "on.amazonwebservices.com.cn", "amazonaws.eu"];
        let known = suffixes.contains(&suffix) && region.contains('-');
        known.then_some(()).and_then(|()| Some(Self { account: account.parse().ok()?, region: region.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_its_account_and_region() {
        for (host, region) in [
            ("012345678901.dkr.ecr.eu-central-1.amazonaws.com", "eu-central-1"),
            ("012345678901.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("012345678901.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("012345678901.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
        ] {
            let parsed = RegistryHost::parse(host).unwrap();
            assert_eq!((parsed.account.as_str(), parsed.region.as_str()), ("012345678901", region));
        }
    }

    #[test]
    fn another_registry_is_none_of_amazons() {
        for host in [
            "public.ecr.aws",
            "127.0.0.1:5000",
            "12345678901.dkr.ecr.eu-central-1.amazonaws.com",
            "012345678901.dkr.ecr.eu-central-1.amazonaws.com.evil.example",
            "012345678901.dkr.ecr.eu-central-1.example",
        ] {
            assert_eq!(RegistryHost::parse(host), None, "{host}");
        }
    }
}
