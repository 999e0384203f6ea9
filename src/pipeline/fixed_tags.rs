//! What holds a fixed tag to one image, besides gp-deliver: the registry's own rule, where it has one.

use crate::aws::ecr::Mutability;
use crate::tags::PlannedTag;
use crate::text;

/// Says of a repository of Amazon ECR whether it holds the fixed tags of a delivery, and how it would.
#[must_use]
pub(super) fn held(mutability: &Mutability, tags: &[PlannedTag]) -> String {
    let fixed = tags.iter().filter(|planned| !planned.moving);
    let loose: Vec<_> = fixed.filter(|planned| mutability.may_move(&planned.tag) != Some(false)).collect();
    let names: Vec<_> = loose.iter().map(|planned| planned.tag.as_str()).collect();
    match (mutability, &*names) {
        (_, []) => "the repository gives each to one image".to_owned(),
        (Mutability::Unknown, names) => format!(
            "whether the repository gives {} to one image is unknown: the role lacks ecr:DescribeRepositories",
            text::list(names)
        ),
        (Mutability::Mutable(_) | Mutability::Immutable(_), names) => format!(
            "nothing but gp-deliver keeps {} from a second image, and whoever may push can move them\nset the repository to \
             IMMUTABLE_WITH_EXCLUSION, with filters for the moving tags alone",
            text::list(names)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ecr::TagFilter;

    fn said(mutability: &Mutability) -> String {
        let tag =
            |name: &str, moving| PlannedTag { tag: name.parse().unwrap(), moving, of_version: false, of_environment: false };
        held(mutability, &[tag("abc1234", false), tag("prod-abc1234", false), tag("latest", true)])
    }

    #[test]
    fn a_repository_that_holds_the_fixed_tags_is_told_from_one_that_does_not() {
        let immutable = Mutability::Immutable(vec![TagFilter::new("latest")]);
        assert_eq!(said(&immutable), "the repository gives each to one image");
        let mutable = said(&Mutability::Mutable(Vec::new()));
        assert!(
            mutable.contains("keeps abc1234 and prod-abc1234 from") && mutable.contains("IMMUTABLE_WITH_EXCLUSION"),
            "{mutable}"
        );
        let too_wide = said(&Mutability::Immutable(vec![TagFilter::new("prod-*")]));
        assert!(too_wide.contains("keeps prod-abc1234 from"), "{too_wide}");
        assert!(said(&Mutability::Unknown).contains("ecr:DescribeRepositories"));
    }
}
