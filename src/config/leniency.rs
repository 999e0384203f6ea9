//! What the inputs say that decides what is let pass, as a digest: what was judged by the same need not be judged again.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Config, Suppressions};
use crate::buildkit::builder::Host;
use crate::coverage::Acceptance;
use crate::oci::Digest;
use crate::scan::database::Mirror;

impl Config {
    /// The digest of all that decides what a scan finds and what of that is let through, but for the threshold, which has an
    /// order. No two deliveries have the same of whom one may let through what the other does not: where it is not the same,
    /// it is not known which one is the stricter.
    #[must_use]
    pub(crate) fn leniency(&self) -> Digest {
        let lists = match &self.suppressions {
            // The commit before it says what is new, and not what counts.
            Suppressions::Head(_) => json!("head"),
            Suppressions::Base(commit) => json!({ "base": commit }),
            Suppressions::Unproven => json!("nobody"),
        };
        let accepted: BTreeSet<&str> = self.accepted.iter().map(|Acceptance { name, .. }| name.as_str()).collect();
        let mirrors = |mirrors: &[Mirror]| mirrors.iter().map(ToString::to_string).collect::<Vec<_>>();
        let said = json!({
            // Another version of this program may find less.
            "gpDeliver": env!("CARGO_PKG_VERSION"),
            "lists": lists,
            "secretsHistory": self.secrets_history,
            "accepted": accepted,
            "databases": mirrors(&self.database_mirrors),
            "javaDatabases": mirrors(&self.java_database_mirrors),
            "databaseMaxAge": self.database_max_age.map(|age| jiff::SignedDuration::from(age).as_secs()),
            "sandbox": format!("{:?}", self.sandbox),
            "promoteBy": self.promote_by,
        });
        Digest::of(said.to_string().as_bytes())
    }

    /// The digest of where builds are run: of all addresses that are on other machines, whichever answers. Whoever chooses one of those chooses what
    /// is built.
    #[must_use]
    pub(crate) fn builder(&self) -> Digest {
        let elsewhere: Vec<_> = match &self.build.host {
            Host::Buildkitd(fleet, _) => fleet.elsewhere().into_iter().collect(),
            Host::Docker(addresses, _) => {
                addresses.iter().filter(|address| !address.is_on_this_machine()).map(ToString::to_string).collect()
            }
        };
        Digest::of(elsewhere.join("\n").as_bytes())
    }
}
