//! The permission that a refusal is about (IAM User Guide, "Troubleshoot access denied error messages").

/// The most characters of a refusal that are read, and of a name in it.
const MAX_REFUSAL: usize = 8192;
const MAX_NAME: usize = 2048;

/// What AWS says that someone may not do, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The ARN of who asked. Absent where AWS does not say it, as with a token that it does not accept.
    pub principal: Option<String>,
    /// What for: `ecr:PutImage`.
    pub action: String,
    /// The ARN of what it was to be done to. Absent where the action is about nothing in particular.
    pub resource: Option<String>,
    /// Why not.
    pub because: Because,
}

/// Why AWS refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// It does not say.
    NotSaid,
    /// No policy of this kind allows it.
    NotAllowed(Policy),
    /// A policy of this kind denies it.
    Denied {
        /// The kind.
        by: Policy,
        /// The policy's ARN, which newer answers have.
        arn: Option<String>,
    },
}

/// The kinds of policies that AWS names in its refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Attached to the role or user.
    Identity,
    /// Attached to what is used, such as a repository.
    Resource,
    /// Attached to a role, about who may take it on.
    RoleTrust,
    /// Given when the session began.
    Session,
    /// The most that the role or user may have.
    PermissionsBoundary,
    /// The organization's, about its accounts' principals.
    ServiceControl,
    /// The organization's, about its accounts' resources.
    ResourceControl,
    /// The network's way out.
    VpcEndpoint,
    /// A kind that is not known here.
    Other,
}

impl Permission {
    /// Finds the permission in AWS's words; none where they are about something else. Names that are not plain ASCII or too
    /// long for one are not taken: they are a stranger's.
    #[must_use]
    pub fn find(refusal: &str) -> Option<Self> {
        // "User: … is not authorized", and "Not authorized" where there is no user.
        let refusal: String = refusal.chars().take(MAX_REFUSAL).map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        let (before, after) = refusal.split_once("ot authorized to perform")?;
        let (action, rest) = next_name(after.trim_start_matches(':'))?;
        let rest = rest.trim_start();
        let (resource, rest) = match rest.strip_prefix("on resource:") {
            Some(rest) => next_name(rest).map_or((None, rest), |(resource, rest)| (Some(resource), rest)),
            None => (None, rest),
        };
        let principal =
            before.split_once("User:").and_then(|(_, principal)| next_name(principal)).map(|(principal, _)| principal);
        action.contains(':').then(|| Self { principal, action, resource, because: Because::find(rest) })
    }
}

impl Because {
    fn find(text: &str) -> Self {
        if let Some((kind, _)) = text.split_once("because no ").and_then(|(_, rest)| rest.split_once(" allows ")) {
            return Self::NotAllowed(Policy::named(kind));
        }
        let Some((_, kind)) = text.split_once("with an explicit deny in ") else { return Self::NotSaid };
        let (kind, arn) = match kind.split_once(": arn:") {
            Some((kind, rest)) => (kind, next_name(rest).map(|(arn, _)| format!("arn:{}", arn.trim_end_matches('.')))),
            None => (kind, None),
        };
        let kind = kind.trim_start_matches("an ").trim_start_matches("a ").trim_start_matches("the ");
        Self::Denied { by: Policy::named(kind), arn }
    }
}

impl Policy {
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

    fn because(ending: &str) -> Because {
        Permission::find(&format!("User: {WHO} is not authorized to perform: ecr:PutImage {ending}")).unwrap().because
    }

    #[test]
    fn a_refusal_names_who_what_and_on_what() {
        let refusal = format!(
            "AccessDeniedException: User: {WHO} is not authorized to perform: ecr:PutImage on resource: {REPOSITORY} because no \
             identity-based policy allows the ecr:PutImage action"
        );
        let expected = Permission {
            principal: Some(WHO.to_owned()),
            action: "ecr:PutImage".to_owned(),
            resource: Some(REPOSITORY.to_owned()),
            because: Because::NotAllowed(Policy::Identity),
        };
        assert_eq!(Permission::find(&refusal), Some(expected.clone()));
        assert_eq!(Permission::find(&refusal.replace(" on resource:", "\non resource:")), Some(expected));
    }

    #[test]
    fn a_token_that_is_not_accepted_has_no_principal_yet() {
        let expected = Permission {
            principal: None,
            action: "sts:AssumeRoleWithWebIdentity".to_owned(),
            resource: None,
            because: Because::NotSaid,
        };
        assert_eq!(Permission::find("Not authorized to perform sts:AssumeRoleWithWebIdentity"), Some(expected));
    }

    #[test]
    fn each_kind_of_policy_is_told_from_the_others() {
        for (kind, policy) in [
            ("identity-based policy", Policy::Identity),
            ("resource-based policy", Policy::Resource),
            ("role trust policy", Policy::RoleTrust),
            ("session policy", Policy::Session),
            ("permissions boundary", Policy::PermissionsBoundary),
            ("service control policy", Policy::ServiceControl),
            ("resource control policy", Policy::ResourceControl),
            ("VPC endpoint policy", Policy::VpcEndpoint),
            ("novel policy", Policy::Other),
        ] {
            assert_eq!(because(&format!("because no {kind} allows the ecr:PutImage action")), Because::NotAllowed(policy));
            for article in ["a", "an", "the"] {
                let denied = |ending: &str| because(&format!("on resource: * with an explicit deny in {article} {kind}{ending}"));
                assert_eq!(denied(""), Because::Denied { by: policy, arn: None });
                let arn = "arn:aws:organizations::012345678901:policy/o-1/service_control_policy/p-1";
                let expected = Because::Denied { by: policy, arn: Some(arn.to_owned()) };
                assert_eq!(denied(&format!(": {arn}. Encoded authorization failure message: x")), expected);
            }
        }
        assert_eq!(because("with an explicit deny in a sessions policy"), Because::Denied { by: Policy::Session, arn: None });
        assert_eq!(because("on resource: *"), Because::NotSaid);
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
            assert_eq!(Permission::find(refusal), None, "{refusal:?}");
        }
        assert_eq!(Permission::find(&format!("not authorized to perform: ecr:{}", "x".repeat(MAX_NAME))), None);
    }

    proptest! {
        #[test]
        fn names_are_plain_whatever_is_said(text in any::<String>(), marks in "(User: |not authorized to perform|: |ecr:x|on resource: |because no | allows |with an explicit deny in |\u{1b}|é| ){0,16}") {
            for text in [&text, &marks] {
                if let Some(found) = Permission::find(text) {
                    let names = [Some(found.action), found.principal, found.resource];
                    prop_assert!(names.into_iter().flatten().all(|name| name.bytes().all(|b| b.is_ascii_graphic())));
                }
            }
        }
    }
}
