//! What programs are shut in, before the first of them works.

use super::Delivery;
use crate::error::Error;
use crate::process::{Demand, Part, Parts};
use crate::record::{MissingPart, Sandbox};

/// Writes down what programs are shut in, and warns of what is missing.
pub(super) fn note(delivery: &Delivery) -> Result<(), Error> {
    let sandbox = delivery.launcher.sandbox();
    let demand = sandbox.demand();
    let record = match demand {
        Demand::Off => {
            Sandbox { demand: demand.to_string(), landlock: None, seccomp: false, own_user: false, missing: Vec::new() }
        }
        Demand::Auto | Demand::Require => in_force(demand, sandbox.parts()),
    };
    for missing in &record.missing {
        delivery.recorder.warn(format!(
            "gitleaks, trivy, syft and git are without a part of the sandbox, {}: {}. What holds all the same: {}.",
            missing.part, missing.reason, missing.still_holds
        ));
    }
    if demand == Demand::Off {
        delivery.recorder.warn(
            "The sandbox is off: gitleaks, trivy, syft and git run with all rights of this user. They get no credentials, and their \
             memory, files, output and time are limited.",
        );
    }
    delivery.recorder.write(|whole| whole.sandbox = Some(record));
    sandbox.is_enough().map_err(|error| Error::Scan(error.into()))
}

fn in_force(demand: Demand, parts: &Parts) -> Sandbox {
    let missing = parts.missing().map(|(part, reason)| MissingPart {
        part: part.name().to_owned(),
        reason: reason.to_owned(),
        still_holds: still_holds(part, parts),
    });
    Sandbox {
        demand: demand.to_string(),
        landlock: parts.landlock.as_ref().ok().copied(),
        seccomp: parts.seccomp.is_ok(),
        own_user: parts.user.as_ref().is_some_and(Result::is_ok),
        missing: missing.collect(),
    }
}

/// What holds without a part: in words that follow "What holds all the same".
fn still_holds(part: Part, parts: &Parts) -> String {
    let mut held = vec!["no credentials, and limits on memory, processes, files, output and time".to_owned()];
    match part {
        Part::Landlock if parts.seccomp.is_ok() => {
            held.push(
                "no network, no socket, no signal to another process and no look into one; files are open to them".to_owned(),
            );
        }
        Part::Seccomp => match parts.landlock {
            Ok(version) => {
                held.push("no files but their own".to_owned());
                held.extend((version >= 4).then(|| "no TCP".to_owned()));
                held.extend((version >= 6).then(|| "no signal to another process".to_owned()));
            }
            Err(_) => held.push("neither files nor the network are kept from them".to_owned()),
        },
        Part::User => held.push("what Landlock and seccomp hold, which does not depend on the user".to_owned()),
        Part::Landlock => held.push("neither files nor the network are kept from them".to_owned()),
    }
    held.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_written_down_with_what_still_holds() {
        let parts = |landlock: Result<u32, &str>, seccomp: Result<(), &str>| Parts {
            landlock: landlock.map_err(str::to_owned),
            seccomp: seccomp.map_err(str::to_owned),
            user: None,
        };
        let all = in_force(Demand::Auto, &parts(Ok(7), Ok(())));
        assert_eq!((all.landlock, all.seccomp, all.missing.len()), (Some(7), true, 0));
        let without = in_force(Demand::Auto, &parts(Err("it is off"), Ok(())));
        assert_eq!((&*without.missing[0].part, &*without.missing[0].reason), ("Landlock", "it is off"));
        assert!(without.missing[0].still_holds.contains("no network"));
        let without = in_force(Demand::Auto, &parts(Ok(3), Err("no")));
        assert!(!without.missing[0].still_holds.contains("TCP") && without.missing[0].still_holds.contains("no files"));
        let nothing = in_force(Demand::Auto, &parts(Err("no"), Err("no")));
        assert!(nothing.missing.iter().all(|missing| missing.still_holds.contains("neither")));
    }
}
