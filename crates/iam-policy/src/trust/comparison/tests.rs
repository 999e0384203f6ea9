use super::*;

const HOST: &str = "token.actions.githubusercontent.com";
const MAIN: &str = "repo:octo-org/octo-repo:ref:refs/heads/main";

fn role() -> RoleArn {
    "arn:aws:iam::012345678901:role/deliver".parse().unwrap()
}

fn claims(extra: &[(&str, &str)]) -> Claims {
    let pairs = [
        ("iss", "https://token.actions.githubusercontent.com"),
        ("aud", "sts.amazonaws.com"),
        ("sub", MAIN),
        ("repository", "octo-org/octo-repo"),
        ("event_name", "push"),
    ];
    pairs.iter().chain(extra).copied().collect()
}

/// A statement that accepts the caller under a condition, with elements replaced by others of the same name.
fn statement(replaced: &[(&str, &str)], condition: &str) -> String {
    let provider = format!(r#"{{"Federated": "arn:aws:iam::012345678901:oidc-provider/{HOST}"}}"#);
    let defaults = [("Effect", r#""Allow""#), ("Principal", provider.as_str()), ("Action", r#""sts:AssumeRoleWithWebIdentity""#)];
    let elements =
        defaults.iter().filter(|(name, _)| !replaced.iter().any(|(other, _)| other.trim_start_matches("Not") == *name));
    let elements: Vec<_> = elements.chain(replaced).map(|(name, value)| format!("\"{name}\": {value}")).collect();
    let condition = condition.replace("HOST", HOST).replace("MAIN", MAIN);
    format!("{{{}, \"Condition\": {{{condition}}}}}", elements.join(", "))
}

fn differences(statements: &[String], claims: &Claims) -> Vec<Difference> {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, statements.join(", "));
    compare(&Document::parse(&text).unwrap(), claims, &role())
}

fn reason(statements: &[String]) -> Vec<MismatchReason> {
    differences(statements, &claims(&[])).into_iter().map(|difference| difference.reason).collect()
}

const EXACT: &str = r#""StringEquals": {"HOST:aud": "sts.amazonaws.com", "HOST:sub": "MAIN"}"#;

#[test]
fn keys_and_actions_are_compared_whatever_their_letter_case() {
    for action in [r#""STS:assumerolewithwebidentity""#, r#"["sts:TagSession", "sts:AssumeRole*"]"#, r#""*""#] {
        let condition = r#""StringLike": {"TOKEN.actions.githubusercontent.com:SUB": "repo:octo-org/octo-repo:*"}"#;
        assert_eq!(reason(&[statement(&[("Action", action)], condition)]), [], "{action}");
    }
}

#[test]
fn a_difference_has_all_its_values_and_the_nearest_first() {
    let condition = r#""StringEquals": {"HOST:sub": ["repo:octo-org/another:*", "repo:Octo-Org/octo-repo:ref:refs/heads/main"]}"#;
    let expected = Difference {
        statement: Some(Label { sid: Some("Main".to_owned()), number: 1, effect: Effect::Allow }),
        element: Element::Condition { operator: "StringEquals".to_owned(), key: format!("{HOST}:sub") },
        expected: vec!["repo:Octo-Org/octo-repo:ref:refs/heads/main".to_owned(), "repo:octo-org/another:*".to_owned()],
        actual: Some(MAIN.to_owned()),
        reason: MismatchReason::OnlyLetterCase { position: 5 },
    };
    assert_eq!(differences(&[statement(&[("Sid", r#""Main""#)], condition)], &claims(&[])), [expected]);
}

#[test]
fn each_element_that_does_not_fit_is_a_difference() {
    for (element, value, nearness_of_it) in [
        ("Action", r#""sts:AssumeRole""#, MismatchReason::ActionMissing),
        ("NotAction", r#""sts:*""#, MismatchReason::ActionMissing),
        ("Principal", r#"{"Federated": "arn:aws:iam::012345678901:oidc-provider/gitlab.com"}"#, MismatchReason::OtherProvider),
        ("Principal", r#"{"AWS": "arn:aws:iam::012345678901:root"}"#, MismatchReason::NotFederated),
        ("Principal", r#""*""#, MismatchReason::WildcardPrincipal),
        ("Principal", r#"{"AWS": "*"}"#, MismatchReason::WildcardPrincipal),
        ("NotPrincipal", r#""*""#, MismatchReason::NotPrincipal),
        (
            "Principal",
            r#"{"Federated": ["x", "arn:aws:iam::999999999999:oidc-provider/token.actions.githubusercontent.com"]}"#,
            MismatchReason::ProviderOfAnotherAccount,
        ),
    ] {
        assert_eq!(reason(&[statement(&[(element, value)], EXACT)]), [nearness_of_it], "{element}: {value}");
    }
    let without_principal = statement(&[], EXACT).replace("\"Principal\"", "\"Resource\"").replace("{\"Federated\": ", "");
    assert_eq!(reason(&[without_principal.replacen('}', "", 1)]), [MismatchReason::NoPrincipal]);
    assert_eq!(reason(&[statement(&[("NotAction", r#""iam:*""#)], EXACT)]), []);
}

#[test]
fn each_condition_that_is_not_known_to_hold_is_a_difference() {
    for (condition, nearness_of_it) in [
        (r#""StringEquals": {"HOST:aud": "sts.amazonaws.com.cn"}"#, MismatchReason::AudienceDiffers),
        (r#""StringEquals": {"HOST:sub": "repo:octo-org/*"}"#, MismatchReason::WildcardUnderStringEquals),
        (r#""StringNotEquals": {"HOST:sub": "MAIN"}"#, MismatchReason::Excluded),
        (r#""StringNotLike": {"HOST:sub": "*:main"}, "Null": {"HOST:sub": "true"}"#, MismatchReason::Excluded),
        (r#""StringEquals": {"HOST:environment": "prod"}"#, MismatchReason::MissingClaim),
        (r#""Null": {"HOST:environment": false}"#, MismatchReason::MissingClaim),
        (r#""StringEquals": {"HOST:event_name": "push"}"#, MismatchReason::ClaimNotPassed),
        (r#""StringNotEquals": {"HOST:event_name": "push"}"#, MismatchReason::ClaimNotPassed),
        (r#""StringEquals": {"HOST/octo-enterprise:sub": "MAIN"}"#, MismatchReason::KeyOfAnotherProvider),
        (r#""StringEquals": {"sub": "MAIN"}"#, MismatchReason::KeyOfAnotherProvider),
        (r#""StringLike": {"sts:RoleSessionName": "*"}"#, MismatchReason::KeyOfRequest),
        (r#""StringNotEquals": {"AWS:SourceVpc": "x"}"#, MismatchReason::KeyOfRequest),
        (r#""ArnLike": {"HOST:sub": "MAIN"}"#, MismatchReason::UnknownOperator),
        (r#""StringLike": {"HOST:sub": "repo:${aws:username}:*"}"#, MismatchReason::PolicyVariable),
        (r#""StringEquals": {"HOST:repository": "octo-org/other"}"#, MismatchReason::OtherRepository),
        (r#""StringEquals": {"HOST:sub": []}"#, MismatchReason::Other),
    ] {
        assert_eq!(reason(&[statement(&[], condition)])[0], nearness_of_it, "{condition}");
    }
}

#[test]
fn what_is_absent_meets_what_is_optional_or_negated() {
    for condition in [
        r#""StringEqualsIfExists": {"HOST:environment": "prod"}"#,
        r#""StringNotEquals": {"HOST:event_name": "pull_request"}"#,
        r#""StringNotLike": {"gitlab.com:sub": "*"}"#,
        r#""Null": {"HOST:environment": "true"}"#,
    ] {
        assert_eq!(reason(&[statement(&[], &format!("{EXACT}, {condition}"))]), [], "{condition}");
    }
}

#[test]
fn an_enterprise_servers_claims_are_not_passed_on() {
    let issuer = [("iss", "https://ghes.example/_services/token"), ("repository", "octo-org/octo-repo")];
    let statement = statement(&[], r#""StringEquals": {"HOST:repository": "octo-org/octo-repo"}"#);
    let found = differences(&[statement.replace(HOST, "ghes.example/_services/token")], &claims(&issuer));
    assert_eq!(found.into_iter().map(|difference| difference.reason).collect::<Vec<_>>(), [MismatchReason::ClaimNotPassed]);
}

#[test]
fn one_statement_that_allows_is_enough_and_one_that_denies_is_too_much() {
    let allow = statement(&[], EXACT);
    let other = statement(&[], r#""StringEquals": {"HOST:sub": "x"}"#);
    assert_eq!(reason(&[other.clone(), allow.clone()]), []);

    let deny = |condition: &str| statement(&[("Effect", r#""Deny""#), ("Principal", r#""*""#), ("Action", r#""*""#)], condition);
    assert_eq!(
        reason(&[allow.clone(), deny(r#""StringLike": {"HOST:sub": "repo:octo-org/*"}"#)]),
        [MismatchReason::ExplicitDeny]
    );
    assert_eq!(reason(&[allow.clone(), deny("")]), [MismatchReason::ExplicitDeny]);
    assert_eq!(reason(&[allow.clone(), deny(r#""StringNotLike": {"HOST:sub": "repo:octo-org/*"}"#)]), []);
    assert_eq!(
        reason(&[allow.clone(), deny(r#""IpAddress": {"aws:SourceIp": "10.0.0.0/8"}"#)]),
        [MismatchReason::UnknownOperator]
    );
    assert_eq!(reason(&[other, deny("")]), [MismatchReason::ExplicitDeny, MismatchReason::Other]);

    let denied = differences(&[allow, deny(r#""StringLike": {"HOST:sub": "repo:octo-org/*"}"#)], &claims(&[]));
    let statement = denied[0].statement.as_ref().unwrap();
    assert_eq!((statement.number, statement.effect, denied[0].actual.as_deref()), (2, Effect::Deny, Some(MAIN)));
    assert_eq!(denied[0].element, Element::Condition { operator: "StringLike".to_owned(), key: format!("{HOST}:sub") });
}

#[test]
fn the_nearest_statement_is_first_and_strangers_are_left_out() {
    let ec2 = statement(&[("Principal", r#"{"Service": "ec2.amazonaws.com"}"#), ("Action", r#""sts:AssumeRole""#)], "");
    let far = statement(&[], r#""StringEquals": {"HOST:sub": "repo:octo-org/other:ref:refs/heads/main"}"#);
    let near = statement(&[], r#""StringEquals": {"HOST:sub": "repo:Octo-org/octo-repo:ref:refs/heads/main"}"#);
    let found = differences(&[ec2.clone(), far, near], &claims(&[]));
    assert_eq!(found.iter().map(|difference| difference.statement.as_ref().unwrap().number).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(reason(&[ec2]), [MismatchReason::NotFederated, MismatchReason::ActionMissing]);
}

#[test]
fn a_document_that_allows_nothing_is_a_difference() {
    assert_eq!(reason(&[]), [MismatchReason::NothingAllowed]);
    let deny = statement(&[("Effect", r#""Deny""#)], r#""StringEquals": {"HOST:sub": "x"}"#);
    assert_eq!(reason(&[deny]), [MismatchReason::NothingAllowed]);
}

#[test]
fn a_token_without_claims_is_accepted_by_none() {
    assert_ne!(differences(&[statement(&[], EXACT)], &Claims::default()), []);
}
