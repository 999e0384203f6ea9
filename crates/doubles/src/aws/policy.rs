//! Identity policies: what a role may do.

use serde_json::{Value, json};

use super::wildcard::matches;

/// A policy of a role, or of a session.
#[derive(Clone, Debug)]
pub struct Policy(Vec<Statement>);

#[derive(Clone, Debug)]
struct Statement {
    allows: bool,
    actions: Vec<String>,
    resources: Vec<String>,
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
            Some(Statement { allows, actions: texts(statement.get("Action")?), resources: texts(statement.get("Resource")?) })
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
            statement.actions.iter().any(|one| matches(&one.to_lowercase(), &action))
                && statement.resources.iter().any(|one| matches(one, resource))
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
