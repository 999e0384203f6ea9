//! AWS's messages about what someone may not do (IAM User Guide, "Troubleshoot access denied error messages").

/// The most characters of a message that are read.
const MAX_MESSAGE: usize = 8192;
/// The most characters of a name in it: the longest ARN has fewer.
const MAX_NAME: usize = 2048;

/// A permission that AWS says is missing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The ARN of who asked. Absent where AWS does not know it yet, as with a token that it does not accept.
    pub principal: Option<String>,
    /// The action that is not allowed: `ecr:PutImage`.
    pub action: String,
    /// The ARN of what it was to be done to. Absent for actions that have no resource.
    pub resource: Option<String>,
    /// Why it is not allowed.
    pub reason: DenialReason,
}

/// Why AWS does not allow an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenialReason {
    /// It does not say.
    NotSaid,
    /// No policy of this kind allows it: an implicit denial.
    NotAllowed(PolicyKind),
    /// A policy of this kind denies it: an explicit denial.
    Denied {
        /// The kind.
        by: PolicyKind,
        /// The policy's ARN, which newer messages have.
        arn: Option<String>,
    },
}

/// The kinds of policies that AWS names in its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// Attached to the role or user.
    Identity,
    /// Attached to a resource, such as a repository.
    Resource,
    /// Attached to a role: who may assume it.
    RoleTrust,
    /// Given when the session began.
    Session,
    /// The permissions boundary of the role or user.
    PermissionsBoundary,
    /// The organization's, for the principals of its accounts.
    ServiceControl,
    /// The organization's, for the resources of its accounts.
    ResourceControl,
    /// Attached to the VPC endpoint that the request came through.
    VpcEndpoint,
    /// A kind that is not known here.
    Other,
}

impl Denial {
    /// Reads AWS's message; none where it is about something else. Names that are not plain ASCII or are too long for one are
    /// not taken, so what comes out can be shown.
    #[must_use]
    pub fn parse(message: &str) -> Option<Self> {
        // "User: … is not authorized", and "Not authorized" where there is no user.
        let message: String = message.chars().take(MAX_MESSAGE).map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        let (before, after) = message.split_once("ot authorized to perform")?;
        let (action, rest) = next_name(after.trim_start_matches(':'))?;
        let rest = rest.trim_start();
        let (resource, rest) = match rest.strip_prefix("on resource:") {
            Some(rest) => next_name(rest).map_or((None, rest), |(resource, rest)| (Some(resource), rest)),
            None => (None, rest),
        };
        let principal =
            before.split_once("User:").and_then(|(_, principal)| next_name(principal)).map(|(principal, _)| principal);
        action.contains(':').then(|| Self { principal, action, resource, reason: DenialReason::parse(rest) })
    }
}

impl DenialReason {
    fn parse(text: &str) -> Self {
        if let Some((kind, _)) = text.split_once("because no ").and_then(|(_, rest)| rest.split_once(" allows ")) {
            return Self::NotAllowed(PolicyKind::named(kind));
        }
        let Some((_, kind)) = text.split_once("with an explicit deny in ") else { return Self::NotSaid };
        let (kind, arn) = match kind.split_once(": arn:") {
            Some((kind, rest)) => (kind, next_name(rest).map(|(arn, _)| format!("arn:{}", arn.trim_end_matches('.')))),
            None => (kind, None),
        };
        let kind = kind.trim_start_matches("an ").trim_start_matches("a ").trim_start_matches("the ");
        Self::Denied { by: PolicyKind::named(kind), arn }
    }
}

impl PolicyKind {
    /// The kind that a text begins with.
    fn named(text: &str) -> Self {
        [
            ("identity-based policy", Self::Identity),
            ("resource-based policy", Self::Resource),
            ("role trust policy", Self::RoleTrust),
            ("session policy", Self::Session),
            // So it is in AWS's own example.
            ("sessions policy", Self::Session),
            ("permissions boundary", Self::PermissionsBoundary),
            ("service control policy", Self::ServiceControl),
            ("resource control policy", Self::ResourceControl),
            ("VPC endpoint policy", Self::VpcEndpoint),
        ]
        .into_iter()
        .find(|(name, _)| text.starts_with(name))
        .map_or(Self::Other, |(_, policy)| policy)
    }
}

/// The next word, without quotes around it, and what follows.
fn next_name(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let (name, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
    let name = name.trim_matches(['"', '\'', '`', ',']).trim_end_matches('.');
    let valid = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    valid.then(|| (name.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHO: &str = "arn:aws:sts::012345678901:assumed-role/deliver/run-1";
    const REPOSITORY: &str = "arn:aws:ecr:eu-central-1:012345678901:repository/team/app";

    fn reason(ending: &str) -> DenialReason {
        Denial::parse(&format!("User: {WHO} is not authorized to perform: ecr:PutImage {ending}")).unwrap().reason
    }

    #[test]
    fn a_refusal_names_who_what_and_on_what() {
        let refusal = format!(
            "AccessDeniedException: User: {WHO} is not authorized to perform: ecr:PutImage on resource: {REPOSITORY} because no \
             identity-based policy allows the ecr:PutImage action"
        );
        let expected = Denial {
            principal: Some(WHO.to_owned()),
            action: "ecr:PutImage".to_owned(),
            resource: Some(REPOSITORY.to_owned()),
            reason: DenialReason::NotAllowed(PolicyKind::Identity),
        };
        assert_eq!(Denial::parse(&refusal), Some(expected.clone()));
        assert_eq!(Denial::parse(&refusal.replace(" on resource:", "\non resource:")), Some(expected));
    }

    #[test]
    fn a_token_that_is_not_accepted_has_no_principal_yet() {
        let expected = Denial {
            principal: None,
            action: "sts:AssumeRoleWithWebIdentity".to_owned(),
            resource: None,
            reason: DenialReason::NotSaid,
        };
        assert_eq!(Denial::parse("Not authorized to perform sts:AssumeRoleWithWebIdentity"), Some(expected));
    }

    #[test]
    fn each_kind_of_policy_is_told_from_the_others() {
        for (kind, policy) in [
            ("identity-based policy", PolicyKind::Identity),
            ("resource-based policy", PolicyKind::Resource),
            ("role trust policy", PolicyKind::RoleTrust),
            ("session policy", PolicyKind::Session),
            ("permissions boundary", PolicyKind::PermissionsBoundary),
            ("service control policy", PolicyKind::ServiceControl),
            ("resource control policy", PolicyKind::ResourceControl),
            ("VPC endpoint policy", PolicyKind::VpcEndpoint),
            ("novel policy", PolicyKind::Other),
        ] {
            assert_eq!(reason(&format!("because no {kind} allows the ecr:PutImage action")), DenialReason::NotAllowed(policy));
            for article in ["a", "an", "the"] {
                let denied = |ending: &str| reason(&format!("on resource: * with an explicit deny in {article} {kind}{ending}"));
                assert_eq!(denied(""), DenialReason::Denied { by: policy, arn: None });
                let arn = "arn:aws:organizations::012345678901:policy/o-1/service_control_policy/p-1";
                let expected = DenialReason::Denied { by: policy, arn: Some(arn.to_owned()) };
                assert_eq!(denied(&format!(": {arn}. Encoded authorization failure message: x")), expected);
            }
        }
        assert_eq!(
            reason("with an explicit deny in a sessions policy"),
            DenialReason::Denied { by: PolicyKind::Session, arn: None }
        );
        assert_eq!(reason("on resource: *"), DenialReason::NotSaid);
    }

    #[test]
    fn what_is_no_permission_or_no_plain_name_is_not_taken() {
        for refusal in [
            "",
            "denied: Your authorization token has expired. Reauthenticate and try again.",
            "You are not authorized to perform this operation.",
            "User: x is not authorized to perform: ecr:Put\u{202e}Image on resource: *",
            "User: x is not authorized to perform: ecr:Put\u{1b}[31mImage on resource: *",
        ] {
            assert_eq!(Denial::parse(refusal), None, "{refusal:?}");
        }
        assert_eq!(Denial::parse(&format!("not authorized to perform: ecr:{}", "x".repeat(MAX_NAME))), None);
    }

    proptest! {
        #[test]
        fn names_are_plain_whatever_is_said(text in any::<String>(), marks in "(User: |not authorized to perform|: |ecr:x|on resource: |because no | allows |with an explicit deny in |\u{1b}|é| ){0,16}") {
            for text in [&text, &marks] {
                if let Some(found) = Denial::parse(text) {
                    let names = [Some(found.action), found.principal, found.resource];
                    prop_assert!(names.into_iter().flatten().all(|name| name.bytes().all(|b| b.is_ascii_graphic())));
                }
            }
        }
    }
}
