//! A policy's text, read as AWS reads it: no member that is not known, no null, no key twice; and all that is wrong with it at
//! once (Amazon ECR User Guide, "Lifecycle policy properties in Amazon ECR").

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::fault::{Fault, Problem};
use super::image::Class;
use super::policy::{Action, ArchiveLimit, LEAST_DAYS_ARCHIVED, LENGTH, Limit, MAX_RULES, Number, Policy, Priority, Rule, Tags};
use super::tag_list::{Kind, MAX_WILDCARDS, TagList};
use crate::document;
use crate::text;

/// Reads a policy.
///
/// # Errors
/// All that is wrong with it.
pub(crate) fn read(text: &str) -> Result<Policy, Vec<Problem>> {
    let mut reader = Reader::default();
    let characters = text.chars().count();
    if !LENGTH.contains(&characters) {
        reader.note("", Fault::Length(characters));
    }
    let rules = match document::read::<Value>(text.as_bytes()) {
        Ok(document) => reader.rules(document),
        Err(error) => {
            reader.note("", Fault::Document(error));
            Vec::new()
        }
    };
    if reader.problems.is_empty() { Ok(Policy::of_checked(rules)) } else { Err(reader.problems) }
}

/// What is wrong so far.
#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
}

/// A member of an object.
enum Given<T> {
    /// It is not there.
    Absent,
    /// It is not as it should be, which is noted.
    Wrong,
    /// It is this.
    Is(T),
}

/// An object of the document, of which each member is taken once.
struct Object {
    place: String,
    members: Map<String, Value>,
}

/// What other rules are compared with, as far as it could be read.
struct Outline {
    place: String,
    priority: Option<Priority>,
    tags: Option<Tags>,
    class: Option<Class>,
}

/// What decides which of the selected images are over the limit, as it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CountType {
    More,
    Pushed,
    Pulled,
    Transitioned,
}

/// What is done, as it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Expire,
    Transition,
}

impl<T> Given<T> {
    fn value(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }
}

impl Object {
    fn at(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }
}

impl Reader {
    fn note(&mut self, place: impl Into<String>, fault: Fault) {
        self.problems.push(Problem { place: place.into(), fault });
    }

    /// Takes a member and reads it.
    fn take<T>(&mut self, of: &mut Object, name: &str, expected: &'static str, read: impl Fn(Value) -> Option<T>) -> Given<T> {
        let place = of.at(name);
        match of.members.remove(name) {
            None => Given::Absent,
            Some(Value::Null) => {
                self.note(place, Fault::Null);
                Given::Wrong
            }
            Some(value) => read(value).map_or_else(
                || {
                    self.note(place, Fault::Expected(expected));
                    Given::Wrong
                },
                Given::Is,
            ),
        }
    }

    /// As [`Reader::take`], of a member that has to be there.
    fn need<T>(&mut self, of: &mut Object, name: &str, expected: &'static str, read: impl Fn(Value) -> Option<T>) -> Option<T> {
        let given = self.take(of, name, expected, read);
        if matches!(given, Given::Absent) {
            self.note(of.at(name), Fault::Missing);
        }
        given.value()
    }

    fn object(&mut self, of: &mut Object, name: &str) -> Option<Object> {
        let place = of.at(name);
        let members = self.need(of, name, "an object", |value| match value {
            Value::Object(members) => Some(members),
            _ => None,
        })?;
        Some(Object { place, members })
    }

    /// Whatever was not taken is not known.
    fn close(&mut self, object: &Object) {
        for name in object.members.keys() {
            self.note(&*object.place, Fault::Unknown(text::words(name)));
        }
    }

    fn rules(&mut self, document: Value) -> Vec<Rule> {
        let Value::Object(members) = document else {
            self.note("", Fault::Expected("an object"));
            return Vec::new();
        };
        let mut document = Object { place: String::new(), members };
        let list = self.need(&mut document, "rules", "a list", |value| match value {
            Value::Array(rules) => Some(rules),
            _ => None,
        });
        self.close(&document);
        let Some(list) = list else { return Vec::new() };
        match list.len() {
            0 => self.note("rules", Fault::NoRule),
            rules if rules > MAX_RULES => self.note("rules", Fault::TooManyRules(rules)),
            _ => {}
        }
        let read: Vec<_> = list.into_iter().enumerate().map(|(at, rule)| self.rule(format!("rules[{at}]"), rule)).collect();
        let (outlines, rules): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        self.compare(&outlines);
        rules.into_iter().flatten().collect()
    }

    fn rule(&mut self, place: String, value: Value) -> (Outline, Option<Rule>) {
        let mut outline = Outline { place: place.clone(), priority: None, tags: None, class: None };
        let Value::Object(members) = value else {
            self.note(place, Fault::Expected("an object"));
            return (outline, None);
        };
        let mut rule = Object { place, members };
        let number = "an integer from 1 to 2147483647";
        outline.priority = self.need(&mut rule, "rulePriority", number, |value| Priority::new(value.as_u64()?));
        let description = self.take(&mut rule, "description", "a text", string).value();
        let selection = self.object(&mut rule, "selection");
        let action = self.object(&mut rule, "action");
        self.close(&rule);
        let verb = action.and_then(|action| self.verb(action));
        let Some(mut selection) = selection else { return (outline, None) };
        let place = selection.place.clone();
        outline.tags = self.tags(&mut selection);
        let class = self.class(&mut selection);
        let limit = self.limit(&mut selection);
        self.close(&selection);
        outline.class = class;
        let rule = (|| {
            let (count, number) = limit?;
            let action = self.action(&place, class?, count, number, verb?)?;
            Some(Rule { priority: outline.priority?, description, tags: outline.tags.clone()?, action })
        })();
        (outline, rule)
    }

    fn tags(&mut self, selection: &mut Object) -> Option<Tags> {
        let expected = "\"tagged\", \"untagged\" or \"any\"";
        let status = self.need(selection, "tagStatus", expected, |value| {
            string(value).filter(|word| ["tagged", "untagged", "any"].contains(&&**word))
        });
        let prefixes = self.list(selection, "tagPrefixList", Kind::Prefix);
        let patterns = self.list(selection, "tagPatternList", Kind::Pattern);
        let absent = matches!((&prefixes, &patterns), (Given::Absent, Given::Absent));
        let both = !matches!(prefixes, Given::Absent) && !matches!(patterns, Given::Absent);
        let tagged = match &*status? {
            "tagged" => true,
            other if absent => return Some(if other == "any" { Tags::Any } else { Tags::Untagged }),
            _ => false,
        };
        let fault = match (tagged, both, absent) {
            (false, ..) => Fault::ListOfNoTagged,
            (true, true, _) => Fault::BothLists,
            (true, false, true) => Fault::NoList,
            (true, false, false) => {
                let (kind, entries) = match (prefixes, patterns) {
                    (Given::Is(entries), _) => (Kind::Prefix, entries),
                    (_, Given::Is(entries)) => (Kind::Pattern, entries),
                    _ => return None,
                };
                match TagList::new(kind, entries) {
                    Some(list) => return Some(Tags::Tagged(list)),
                    None => Fault::NoList,
                }
            }
        };
        self.note(&*selection.place, fault);
        None
    }

    fn list(&mut self, selection: &mut Object, name: &str, kind: Kind) -> Given<Vec<String>> {
        let place = selection.at(name);
        let given = self.take(selection, name, "a list of texts", |value| match value {
            Value::Array(entries) => entries.into_iter().map(string).collect::<Option<Vec<_>>>(),
            _ => None,
        });
        let Given::Is(entries) = &given else { return given };
        let mut sound = true;
        for (at, entry) in entries.iter().enumerate() {
            let wildcards = entry.matches('*').count();
            let fault = match kind {
                _ if entry.is_empty() => Fault::EmptyEntry,
                Kind::Pattern if wildcards > MAX_WILDCARDS => Fault::Wildcards(wildcards),
                _ => continue,
            };
            sound = false;
            self.note(format!("{place}[{at}]"), fault);
        }
        if sound { given } else { Given::Wrong }
    }

    fn class(&mut self, selection: &mut Object) -> Option<Class> {
        let given = self.take(selection, "storageClass", "\"standard\" or \"archive\"", |value| match value.as_str() {
            Some("standard") => Some(Class::Standard),
            Some("archive") => Some(Class::Archive),
            _ => None,
        });
        match given {
            Given::Absent => Some(Class::Standard),
            given => given.value(),
        }
    }

    fn limit(&mut self, selection: &mut Object) -> Option<(CountType, Number)> {
        let expected = "\"imageCountMoreThan\", \"sinceImagePushed\", \"sinceImagePulled\" or \"sinceImageTransitioned\"";
        let count = self.need(selection, "countType", expected, |value| match value.as_str() {
            Some("imageCountMoreThan") => Some(CountType::More),
            Some("sinceImagePushed") => Some(CountType::Pushed),
            Some("sinceImagePulled") => Some(CountType::Pulled),
            Some("sinceImageTransitioned") => Some(CountType::Transitioned),
            _ => None,
        });
        let unit = self.take(selection, "countUnit", "\"days\"", |value| (value.as_str() == Some("days")).then_some(()));
        let number = "an integer from 1 to 2147483647";
        let number = self.need(selection, "countNumber", number, |value| Number::new(value.as_u64()?));
        let place = selection.at("countUnit");
        match (count?, unit) {
            (CountType::More, Given::Is(())) => self.note(place, Fault::UnitOfCount),
            (CountType::Pushed | CountType::Pulled | CountType::Transitioned, Given::Absent) => {
                self.note(place, Fault::Missing);
            }
            _ => {}
        }
        Some((count?, number?))
    }

    fn verb(&mut self, mut action: Object) -> Option<Verb> {
        let verb = self.need(&mut action, "type", "\"expire\" or \"transition\"", |value| match value.as_str() {
            Some("expire") => Some(Verb::Expire),
            Some("transition") => Some(Verb::Transition),
            _ => None,
        });
        let name = "targetStorageClass";
        let target = self.take(&mut action, name, "\"archive\"", |value| (value.as_str() == Some("archive")).then_some(()));
        self.close(&action);
        match (verb?, target) {
            (Verb::Expire, Given::Is(())) => self.note(action.at(name), Fault::TargetOfExpire),
            (Verb::Transition, Given::Absent) => self.note(action.at(name), Fault::Missing),
            _ => {}
        }
        verb
    }

    /// What a rule does: which limits go with which storage and which action.
    fn action(&mut self, place: &str, class: Class, count: CountType, number: Number, verb: Verb) -> Option<Action> {
        let fault = match (class, count, verb) {
            (Class::Standard, CountType::More, Verb::Expire) => return Some(Action::Expire(Limit::Newest(number))),
            (Class::Standard, CountType::Pushed, Verb::Expire) => return Some(Action::Expire(Limit::DaysSincePush(number))),
            (Class::Standard, CountType::More, Verb::Transition) => {
                return Some(Action::Archive(ArchiveLimit::Of(Limit::Newest(number))));
            }
            (Class::Standard, CountType::Pushed, Verb::Transition) => {
                return Some(Action::Archive(ArchiveLimit::Of(Limit::DaysSincePush(number))));
            }
            (Class::Standard, CountType::Pulled, Verb::Transition) => {
                return Some(Action::Archive(ArchiveLimit::DaysSincePull(number)));
            }
            (Class::Archive, CountType::Transitioned, Verb::Expire) if number.get() >= LEAST_DAYS_ARCHIVED => {
                return Some(Action::ExpireArchived(number));
            }
            (Class::Archive, CountType::Transitioned, Verb::Expire) => Fault::DeletedTooEarly,
            (Class::Archive, CountType::Transitioned, Verb::Transition) => Fault::ArchivedAgain,
            (Class::Standard, CountType::Transitioned, _) => Fault::NotArchived,
            (Class::Standard, CountType::Pulled, Verb::Expire) => Fault::PulledAndDeleted,
            (Class::Archive, CountType::More | CountType::Pushed | CountType::Pulled, _) => Fault::ArchivedBySomethingElse,
        };
        self.note(place, fault);
        None
    }

    /// What AWS refuses between rules.
    fn compare(&mut self, rules: &[Outline]) {
        let mut priorities = BTreeSet::new();
        for rule in rules {
            if let Some(priority) = rule.priority.filter(|priority| !priorities.insert(*priority)) {
                self.note(format!("{}.rulePriority", rule.place), Fault::SamePriority(priority));
            }
        }
        for (at, rule) in rules.iter().enumerate() {
            let others = rules.iter().enumerate().filter(|(other, _)| *other != at);
            let others = others.filter(|(_, other)| rule.class.is_some() && other.class == rule.class);
            for (other_at, other) in others {
                let fault = match (&rule.tags, &other.tags) {
                    // Two of equal priority are told of above, two for any image by one of them.
                    (Some(Tags::Any), _) if rule.priority < other.priority && rule.priority.is_some() => {
                        other.priority.map(Fault::AnyBefore)
                    }
                    (Some(Tags::Untagged), Some(Tags::Untagged)) if other_at < at => Some(Fault::UntaggedTwice),
                    (Some(Tags::Tagged(list)), Some(Tags::Tagged(others))) if other_at < at && same_prefixes(list, others) => {
                        other.priority.map(Fault::SamePrefixes)
                    }
                    _ => None,
                };
                if let Some(fault) = fault {
                    self.note(&*rule.place, fault);
                    break;
                }
            }
        }
    }
}

/// AWS wants the prefixes of a storage class's rules to be unique, and does not say whether it means lists or single prefixes:
/// equal lists are refused here, and what overlaps is a warning.
fn same_prefixes(one: &TagList, other: &TagList) -> bool {
    let (Some(one), Some(other)) = (one.prefixes(), other.prefixes()) else { return false };
    one.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>()
}

fn string(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
