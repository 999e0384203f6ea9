//! Partitions.

use std::fmt;

/// A partition: a group of regions with accounts, ARNs and hosts of its own (IAM User Guide, "IAM identifiers").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// The commercial regions.
    Aws,
    /// China: `cn-north-1`, `cn-northwest-1`.
    China,
    /// AWS `GovCloud` (US).
    GovCloud,
    /// The European Sovereign Cloud.
    EuropeanSovereign,
}

impl Partition {
    /// The partition of a region, by how the region's name begins. A region of a partition that is not known here counts
    /// as commercial.
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        match region {
            region if region.starts_with("cn-") => Self::China,
            region if region.starts_with("us-gov-") => Self::GovCloud,
            region if region.starts_with("eusc-") => Self::EuropeanSovereign,
            _ => Self::Aws,
        }
    }

    /// The partition as ARNs name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
            Self::EuropeanSovereign => "aws-eusc",
        }
    }

    /// The partition that an ARN names.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Aws, Self::China, Self::GovCloud, Self::EuropeanSovereign].into_iter().find(|known| known.name() == name)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_names_its_partition() {
        for (region, name) in
            [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eusc-de-east-1", "aws-eusc")]
        {
            assert_eq!(Partition::of_region(region).name(), name);
            assert_eq!(Partition::of_name(name), Some(Partition::of_region(region)));
        }
    }
}
