//! Identity policies: what a role may do.

use serde_json::{Value, json};

use super::wildcard::matches;

/// A policy of a role, or of a session.
#[derive(Clone, Debug)]
pub struct Policy(Vec<Statement>);

#[derive(Clone, Debug)]
struct Statement {
    allows: bool,
    actions: Named,
    resources: Named,
}

/// What an element names, or, with `Not` before its name, what it does not.
#[derive(Clone, Debug)]
struct Named {
    all_but: bool,
    patterns: Vec<String>,
}

impl Named {
    fn read(statement: &Value, element: &str) -> Option<Self> {
        let (value, all_but) = match (statement.get(element), statement.get(format!("Not{element}"))) {
            (Some(value), None) => (value, false),
            (None, Some(value)) => (value, true),
            _ => return None,
        };
        Some(Self { all_but, patterns: texts(value) })
    }

    fn has(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern)) != self.all_but
    }
}

/// What a policy says of an action on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    /// Nothing allows it.
    NotAllowed,
    /// Something denies it.
    Denied,
}

impl Policy {
    /// Reads a policy; absent where it is none.
    pub fn read(document: &Value) -> Option<Self> {
        let statements = match document.get("Statement")? {
            Value::Array(statements) => statements.clone(),
            one => vec![one.clone()],
        };
        let read = |statement: &Value| {
            let allows = match statement.get("Effect")?.as_str()? {
                "Allow" => true,
                "Deny" => false,
                _ => return None,
            };
            let [actions, resources] = ["Action", "Resource"].map(|element| Named::read(statement, element));
            Some(Statement { allows, actions: actions?, resources: resources? })
        };
        statements.iter().map(read).collect::<Option<Vec<_>>>().map(Self)
    }

    /// The policy that allows calls of ECR on one repository; `GetAuthorizationToken` knows no repository.
    pub fn of_ecr(actions: &[String], repository: &str) -> Self {
        let on = |resource: &str, wanted: &dyn Fn(&str) -> bool| {
            let actions: Vec<&String> = actions.iter().filter(|action| wanted(action)).collect();
            json!({"Effect": "Allow", "Action": actions, "Resource": resource})
        };
        let anywhere = |action: &str| action == "ecr:GetAuthorizationToken";
        let statements = [on("*", &anywhere), on(repository, &|action| !anywhere(action))];
        Self::read(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
    }

    /// What it says.
    pub fn decision(&self, action: &str, resource: &str) -> Decision {
        let concerned = |statement: &&Statement| {
            let action = action.to_lowercase();
            statement.actions.has(|one| matches(&one.to_lowercase(), &action))
                && statement.resources.has(|one| matches(one, resource))
        };
        let mut decision = Decision::NotAllowed;
        for statement in self.0.iter().filter(concerned) {
            if !statement.allows {
                return Decision::Denied;
            }
            decision = Decision::Allowed;
        }
        decision
    }
}

/// A text, or a list of texts.
pub fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
