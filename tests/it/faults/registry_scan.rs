//! Faults of Amazon ECR while it is asked what its own scan found: as a gate, before a tag can be seen, and as a report, after.

use doubles::aws::{Call, Fault, ImageScan, Times, World};
use serde_json::json;

use super::scene::{Case, Comes, Scene, Template, case, try_all};
use super::{AtAws, DAY};
use Comes::{Cancelled, Fails, Killed, KilledAfterwards, Overcome};

/// What is asked, as `docs/faults.md` has it.
const SCAN: &str = "what Amazon ECR's own scan found";

/// What is made of the scan.
#[derive(Clone, Copy, Debug)]
enum As {
    Gate,
    Report,
}

fn cases() -> Vec<Case<(As, AtAws)>> {
    use As::{Gate, Report};
    use AtAws::{Answers, Jump, Signal};
    use Call::OtherEcr;
    use Fault::{Expired, Hang, SessionEnds, Truncated};
    use Times::{Always, Once};
    vec![
        // What is waited for longest comes first.
        case(SCAN, "hung", (Gate, Answers(OtherEcr, Always, Hang)), Fails),
        case(SCAN, "hung", (Report, Answers(OtherEcr, Always, Hang)), Overcome),
        case(SCAN, "hung", (Gate, Answers(OtherEcr, Once, Hang)), Overcome),
        case(SCAN, "truncated", (Gate, Answers(OtherEcr, Always, Truncated)), Fails),
        case(SCAN, "truncated", (Report, Answers(OtherEcr, Always, Truncated)), Overcome),
        case(SCAN, "expired", (Gate, Answers(OtherEcr, Always, Expired)), Fails),
        case(SCAN, "expired", (Gate, Answers(OtherEcr, Once, SessionEnds)), Overcome),
        case(SCAN, "expired", (Gate, Answers(OtherEcr, Always, SessionEnds)), Fails),
        case(SCAN, "expired", (Report, Answers(OtherEcr, Always, SessionEnds)), Overcome),
        case(SCAN, "SIGTERM", (Gate, Signal(OtherEcr, 1, "TERM")), Cancelled),
        // It is delivered by then; the signal ends the wait.
        case(SCAN, "SIGTERM", (Report, Signal(OtherEcr, 1, "TERM")), Overcome),
        case(SCAN, "SIGKILL", (Gate, Signal(OtherEcr, 1, "KILL")), Killed),
        case(SCAN, "SIGKILL", (Report, Signal(OtherEcr, 1, "KILL")), KilledAfterwards),
        case(SCAN, "clock", (Gate, Jump(OtherEcr, 1, DAY)), Overcome),
        // The scan is of days to come then.
        case(SCAN, "clock", (Gate, Jump(OtherEcr, 1, -DAY)), Fails),
        case(SCAN, "clock", (Report, Jump(OtherEcr, 1, -DAY)), Overcome),
    ]
}

pub fn cells() -> Vec<(&'static str, &'static str)> {
    super::cells(cases())
}

/// A delivery that asks for the scan.
fn scanned(scene: &mut Scene, demand: As) {
    let world: &World = scene.world();
    let statement = json!({ "Effect": "Allow", "Action": "ecr:*", "Resource": "*" });
    world.set_role_policy(&json!({ "Version": "2012-10-17", "Statement": [statement] }));
    world.scan(ImageScan::basic());
    let (environment, demand) = match demand {
        As::Gate => ("test", "gate"),
        As::Report => ("dev", "report"),
    };
    let delivery = scene.delivery.clone().flag("--environment", environment).flag("--code-scanning", "off");
    scene.delivery = delivery.flag("--ecr-scan", demand).flag("--ecr-scan-wait", "1m");
}

#[test]
fn no_fault_of_ecr_shows_what_its_scan_has_not_cleared_or_takes_back_what_is_delivered() {
    let template = Template::plain();
    try_all(SCAN, &cases(), |case| {
        let mut scene = Scene::in_world(&template);
        let (demand, trouble) = &case.trouble;
        scanned(&mut scene, *demand);
        let ended = trouble.happens(&scene, scene.world());
        scene.holds(case.comes, &ended);
        if case.comes == Overcome && !matches!(trouble, AtAws::Answers(_, Times::Once, _) | AtAws::Jump(..)) {
            // Nothing that was not said counts as found clean.
            let record = scene.source.record();
            assert!(record["registry_scan"].is_null() || record["registry_scan"]["images"][0]["result"] == "none", "{ended}");
        }
    });
}
