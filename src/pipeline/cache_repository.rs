//! Whether a repository of Amazon ECR takes a build cache: it is there, and lets the cache's tags move.

use super::amazon;
use super::check::Check;
use crate::aws::Session;
use crate::aws::ecr::{Mutability, TagFilter};
use crate::config::Ecr;
use crate::diagnosis::Diagnosis;
use crate::oci::Tag;
use crate::setup::CacheRepository;

/// Looks at it, as the role that delivers to `ecr`.
pub(super) async fn look(cache: &CacheRepository, ecr: &Ecr, session: &Session) -> Check {
    let CacheRepository { arn, tag } = cache;
    let session = session.in_region(&arn.region);
    let (name, account) = (arn.name.clone(), Some(arn.account.clone()));
    let of_cache = Ecr { name, account, host: None, create: false, ..ecr.clone() };
    match amazon::sign_in(&of_cache, &session, None).await {
        Err(error) => Check::Wrong(Diagnosis::from(&error)),
        Ok(signed_in) if signed_in.mutability == Mutability::Unknown => {
            Check::Note(format!("{} is there; whether its tags may move is unknown (ecr:DescribeRepositories)", arn.name))
        }
        Ok(signed_in) if may_move(&signed_in.mutability, tag) => Check::Well(format!("{}: its tags may move", arn.name)),
        Ok(_) => {
            let what = format!("The repository {} of the build cache keeps tags where they are", arn.name);
            let why = format!("A delivery sets the cache's tags anew, such as {tag}: it would be written once, and never again.");
            let command = format!(
                "aws ecr put-image-tag-mutability --region {} --registry-id {} --repository-name {} \\\n  \
                 --image-tag-mutability MUTABLE",
                arn.region, arn.account, arn.name
            );
            Check::Wrong(Diagnosis::new(what, why, "Let its tags move; no image is pulled by them:").with_copy(&command))
        }
    }
}

fn may_move(mutability: &Mutability, tag: &str) -> bool {
    let is_excepted =
        |filters: &[TagFilter]| tag.parse::<Tag>().is_ok_and(|tag| filters.iter().any(|filter| filter.matches(&tag)));
    match mutability {
        Mutability::Mutable(filters) => !is_excepted(filters),
        Mutability::Immutable(filters) => is_excepted(filters),
        Mutability::Unknown => false,
    }
}
