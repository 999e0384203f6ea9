//! With `metrics`, the figures of a delivery are put where they are watched, however it ended; what can't be put is told and
//! fails nothing.

use doubles::aws::{Call, Fault, ImageScan, PUSH, Times, World};
use serde_json::Value;

use crate::support::keyless::{deliver, run, source};
use crate::support::{Ended, Source};

fn line(source: &Source) -> Value {
    let lines = std::fs::read_to_string(source.beside("report/metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    serde_json::from_str(&lines).unwrap()
}

/// Deliveries, blocked and failed.
fn ends(line: &Value) -> [u64; 3] {
    ["Deliveries", "Blocked", "Failed"].map(|name| line[name].as_u64().unwrap())
}

#[test]
fn each_ending_is_a_line_in_cloudwatchs_own_format() {
    let world = World::options().also_allow(&["ecr:DescribeImageScanFindings"]).start();
    let source = source();
    let delivery = deliver(&world, &source).flag("--metrics", "emf").flag("--environment", "prod").flag("--ecr-scan", "gate");
    world.scan(ImageScan::basic().finds("CVE-1", "CRITICAL", "p"));
    delivery.ends_with(3);
    assert_eq!(ends(&line(&source)), [0, 1, 0]);
    world.scan(ImageScan::basic().status("UNSUPPORTED_IMAGE"));
    delivery.ends_with(1);
    assert_eq!(ends(&line(&source)), [0, 0, 1]);
    world.scan(ImageScan::basic());
    delivery.ends_with(0);
    let line = line(&source);
    assert_eq!(ends(&line), [1, 0, 0]);
    assert_eq!((line["Repository"].as_str(), line["Environment"].as_str()), (Some("team/app"), Some("prod")));
    assert!(line["Duration"].as_u64().unwrap() > 0 && line["DatabaseAge"].is_u64() && line["FindingsCritical"] == 0, "{line}");
    // A file of before passes for no delivery's.
    delivery.without("--metrics").ends_with(0);
    assert!(!source.beside("report/metrics.jsonl").exists());
    let refused = deliver(&world, &source).flag("--metrics", "sometimes");
    refused.ends_with(2).says("off, emf or cloudwatch is expected");
}

#[test]
fn figures_go_to_cloudwatch_by_the_role_of_the_delivery() {
    let (world, source) = (World::options().start(), source());
    let mut command = run(&world, &source, "policy").flag("--metrics", "cloudwatch").command();
    let policy = Ended::from(command.arg("role").output().unwrap());
    let policy: Value = serde_json::from_str(&policy.stdout).unwrap_or_else(|_| panic!("{policy}"));
    assert_eq!(policy["Statement"][2]["Condition"]["StringEquals"]["cloudwatch:namespace"], "GpDeliver", "{policy}");
    world.set_role_policy(&policy);
    let delivery = deliver(&world, &source).flag("--metrics", "cloudwatch");
    delivery.ends_with(0);
    let put: Vec<_> = world.calls().into_iter().filter(|entry| entry.call == Call::PutMetricData).collect();
    assert_eq!((put.len(), put[0].status), (1, Some(200)), "{put:?}");
    let value = |name: &str| put[0].parameter(name);
    assert_eq!(value("Namespace").as_deref(), Some("GpDeliver"));
    assert_eq!(value("MetricData.member.1.MetricName").as_deref(), Some("Deliveries"));
    assert_eq!(value("MetricData.member.1.Value").as_deref(), Some("1"));
    assert_eq!(value("MetricData.member.1.Dimensions.member.1.Value").as_deref(), Some("team/app"));
    assert_eq!(value("MetricData.member.1.Dimensions.member.2.Value").as_deref(), Some("dev"));
    assert_eq!(value("MetricData.member.1.Dimensions.member.3.Value"), None, "two dimensions, and no more");
}

#[test]
fn figures_that_can_not_be_put_are_told_and_fail_nothing() {
    let (world, source) = (World::options().start(), source());
    let delivery = deliver(&world, &source).flag("--metrics", "cloudwatch");
    delivery.ends_with(0).says("AWS does not allow cloudwatch:PutMetricData").says("PutMetrics");
    let record = source.record();
    let stage = record["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == "metrics").unwrap();
    assert_eq!((&record["result"], stage["outcome"]["is"].as_str()), (&"delivered".into(), Some("skipped")), "{stage}");
    world.set_role_policy(&serde_json::json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}));
    for fault in [Fault::Refused, Fault::Cut, Fault::Silence, Fault::Status(500), Fault::Throttle, Fault::Wrong, Fault::Expired] {
        world.fail(Call::PutMetricData, Times::Always, fault);
        let before = world.count(Call::PutMetricData);
        delivery.ends_with(0);
        // What may have been taken is not sent again: it would count twice.
        let sent = world.count(Call::PutMetricData) - before;
        assert_eq!(sent > 1, matches!(fault, Fault::Status(_) | Fault::Throttle), "{fault:?}: {sent}");
        world.mend(Call::PutMetricData);
    }
    // One that passes is overcome.
    world.fail(Call::PutMetricData, Times::Once, Fault::Status(503));
    delivery.ends_with(0);
    let warnings = source.record()["warnings"].to_string();
    assert!(!warnings.contains("CloudWatch") && !warnings.contains("PutMetricData"), "{warnings}");
    // However it ends.
    world.allow(&PUSH[..2]);
    let failed = deliver(&world, &source).flag("--metrics", "cloudwatch").flag("--tags", "other");
    failed.ends_with(1);
    let last = world.calls().into_iter().rfind(|entry| entry.call == Call::PutMetricData).unwrap();
    assert_eq!(last.parameter("MetricData.member.3.Value").as_deref(), Some("1"), "it has failed");
}
