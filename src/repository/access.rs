//! Who may pull from a repository and push to it by the repository's own policy, beside whom its account's roles are allowed to.

use std::collections::BTreeSet;
use std::fmt;

use iam_policy::{Document, Effect, NamedPrincipals, Principals, Scope, Statement, Version};

use crate::aws::AccountId;
use crate::aws::ecr::{PULL, PUSH};
use crate::inputs::Problem;
use crate::text;

/// What the two statements are called.
const PULLERS: &str = "PullImages";
const PUSHERS: &str = "PushImages";

/// Who is wanted; of whom nobody says anything, they are left as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) pullers: Option<BTreeSet<Principal>>,
    pub(super) pushers: Option<BTreeSet<Principal>>,
}

/// Somebody at AWS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Principal {
    /// Whom an account allows to.
    Account(String),
    /// A role or a user, by its ARN.
    Arn(String),
}

/// What a repository's policy says, as far as it is known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct InForce {
    pullers: BTreeSet<Principal>,
    pushers: BTreeSet<Principal>,
    /// How many statements are none of the two.
    others: usize,
    /// Whether the text is no policy that is known here.
    strange: bool,
}

impl Principal {
    /// Reads an account's id, or the ARN of an account's root, a role or a user. There is none for everyone: a repository that
    /// everyone may pull from, or push to, is most likely a mistake.
    pub(super) fn read(text: &str) -> Option<Self> {
        if let Ok(account) = text.parse::<AccountId>() {
            return Some(Self::Account(account.as_str().to_owned()));
        }
        let ["arn", _, "iam", "", account, resource] = text.splitn(6, ':').collect::<Vec<_>>()[..] else { return None };
        let account = account.parse::<AccountId>().ok()?;
        if resource == "root" {
            return Some(Self::Account(account.as_str().to_owned()));
        }
        let name = resource.strip_prefix("role/").or_else(|| resource.strip_prefix("user/"))?;
        let known = |c: char| c.is_ascii_alphanumeric() || "_+=,.@/-".contains(c);
        (!name.is_empty() && name.chars().all(known)).then(|| Self::Arn(text.to_owned()))
    }

    /// All of a list.
    ///
    /// # Errors
    /// Those that are not known.
    pub(super) fn all(input: &'static str, names: &[String]) -> Result<BTreeSet<Self>, Vec<Problem>> {
        let expected = "the id of an account, or the ARN of a role or a user, is expected";
        let (mut known, mut problems) = (BTreeSet::new(), Vec::new());
        for name in names {
            match Self::read(name) {
                Some(principal) => drop(known.insert(principal)),
                None => problems.push(Problem { input, value: name.clone(), expected: expected.to_owned() }),
            }
        }
        if problems.is_empty() { Ok(known) } else { Err(problems) }
    }
}

impl Access {
    /// Whether anything is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        self.pullers.is_some() || self.pushers.is_some()
    }

    /// What the policy is to say, given what it says.
    pub(super) fn over(&self, now: &InForce) -> InForce {
        InForce {
            pullers: self.pullers.clone().unwrap_or_else(|| now.pullers.clone()),
            pushers: self.pushers.clone().unwrap_or_else(|| now.pushers.clone()),
            others: 0,
            strange: false,
        }
    }
}

impl InForce {
    /// Reads the policy of a repository.
    pub(super) fn read(text: Option<&str>) -> Self {
        let mut known = Self::default();
        let Some(text) = text else { return known };
        let Ok(document) = Document::parse(text) else { return Self { strange: true, ..known } };
        for statement in &document.statements {
            let of = |sid, actions| principals(statement, sid, actions);
            if let Some(all) = of(PULLERS, &PULL).filter(|_| known.pullers.is_empty()) {
                known.pullers = all;
            } else if let Some(all) = of(PUSHERS, &PUSH).filter(|_| known.pushers.is_empty()) {
                known.pushers = all;
            } else {
                known.others += 1;
            }
        }
        known
    }

    /// Whether it has statements that are not written by what is wanted here. Such a policy is left alone: what is not understood
    /// is neither taken away, for it may forbid something, nor kept and called wanted.
    pub(super) fn is_of_others(&self) -> bool {
        self.others > 0 || self.strange
    }

    /// The policy's text; none where nobody may do anything by it.
    pub(super) fn written(&self) -> Option<String> {
        let statement = |sid: &str, actions: &[&str], all: &BTreeSet<Principal>| {
            (!all.is_empty()).then(|| Statement {
                sid: Some(sid.to_owned()),
                effect: Effect::Allow,
                principals: Some(Scope::Only(Principals::Named(NamedPrincipals {
                    aws: all.iter().map(|one| one.name().to_owned()).collect(),
                    ..NamedPrincipals::default()
                }))),
                actions: Scope::Only(actions.iter().map(|action| format!("ecr:{action}")).collect()),
                resources: None,
                conditions: Vec::new(),
            })
        };
        let statements = [statement(PULLERS, &PULL, &self.pullers), statement(PUSHERS, &PUSH, &self.pushers)];
        let statements: Vec<_> = statements.into_iter().flatten().collect();
        (!statements.is_empty()).then(|| Document { version: Version::V2012, id: None, statements }.to_json())
    }
}

/// Whom a statement of ours allows: one that is called so and says nothing else.
fn principals(statement: &Statement, sid: &str, actions: &[&str]) -> Option<BTreeSet<Principal>> {
    let Statement { sid: name, effect: Effect::Allow, principals, actions: Scope::Only(allowed), resources: None, conditions } =
        statement
    else {
        return None;
    };
    let Some(Scope::Only(Principals::Named(NamedPrincipals { federated, aws, service, canonical_user }))) = principals else {
        return None;
    };
    let others = [federated, service, canonical_user].into_iter().any(|names| !names.is_empty());
    let expected: BTreeSet<String> = actions.iter().map(|action| format!("ecr:{action}")).collect();
    let same = allowed.iter().cloned().collect::<BTreeSet<_>>() == expected;
    if name.as_deref() != Some(sid) || others || !conditions.is_empty() || !same {
        return None;
    }
    aws.iter().map(|name| Principal::read(name)).collect()
}

impl Principal {
    fn name(&self) -> &str {
        match self {
            Self::Account(name) | Self::Arn(name) => name,
        }
    }
}

impl fmt::Display for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.strange {
            return f.write_str("a policy that is not known here");
        }
        let names = |all: &BTreeSet<Principal>| {
            let names: Vec<_> = all.iter().map(|one| text::words(one.name()).to_string()).collect();
            if names.is_empty() { "nobody".to_owned() } else { text::list(&names) }
        };
        write!(f, "{} may pull, {} may push", names(&self.pullers), names(&self.pushers))?;
        match self.others {
            0 => Ok(()),
            1 => f.write_str(", and another statement of the policy says more"),
            others => write!(f, ", and {others} other statements of the policy say more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/team/deploy";

    fn all(names: &[&str]) -> BTreeSet<Principal> {
        names.iter().map(|name| Principal::read(name).unwrap()).collect()
    }

    #[test]
    fn an_account_is_the_same_by_its_id_and_by_its_root_and_everyone_is_nobody_that_is_wanted() {
        assert_eq!(Principal::read("111122223333"), Principal::read("arn:aws:iam::111122223333:root"));
        assert!(Principal::read(ROLE).is_some() && Principal::read("arn:aws:iam::111122223333:user/a").is_some());
        for other in [
            "*",
            "",
            "1111",
            "arn:aws:iam::111122223333:*",
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:iam::*:root",
            "arn:aws:sts::111122223333:assumed-role/a/b",
            "arn:aws:iam::111122223333:role/",
            "lambda.amazonaws.com",
        ] {
            assert_eq!(Principal::read(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same_also_as_aws_keeps_it() {
        let access = Access { pullers: Some(all(&["111122223333", ROLE])), pushers: Some(all(&[ROLE])) };
        let wanted = access.over(&InForce::default());
        let text = wanted.written().unwrap();
        assert_eq!(InForce::read(Some(&text)), wanted);
        assert_eq!(InForce::read(Some(&text.replace("\"111122223333\"", "\"arn:aws:iam::111122223333:root\""))), wanted);
        assert_eq!(InForce::default().written(), None);
        // Of whom nothing is said stay.
        let pullers = Access { pullers: Some(BTreeSet::new()), pushers: None }.over(&wanted);
        assert_eq!((pullers.pullers.len(), pullers.pushers), (0, all(&[ROLE])));
    }

    #[test]
    fn a_statement_that_says_anything_else_is_anothers() {
        let pull = r#""ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer""#;
        let of = |statement: &str| InForce::read(Some(&format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#)));
        let ours = format!(r#"{{"Sid":"PullImages","Effect":"Allow","Principal":{{"AWS":"{ROLE}"}},"Action":[{pull}]}}"#);
        assert!(!of(&ours).is_of_others());
        for (from, to) in [
            ("PullImages", "Pull"),
            ("Allow", "Deny"),
            ("\"ecr:BatchGetImage\"", "\"ecr:BatchGetImage\",\"ecr:PutImage\""),
            ("\"ecr:BatchGetImage\"", "\"ecr:*\""),
            (r#"{"AWS":"#, r#"{"Service":"lambda.amazonaws.com","AWS":"#),
            (&format!(r#"{{"AWS":"{ROLE}"}}"#), "\"*\""),
            (ROLE, "*"),
            // A role that is no more, as AWS shows it.
            (ROLE, "AROAEXAMPLE"),
            ("}", r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}"#),
        ] {
            let at = ours.rfind(from).unwrap();
            let changed = format!("{}{to}{}", &ours[..at], &ours[at + from.len()..]);
            assert!(of(&changed).is_of_others(), "{changed}");
        }
        assert!(of(&format!("{ours},{ours}")).is_of_others());
        assert!(InForce::read(Some("{}")).is_of_others());
    }
}
