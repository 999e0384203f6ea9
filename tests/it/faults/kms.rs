//! Faults of AWS KMS, where a delivery signs by a key of it.

use doubles::aws::{Call, Fault, Times, World};
use serde_json::json;

use super::scene::{Case, Comes, Scene, Template, case, try_all};
use super::{AtAws, DAY};
use crate::support::Delivery;
use Comes::{Cancelled, Fails, Killed, Overcome};

/// What is asked, as `docs/faults.md` has it.
const KMS: &str = "AWS KMS";

fn cases() -> Vec<Case<AtAws>> {
    use AtAws::{Answers, Jump, Signal};
    use Call::{GetPublicKey, Sign};
    use Fault::{Hang, SessionEnds, Truncated};
    use Times::{Always, Once};
    vec![
        // What is waited for longest comes first.
        case(KMS, "hung", Answers(Sign, Always, Hang), Fails),
        case(KMS, "hung", Answers(GetPublicKey, Always, Hang), Fails),
        case(KMS, "hung", Answers(Sign, Once, Hang), Overcome),
        case(KMS, "truncated", Answers(Sign, Always, Truncated), Fails),
        case(KMS, "truncated", Answers(GetPublicKey, Always, Truncated), Fails),
        case(KMS, "SIGTERM", Signal(GetPublicKey, 1, "TERM"), Cancelled),
        case(KMS, "SIGTERM", Signal(Sign, 2, "TERM"), Cancelled),
        case(KMS, "SIGKILL", Signal(GetPublicKey, 1, "KILL"), Killed),
        case(KMS, "SIGKILL", Signal(Sign, 2, "KILL"), Killed),
        case(KMS, "clock", Jump(Sign, 2, DAY), Overcome),
        case(KMS, "clock", Jump(Sign, 2, -DAY), Overcome),
        case(KMS, "expired", Answers(GetPublicKey, Once, SessionEnds), Overcome),
        case(KMS, "expired", Answers(Sign, Once, SessionEnds), Overcome),
        case(KMS, "expired", Answers(Sign, Always, SessionEnds), Fails),
    ]
}

pub fn cells() -> Vec<(&'static str, &'static str)> {
    super::cells(cases())
}

/// A delivery that signs by a key.
fn by_a_key(scene: &Scene, world: &World) -> Delivery {
    let statement = json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*" });
    world.set_role_policy(&json!({ "Version": "2012-10-17", "Statement": [statement] }));
    let variables = world.variables().into_iter();
    let delivery = variables.fold(scene.delivery.clone(), |delivery, (name, value)| delivery.variable(&name, &value));
    delivery
        .variable("GITHUB_SHA", &scene.source.git(&["rev-parse", "HEAD"]))
        .flag("--role-to-assume", &world.role())
        .flag("--environment", "test")
        .flag("--code-scanning", "off")
        .flag("--sign", "kms")
        .flag("--kms-key", &world.create_key(None))
}

#[test]
fn no_fault_of_kms_shows_what_was_not_cleared_or_leaves_anything() {
    let template = Template::plain();
    try_all(KMS, &cases(), |case| {
        let (mut scene, world) = (Scene::in_registry(&template), World::options().start());
        scene.delivery = by_a_key(&scene, &world);
        let ended = case.trouble.happens(&scene, &world);
        scene.holds(case.comes, &ended);
    });
}
