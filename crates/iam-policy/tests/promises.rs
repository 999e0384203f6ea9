//! What the crate promises of any policy.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use iam_policy::trust::{Caller, MismatchReason, compare};
use iam_policy::{Claims, Condition, Document, Effect, NamedPrincipals, Principals, RoleArn, Scope, Statement, Version};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

const HOST: &str = "token.actions.githubusercontent.com";

fn role() -> RoleArn {
    "arn:aws:iam::012345678901:role/deliver".parse().unwrap()
}

fn claims() -> Claims {
    let issuer = format!("https://{HOST}");
    [("iss", &*issuer), ("aud", "sts.amazonaws.com"), ("sub", "repo:acme/app:ref:refs/heads/main"), ("ref", "refs/heads/main")]
        .into_iter()
        .collect()
}

fn scope<T: std::fmt::Debug>(inner: impl Strategy<Value = T>) -> impl Strategy<Value = Scope<T>> {
    (inner, any::<bool>()).prop_map(|(inner, only)| if only { Scope::Only(inner) } else { Scope::AllBut(inner) })
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(any::<String>(), 0..3)
}

fn principals() -> impl Strategy<Value = Principals> {
    let named = (texts(), texts(), texts(), texts());
    prop_oneof![
        Just(Principals::Everyone),
        named.prop_map(|(federated, aws, service, canonical_user)| {
            Principals::Named(NamedPrincipals { federated, aws, service, canonical_user })
        }),
    ]
}

/// Conditions in the order of a document: all keys of an operator together.
fn conditions(
    operator: impl Strategy<Value = String>,
    key: impl Strategy<Value = String>,
    values: impl Strategy<Value = Vec<String>>,
) -> impl Strategy<Value = Vec<Condition>> {
    btree_map(operator, btree_map(key, values, 1..3), 0..3).prop_map(|operators| {
        let under = |(operator, keys): (String, std::collections::BTreeMap<String, Vec<String>>)| {
            keys.into_iter().map(move |(key, values)| Condition { operator: operator.clone(), key, values })
        };
        operators.into_iter().flat_map(under).collect()
    })
}

/// Any document that the grammar has.
fn document() -> impl Strategy<Value = Document> {
    let effect = prop_oneof![Just(Effect::Allow), Just(Effect::Deny)];
    let version = prop_oneof![Just(Version::V2008), Just(Version::V2012)];
    let statement = (
        option::of(any::<String>()),
        effect,
        option::of(scope(principals())),
        scope(texts()),
        option::of(scope(texts())),
        conditions(any::<String>(), any::<String>(), texts()),
    );
    let statement = statement.prop_map(|(sid, effect, principals, actions, resources, conditions)| Statement {
        sid,
        effect,
        principals,
        actions,
        resources,
        conditions,
    });
    let document = (version, option::of(any::<String>()), vec(statement, 0..3));
    document.prop_map(|(version, id, statements)| Document { version, id, statements })
}

/// A statement of a trust policy that may or may not be about the token of [`claims`]. None of its conditions has values that
/// can't be evaluated.
fn trust_statement(effect: Effect) -> impl Strategy<Value = Statement> {
    let principals = prop_oneof![
        Just(Principals::Everyone),
        Just(Principals::federated(format!("arn:aws:iam::012345678901:oidc-provider/{HOST}"))),
        Just(Principals::federated("arn:aws:iam::012345678901:oidc-provider/gitlab.com".to_owned())),
    ];
    let action = prop_oneof![Just("*"), Just("sts:AssumeRole"), Just("sts:AssumeRoleWithWebIdentity"), Just("sts:Assume*")];
    let operator = prop_oneof![
        Just("StringEquals"),
        Just("StringNotEquals"),
        Just("StringLike"),
        Just("StringNotLike"),
        Just("ForAllValues:StringLike"),
        Just("StringEqualsIfExists"),
    ];
    let key = prop_oneof![Just("sub"), Just("aud"), Just("ref"), Just("environment"), Just("event_name")];
    let value = prop_oneof![
        Just("*"),
        Just("sts.amazonaws.com"),
        Just("repo:acme/*"),
        Just("repo:acme/app:ref:refs/heads/main"),
        Just("refs/heads/main"),
        Just("x"),
    ];
    let conditions = conditions(
        operator.prop_map(str::to_owned),
        key.prop_map(|claim| format!("{HOST}:{claim}")),
        vec(value.prop_map(str::to_owned), 1..3),
    );
    (scope(principals), scope(vec(action.prop_map(str::to_owned), 1..3)), conditions).prop_map(
        move |(principals, actions, conditions)| Statement {
            sid: None,
            effect,
            principals: Some(principals),
            actions,
            resources: None,
            conditions,
        },
    )
}

fn trust_document(statements: Vec<Statement>) -> Document {
    Document { version: Version::V2012, id: None, statements }
}

fn trust_policy() -> impl Strategy<Value = Document> {
    let statement = prop_oneof![trust_statement(Effect::Allow), trust_statement(Effect::Deny)];
    vec(statement, 0..4).prop_map(trust_document)
}

fn inserted(mut document: Document, at: prop::sample::Index, statement: Statement) -> Document {
    document.statements.insert(at.index(document.statements.len() + 1), statement);
    document
}

/// A statement that denies the token of [`claims`].
fn explicit_deny() -> impl Strategy<Value = Statement> {
    let principals = prop_oneof![
        Just(Principals::Everyone),
        Just(Principals::federated(format!("arn:aws:iam::012345678901:oidc-provider/{HOST}"))),
    ];
    let actions = prop_oneof![
        Just(Scope::Only("sts:*")),
        Just(Scope::Only("STS:assumerolewithwebidentity")),
        Just(Scope::AllBut("iam:*")),
    ];
    let condition = prop_oneof![
        Just(("StringEquals", "sub", "repo:acme/app:ref:refs/heads/main")),
        Just(("StringLike", "SUB", "repo:acme/*")),
        Just(("StringNotEquals", "aud", "sts.amazonaws.com.cn")),
        Just(("StringNotLike", "ref", "refs/tags/*")),
        Just(("StringEqualsIfExists", "environment", "prod")),
        Just(("Null", "environment", "true")),
    ];
    (principals, actions, vec(condition, 0..3)).prop_map(|(principals, actions, conditions)| {
        let condition = |(operator, claim, value): (&str, &str, &str)| Condition {
            operator: operator.to_owned(),
            key: format!("{HOST}:{claim}"),
            values: vec![value.to_owned()],
        };
        Statement {
            sid: None,
            effect: Effect::Deny,
            principals: Some(Scope::Only(principals)),
            actions: match actions {
                Scope::Only(action) => Scope::Only(vec![action.to_owned()]),
                Scope::AllBut(action) => Scope::AllBut(vec![action.to_owned()]),
            },
            resources: None,
            conditions: conditions.into_iter().map(condition).collect(),
        }
    })
}

proptest! {
    #[test]
    fn a_document_that_is_written_reads_back_equal(document in document()) {
        let json = document.to_json();
        prop_assume!(json.len() <= Document::MAX_BYTES);
        prop_assert_eq!(Document::parse(&json), Ok(document));
    }

    #[test]
    fn an_explicit_deny_always_wins(
        policy in trust_policy(),
        deny in explicit_deny(),
        at in any::<prop::sample::Index>(),
    ) {
        let differences = compare(&inserted(policy, at, deny), &claims(), &role());
        prop_assert_eq!(differences.first().map(|difference| &difference.reason), Some(&MismatchReason::ExplicitDeny));
    }

    #[test]
    fn one_statement_that_allows_is_enough_among_others_that_do_not(
        others in vec(trust_statement(Effect::Allow), 0..4),
        at in any::<prop::sample::Index>(),
    ) {
        let accepting = Caller::of(&claims(), &role()).unwrap().trust_policy().statements.remove(0);
        let policy = inserted(trust_document(others), at, accepting);
        prop_assert_eq!(compare(&policy, &claims(), &role()), []);
    }

    #[test]
    fn a_statement_that_denies_never_gives_anything(
        policy in trust_policy(),
        deny in trust_statement(Effect::Deny),
        at in any::<prop::sample::Index>(),
    ) {
        if !compare(&policy, &claims(), &role()).is_empty() {
            prop_assert_ne!(compare(&inserted(policy, at, deny), &claims(), &role()), []);
        }
    }
}
