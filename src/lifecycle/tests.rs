use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde::Deserialize;

use super::policy::{Action, ArchiveLimit, Limit, Number, Rule, Tags};
use super::tag_list::{Kind, TagList};
use super::*;
use crate::document;
use crate::oci::Digest;

/// An image of a case. Times are days before now.
#[derive(Deserialize)]
struct Given {
    name: String,
    tags: Vec<String>,
    pushed: f64,
    pulled: Option<f64>,
    archived: Option<f64>,
    restored: Option<f64>,
    #[serde(default)]
    indexes: Vec<String>,
    subject: Option<String>,
}

/// A policy, the images of a repository, and what the policy does to them.
#[derive(Deserialize)]
struct Case {
    promise: String,
    policy: serde_json::Value,
    images: Vec<Given>,
    deleted: BTreeMap<String, u32>,
    archived: BTreeMap<String, u32>,
    following: Vec<String>,
}

/// A policy's text.
#[derive(Deserialize)]
struct Sample {
    why: String,
    text: String,
    aws: Option<String>,
}

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// So many days ago; of equal times the later in the list is the newer one, by a millisecond.
fn ago(days: f64, place: usize) -> Timestamp {
    let milliseconds = SignedDuration::from_secs_f64(days * 86_400.0);
    now() - milliseconds + SignedDuration::from_millis(i64::try_from(place).unwrap())
}

impl Given {
    fn image(&self, place: usize) -> Image {
        let at = |days: f64| ago(days, place);
        Image {
            digest: digest(&self.name),
            tags: self.tags.clone(),
            pushed_at: at(self.pushed),
            pulled_at: self.pulled.map(at),
            storage: match self.archived {
                Some(since) => Storage::Archive { since: at(since) },
                None => Storage::Standard { restored_at: self.restored.map(at) },
            },
            indexes: self.indexes.iter().map(|name| digest(name)).collect(),
            subject: self.subject.as_deref().map(digest),
        }
    }
}

fn texts(cases: &str) -> Vec<Sample> {
    document::read(cases.as_bytes()).unwrap()
}

#[test]
fn a_policy_does_what_aws_says_that_it_does() {
    let cases: Vec<Case> = document::read(include_bytes!("cases/evaluated.json")).unwrap();
    assert!(cases.len() >= 20);
    for case in cases {
        let policy = read(&case.policy.to_string()).unwrap_or_else(|problems| panic!("{}: {problems:?}", case.promise));
        let images: Vec<_> = case.images.iter().enumerate().map(|(place, image)| image.image(place)).collect();
        let evaluation = evaluate(&policy, &images, now());
        let (mut deleted, mut archived, mut following) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for (image, fate) in case.images.iter().zip(evaluation.fates()) {
            let name = image.name.clone();
            match fate {
                Fate::Taken { by, action, .. } if action.deletes() => drop(deleted.insert(name, by.get())),
                Fate::Taken { by, .. } => drop(archived.insert(name, by.get())),
                Fate::WithSubject { deleted_by: Some(_), .. } => following.push(name),
                _ => {}
            }
        }
        assert_eq!((deleted, archived, following), (case.deleted, case.archived, case.following), "{}", case.promise);
    }
}

#[test]
fn what_aws_refuses_is_refused_with_its_own_words_where_they_are_known() {
    let cases = texts(include_str!("cases/refused.json"));
    assert!(cases.len() >= 20);
    for Sample { why, text, aws } in cases {
        let problems = read(&text).expect_err(&why);
        let Some(aws) = aws else { continue };
        let said = problems.iter().filter_map(Problem::in_words_of_aws).any(|words| words == aws);
        assert!(said && problems.iter().any(|problem| problem.to_string().contains(&aws)), "{why}: {problems:?}");
    }
}

#[test]
fn what_aws_takes_is_read() {
    for Sample { why, text, .. } in texts(include_str!("cases/taken.json")) {
        assert!(read(&text).is_ok(), "{why}: {:?}", read(&text));
    }
}

/// A policy of these rules, each as it is written behind its priority.
fn written(rules: &[&str]) -> String {
    let rules: Vec<_> = rules.iter().zip(1..).map(|(rule, priority)| format!("{{\"rulePriority\":{priority},{rule}}}")).collect();
    format!("{{\"rules\":[{}]}}", rules.join(","))
}

const EXPIRE: &str = r#""action":{"type":"expire"}"#;
const ARCHIVE: &str = r#""action":{"type":"transition","targetStorageClass":"archive"}"#;

fn rule(selection: &str, action: &str) -> String {
    format!("\"selection\":{{{selection}}},{action}")
}

#[test]
fn each_thing_that_is_wrong_with_a_rule_is_named_with_its_place() {
    let days =
        |number: u32| format!(r#""tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":{number}"#);
    let tagged = |lists: &str| format!(r#""tagStatus":"tagged",{lists},"countType":"imageCountMoreThan","countNumber":1"#);
    let archive = |count: &str| format!(r#""tagStatus":"any","storageClass":"archive",{count}"#);
    for (selection, action, said) in [
        (tagged(r#""tagPrefixList":["a"],"tagPatternList":["b"]"#), EXPIRE, "not both"),
        (tagged(r#""tagPrefixList":[]"#), EXPIRE, "with at least one entry"),
        (tagged(r#""tagPatternList":["a*b*c*d*e*f"]"#), EXPIRE, "rules[0].selection.tagPatternList[0]: it has 5 *"),
        (tagged(r#""tagPatternList":["a",""]"#), EXPIRE, "tagPatternList[1]: an entry is empty"),
        (tagged(r#""tagPatternList":"a""#), EXPIRE, "tagPatternList: a list of texts is expected"),
        (tagged(r#""tagPatternList":[1]"#), EXPIRE, "tagPatternList: a list of texts is expected"),
        (days(1) + r#","more":1"#, EXPIRE, r#""more" is not known"#),
        (days(1).replace("days", "Days"), EXPIRE, r#"countUnit: "days" is expected"#),
        (days(1).replace(r#""countUnit":"days","#, ""), EXPIRE, "countUnit: it is missing"),
        (days(1).replace(":1", ":1.0"), EXPIRE, "countNumber: an integer"),
        (days(1).replace(":1", ":\"1\""), EXPIRE, "countNumber: an integer"),
        (days(1).replace(":1", ":-1"), EXPIRE, "countNumber: an integer"),
        (days(2_147_483_648), EXPIRE, "countNumber: an integer from 1 to 2147483647"),
        (days(1).replace("any", "ANY"), EXPIRE, "tagStatus: \"tagged\""),
        (days(1) + r#","storageClass":"cold""#, EXPIRE, "storageClass: \"standard\""),
        (days(1), r#""action":{"type":"expire","targetStorageClass":"archive"}"#, "targetStorageClass goes with"),
        (days(1), r#""action":{"type":"transition","targetStorageClass":"standard"}"#, "\"archive\" is expected"),
        (days(1), r#""action":{}"#, "rules[0].action.type: it is missing"),
        (days(1), r#""action":"expire""#, "rules[0].action: an object is expected"),
        (days(1), r#""action":{"type":"expire"},"description":1"#, "rules[0].description: a text is expected"),
        (archive(r#""countType":"imageCountMoreThan","countNumber":90"#), EXPIRE, "by sinceImageTransitioned alone"),
        (
            archive(r#""countType":"sinceImageTransitioned","countUnit":"days","countNumber":90"#),
            ARCHIVE,
            "goes with the action \"expire\" alone",
        ),
    ] {
        let text = written(&[&rule(&selection, action)]);
        let problems = read(&text).expect_err(&text);
        let words: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(words.iter().any(|words| words.contains(said)), "{text}: {words:?}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let any = r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":0"#;
    let untagged = r#""tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":1,"countUnit":null"#;
    let [any, untagged] = [any, untagged].map(|selection| rule(selection, EXPIRE));
    let problems = read(&written(&[&any, &untagged, &untagged])).unwrap_err();
    let words: Vec<_> = problems.iter().map(ToString::to_string).collect();
    for said in
        ["rules[0].selection.countNumber", "rules[0]: a rule for any", "rules[1].selection.countUnit: null", "rules[2]: another"]
    {
        assert!(words.iter().any(|words| words.starts_with(said)), "{said}: {words:?}");
    }
}

#[test]
fn a_text_has_the_length_that_aws_takes_and_one_reading() {
    let any = rule(r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":1"#, EXPIRE);
    let text = written(&[&any]);
    let padded = |length: usize| format!("{text}{}", " ".repeat(length - text.len()));
    assert!(read(&padded(30_720)).is_ok());
    assert!(read(&padded(30_721)).unwrap_err()[0].to_string().contains("30721 characters"));
    assert!(read(r#"{"rules":[]}"#).unwrap_err()[0].to_string().contains("12 characters"));
    let twice = text.replacen("\"rulePriority\":1", "\"rulePriority\":1,\"rulePriority\":2", 1);
    assert!(read(&twice).unwrap_err()[0].to_string().contains("there twice"));
    assert!(read(&format!("{text}{text}")).is_err() && read(&format!("[{}]", padded(200))).is_err());
    let many: Vec<_> = (0..51)
        .map(|at| {
            let list =
                format!(r#""tagStatus":"tagged","tagPatternList":["{at}"],"countType":"imageCountMoreThan","countNumber":1"#);
            rule(&list, EXPIRE)
        })
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(read(&written(&many[..50])).is_ok());
    assert!(read(&written(&many)).unwrap_err()[0].to_string().contains("at most 50"));
}

#[test]
fn each_preset_is_a_policy_that_aws_takes_and_says_what_is_to_be_looked_at() {
    let moving = ["prod", "prod-latest"].map(str::to_owned);
    let said =
        |preset: Preset| -> Vec<_> { warnings(&preset.policy().unwrap(), &moving).iter().map(ToString::to_string).collect() };
    insta::assert_snapshot!(said(Preset::Simple).join("\n"), @"
    The image that the tag prod names is not safe: rule 2 takes it once it selects 10 images that were pushed later.
    The image that the tag prod-latest names is not safe: rule 2 takes it once it selects 10 images that were pushed later.
    ");
    insta::assert_snapshot!(said(Preset::Environments).join("\n"), @r#"
    Rule 3 takes only images that have a tag for each of "staging-" and "main-", not for one of them.
    Rule 4 takes only images that have a tag for each of "feature-", "fix-" and "dev-", not for one of them.
    The image that the tag prod names is not safe: rule 10 takes it once it selects 20 images that were pushed later.
    The image that the tag prod-latest names is not safe: rule 2 takes it once it selects 3 images that were pushed later.
    "#);
    assert_eq!(said(Preset::EnvironmentsSafe), [""; 0]);
}

#[test]
fn the_safe_preset_keeps_what_an_environment_runs_however_old_it_is() {
    let policy = Preset::EnvironmentsSafe.policy().unwrap();
    let image = |name: &str, tags: &[&str], days: f64| {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        Given {
            name: name.to_owned(),
            tags,
            pushed: days,
            pulled: None,
            archived: None,
            restored: None,
            indexes: vec![],
            subject: None,
        }
        .image(0)
    };
    let running =
        [&["prod", "v1.2.0", "main-a1b2c3d", "a1b2c3d"][..], &["prod-latest", "prod-a1b2c3d"], &["staging", "feature-x"]];
    for tags in running {
        let mut images: Vec<_> =
            (0..40).map(|at| image(&format!("{at}"), &[&format!("prod-{at}"), &format!("main-{at}")], 1.0)).collect();
        images.push(image("running", tags, 400.0));
        let evaluation = evaluate(&policy, &images, now());
        assert!(matches!(evaluation.fates().last(), Some(Fate::Kept { .. })), "{tags:?}: {:?}", evaluation.fates().last());
    }
}

#[test]
fn when_an_image_goes_is_a_date_or_a_number_of_images() {
    let days = rule(r#""tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":7"#, EXPIRE);
    let count = rule(r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":5"#, EXPIRE);
    let policy = read(&written(&[&days, &count])).unwrap();
    let given = |name: &str, tags: &[&str], pushed: f64| Given {
        name: name.to_owned(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        pushed,
        pulled: None,
        archived: None,
        restored: None,
        indexes: vec![],
        subject: None,
    };
    let images = [given("a", &[], 2.0), given("b", &["x"], 3.0), given("c", &["y"], 1.0)];
    let images: Vec<_> = images.iter().map(|image| image.image(0)).collect();
    let evaluation = evaluate(&policy, &images, now());
    let until = |at: usize| match &evaluation.fates()[at] {
        Fate::Kept { until, .. } => *until,
        fate => panic!("{fate:?}"),
    };
    assert_eq!(until(0), Until::Date(now() + SignedDuration::from_hours(24 * 5)));
    assert_eq!((until(1), until(2)), (Until::MoreImages(3), Until::MoreImages(5)));
}

#[test]
fn of_images_of_one_time_it_is_said_that_either_may_go() {
    let count = rule(r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":1"#, EXPIRE);
    let policy = read(&written(&[&count])).unwrap();
    let image = |name: &str| Image {
        digest: digest(name),
        tags: vec![],
        pushed_at: now(),
        pulled_at: None,
        storage: Storage::Standard { restored_at: None },
        indexes: vec![],
        subject: None,
    };
    let evaluation = evaluate(&policy, &[image("a"), image("b")], now());
    let fates = evaluation.fates();
    assert!(fates.iter().all(|fate| fate.may_be_taken_by().is_some()), "{fates:?}");
    assert_eq!(fates.iter().filter(|fate| fate.deleted_by().is_some()).count(), 1, "{fates:?}");
}

prop_compose! {
    fn any_image(name: u32)(
        tags in proptest::collection::btree_set("(a|b|ab|c)-?[0-9]{0,1}", 0..3),
        [pushed, pulled, moved] in [0..40_i64, 0..40_i64, 0..200_i64],
        pulls in proptest::bool::ANY,
        storage in 0..6,
        part in 0..10,
        of in 0..12_u32,
    ) -> Image {
        let ago = |days: i64| now() - SignedDuration::from_hours(24 * days);
        Image {
            digest: digest(&name.to_string()),
            tags: tags.into_iter().collect(),
            pushed_at: ago(pushed),
            pulled_at: pulls.then(|| ago(pulled)),
            storage: match storage {
                0 => Storage::Archive { since: ago(moved) },
                1 => Storage::Standard { restored_at: Some(ago(moved)) },
                _ => Storage::Standard { restored_at: None },
            },
            indexes: if part == 0 { vec![digest(&of.to_string())] } else { vec![] },
            subject: (part == 1).then(|| digest(&of.to_string())),
        }
    }
}

fn any_images() -> impl Strategy<Value = Vec<Image>> {
    (0..12_u32).prop_flat_map(|number| (0..number).map(any_image).collect::<Vec<_>>())
}

fn any_action() -> impl Strategy<Value = Action> {
    let number = |number: u64| Number::new(number).unwrap();
    (1..12_u64, 90..150_u64, 0..6).prop_map(move |(few, many, kind)| match kind {
        0 => Action::Archive(ArchiveLimit::Of(Limit::Newest(number(few)))),
        1 => Action::Archive(ArchiveLimit::Of(Limit::DaysSincePush(number(few)))),
        2 => Action::Archive(ArchiveLimit::DaysSincePull(number(few))),
        3 => Action::ExpireArchived(number(many)),
        4 => Action::Expire(Limit::DaysSincePush(number(few))),
        _ => Action::Expire(Limit::Newest(number(few))),
    })
}

fn any_tags() -> impl Strategy<Value = Tags> {
    let list = proptest::collection::vec("[abc][0-9*-]{0,2}", 1..3);
    (list, proptest::bool::ANY).prop_map(|(entries, prefix)| {
        let kind = if prefix { Kind::Prefix } else { Kind::Pattern };
        Tags::Tagged(TagList::new(kind, entries).unwrap())
    })
}

/// Rules for tagged images, then one for untagged ones, then one for any of each class.
fn any_policy() -> impl Strategy<Value = Policy> {
    let tagged = proptest::collection::vec((any_tags(), any_action(), proptest::option::of("[ -~]{0,20}")), 0..5);
    let last = (any_action(), any_action(), any_action());
    (tagged, last, proptest::collection::btree_set(1..200_u64, 8)).prop_map(|(tagged, (untagged, any, other), priorities)| {
        let mut priorities = priorities.into_iter().map(|number| Priority::new(number).unwrap());
        let mut rules: Vec<Rule> = Vec::new();
        let mut add = |tags: Tags, action: Action, description: Option<String>| {
            rules.push(Rule { priority: priorities.next().unwrap(), description, tags, action });
        };
        tagged.into_iter().for_each(|(tags, action, description)| add(tags, action, description));
        add(Tags::Untagged, untagged, None);
        add(Tags::Any, any, None);
        if other.class() != any.class() && other.class() != untagged.class() {
            add(Tags::Any, other, None);
        }
        Policy::of_checked(rules)
    })
}

proptest! {
    #[test]
    fn what_an_earlier_rule_selects_no_later_one_takes(policy in any_policy(), images in any_images()) {
        for (image, fate) in images.iter().zip(evaluate(&policy, &images, now()).fates()) {
            let first = policy.rules().iter().find(|rule| rule.selects(image, Referrers::Apart)).map(|rule| rule.priority);
            match fate {
                Fate::Taken { by, .. } => prop_assert_eq!(Some(*by), first),
                Fate::Kept { by, shielded_from, .. } => {
                    prop_assert_eq!(Some(*by), first);
                    prop_assert!(shielded_from.iter().all(|later| later > by));
                }
                _ => prop_assert_eq!(first, None),
            }
        }
    }

    #[test]
    fn the_order_of_the_images_does_not_matter(
        policy in any_policy(),
        (images, shuffled) in any_images().prop_flat_map(|images| (Just(images.clone()), Just(images).prop_shuffle())),
    ) {
        let fates = |images: &[Image]| -> BTreeMap<Digest, Fate> {
            let evaluation = evaluate(&policy, images, now());
            images.iter().map(|image| image.digest).zip(evaluation.fates().iter().cloned()).collect()
        };
        prop_assert_eq!(fates(&images), fates(&shuffled));
    }

    #[test]
    fn a_rule_leaves_as_many_as_it_keeps(policy in any_policy(), images in any_images()) {
        let evaluation = evaluate(&policy, &images, now());
        for rule in policy.rules() {
            let Action::Expire(Limit::Newest(number)) = rule.action else { continue };
            let selected = images.iter().zip(evaluation.fates()).filter(|(image, _)| rule.selects(image, Referrers::Apart));
            let (taken, left): (Vec<_>, Vec<_>) =
                selected.partition(|(_, fate)| matches!(fate, Fate::Taken { by, .. } if *by == rule.priority));
            let keeps = usize::try_from(number.get()).unwrap();
            prop_assert!(taken.is_empty() || left.len() >= keeps);
        }
    }

    #[test]
    fn a_policy_that_is_written_reads_back_equal(policy in any_policy()) {
        // Two rules may have the same prefixes here, which AWS refuses.
        match read(&policy.to_json()) {
            Ok(again) => prop_assert_eq!(again, policy),
            Err(problems) => {
                let known = problems.iter().all(|problem| problem.to_string().contains("the same prefixes"));
                prop_assert!(known, "{problems:?}");
            }
        }
    }
}

#[test]
fn signatures_that_count_cost_an_image_its_place_and_go_with_their_image_all_the_same() {
    let image = |name: &str, tags: &[&str], hours: i64, subject: Option<&str>| Image {
        digest: digest(name),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        pushed_at: now() - SignedDuration::from_hours(hours),
        pulled_at: None,
        storage: Storage::Standard { restored_at: None },
        indexes: vec![],
        subject: subject.map(digest),
    };
    let newest = |status: &str| {
        let count = rule(&format!(r#""tagStatus":"{status}","countType":"imageCountMoreThan","countNumber":1"#), EXPIRE);
        read(&written(&[&count])).unwrap()
    };
    let taken = |policy: &Policy, images: &[Image], referrers| {
        let evaluation = evaluate_with(policy, images, now(), referrers);
        evaluation.fates().iter().map(|fate| fate.may_be_taken_by().is_some()).collect::<Vec<_>>()
    };
    let images = [image("a", &[], 5, None), image("s", &[], 1, Some("a"))];
    assert_eq!(taken(&newest("any"), &images, Referrers::Apart), [false, false]);
    // It is taken with the image that it refers to.
    assert_eq!(taken(&newest("any"), &images, Referrers::Counted), [true, true]);
    assert_eq!(taken(&newest("untagged"), &images, Referrers::Apart), [false, false]);
    assert_eq!(taken(&newest("untagged"), &images, Referrers::Counted), [true, true]);
    // One that is the oldest is not taken by itself.
    let images = [image("a", &["v1"], 1, None), image("s", &[], 5, Some("a"))];
    assert_eq!(taken(&newest("any"), &images, Referrers::Counted), [false, false]);
}

#[test]
fn ten_thousand_images_are_looked_at_by_the_largest_preset() {
    let policy = Preset::EnvironmentsSafe.policy().unwrap();
    let images: Vec<_> = (0..10_000_u32)
        .map(|number| Image {
            digest: digest(&number.to_string()),
            tags: vec![format!("main-{number}"), format!("{number:x}"), format!("dev-{number}")],
            pushed_at: now() - SignedDuration::from_secs(i64::from(number)),
            pulled_at: None,
            storage: Storage::Standard { restored_at: None },
            indexes: vec![],
            subject: None,
        })
        .collect();
    for referrers in [Referrers::Apart, Referrers::Counted] {
        let evaluation = evaluate_with(&policy, &images, now(), referrers);
        let taken = evaluation.fates().iter().filter(|fate| fate.deleted_by().is_some()).count();
        assert_eq!(taken, 9_995);
    }
}
