//! Faults of Amazon CloudWatch, where the figures of a delivery are put: it is delivered by then, and stays so.

use doubles::aws::{Call, Fault, Times};
use serde_json::json;

use super::scene::{Case, Comes, Scene, Template, case, try_all};
use super::{AtAws, DAY};
use Comes::{KilledAfterwards, Overcome};

/// What is asked, as `docs/faults.md` has it.
const CLOUDWATCH: &str = "Amazon CloudWatch, which figures are put into";

/// With whether the figures are there then, by the report.
fn cases() -> Vec<Case<(AtAws, bool)>> {
    use AtAws::{Answers, Jump, Signal};
    use Call::PutMetricData;
    use Fault::{Hang, SessionEnds, Truncated};
    use Times::{Always, Once};
    vec![
        // What is waited for longest comes first. What hung may have been taken, and is not sent again.
        case(CLOUDWATCH, "hung", (Answers(PutMetricData, Always, Hang), false), Overcome),
        case(CLOUDWATCH, "hung", (Answers(PutMetricData, Once, Hang), false), Overcome),
        // Its beginning says that they were taken.
        case(CLOUDWATCH, "truncated", (Answers(PutMetricData, Always, Truncated), true), Overcome),
        case(CLOUDWATCH, "expired", (Answers(PutMetricData, Always, SessionEnds), false), Overcome),
        case(CLOUDWATCH, "SIGTERM", (Signal(PutMetricData, 1, "TERM"), false), Overcome),
        case(CLOUDWATCH, "SIGKILL", (Signal(PutMetricData, 1, "KILL"), false), KilledAfterwards),
        case(CLOUDWATCH, "clock", (Jump(PutMetricData, 1, DAY), true), Overcome),
        case(CLOUDWATCH, "clock", (Jump(PutMetricData, 1, -DAY), true), Overcome),
    ]
}

pub fn cells() -> Vec<(&'static str, &'static str)> {
    super::cells(cases())
}

#[test]
fn no_fault_of_cloudwatch_takes_back_what_is_delivered_or_leaves_anything() {
    let template = Template::plain();
    try_all(CLOUDWATCH, &cases(), |case| {
        let mut scene = Scene::in_world(&template);
        let statement = json!({ "Effect": "Allow", "Action": ["ecr:*", "cloudwatch:*"], "Resource": "*" });
        scene.world().set_role_policy(&json!({ "Version": "2012-10-17", "Statement": [statement] }));
        scene.delivery = scene.delivery.clone().flag("--metrics", "cloudwatch");
        let (trouble, are_put) = &case.trouble;
        let ended = trouble.happens(&scene, scene.world());
        scene.holds(case.comes, &ended);
        if case.comes == Overcome {
            let record = scene.source.record();
            let stage = record["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == "metrics").unwrap();
            assert_eq!(stage["outcome"]["is"] == "passed", *are_put, "{stage}: {ended}");
        }
    });
}
