//! The inputs about Amazon ECR and who we are there.

use super::Ecr;
use super::reader::{Reader, list};
use crate::aws::{self, AccountId, Partition, RegistryHost, RoleArn};
use crate::oci::reference::Repository;

/// For how long credentials may be asked for, in seconds (AWS STS API reference, `AssumeRoleWithWebIdentity`).
const DURATIONS: std::ops::RangeInclusive<i32> = 900..=43_200;
/// The longest name of a session.
const MAX_SESSION_NAME: usize = 64;

/// What `ecr-repository` names.
struct Named {
    host: Option<String>,
    name: String,
    /// What the host says of its registry, where it is one of Amazon ECR's own.
    registry: Option<RegistryHost>,
}

impl Reader<'_> {
    /// The repository of Amazon ECR that the inputs name, if they name one.
    pub(super) fn ecr(&mut self) -> Option<Ecr> {
        let Some(text) = self.inputs.get("ecr-repository") else {
            let elsewhere = self.inputs.get("destination").is_some() || self.inputs.get("publish") == Some("false");
            if !elsewhere && self.inputs.get("role-to-assume").is_some() {
                self.problem(
                    "ecr-repository",
                    "",
                    "role-to-assume is given, and nothing says which repository the image goes to",
                );
            }
            return None;
        };
        if self.inputs.get("destination").is_some() {
            self.problem("destination", "", "ecr-repository is given too, and an image goes to one place");
        }
        let named = self.named(text.trim());
        let region = self.region(&named);
        let account = self.account(&named);
        let role = self.role(account.as_ref(), region.as_deref());
        let allowed_accounts = self.allowed_accounts(role.as_ref());
        Some(Ecr {
            identity: aws::Settings {
                role,
                region,
                allowed_accounts,
                session_name: self.session_name(),
                duration_seconds: self.duration(),
                audience: self.inputs.get("audience").unwrap_or("sts.amazonaws.com").trim().to_owned(),
                session_policy: self.session_policy(),
            },
            create: self.switch("create-repository", false),
            account,
            host: named.host,
            name: named.name,
        })
    }

    fn named(&mut self, text: &str) -> Named {
        let first = text.split('/').next().unwrap_or_default();
        let full = text.contains('/') && (first.contains(['.', ':']) || first == "localhost");
        let whole = if full { text.to_owned() } else { format!("registry.invalid/{text}") };
        match whole.parse::<Repository>() {
            Ok(repository) => {
                let host = full.then(|| repository.registry().to_owned());
                let registry = host.as_deref().and_then(RegistryHost::parse);
                Named { host, name: repository.name().to_owned(), registry }
            }
            Err(error) => {
                let expected =
                    format!("team/app or ACCOUNT.dkr.ecr.REGION.amazonaws.com/team/app is expected ({})", error.reason);
                self.problem("ecr-repository", text, &expected);
                Named { host: None, name: text.to_owned(), registry: None }
            }
        }
    }

    fn region(&mut self, named: &Named) -> Option<String> {
        let of_host = named.registry.as_ref().map(|registry| registry.region.clone());
        let variables = || ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| (self.world.variable)(name));
        let Some(given) = self.inputs.get("aws-region").map(str::trim) else { return of_host.or_else(variables) };
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !given.bytes().all(allowed) || !given.contains('-') {
            self.problem("aws-region", given, "a region such as eu-central-1 is expected");
        } else if let Some(region) = of_host.filter(|region| region != given) {
            self.problem("aws-region", given, &format!("ecr-repository names a registry in {region}"));
        }
        Some(given.to_owned())
    }

    fn account(&mut self, named: &Named) -> Option<AccountId> {
        let of_host = named.registry.as_ref().map(|registry| registry.account.clone());
        let given: Option<AccountId> = match self.inputs.get("aws-account-id") {
            Some(_) => self.parse("aws-account-id", "", TWELVE_DIGITS),
            None => None,
        };
        match (given, of_host) {
            (Some(given), Some(of_host)) if given != of_host => {
                self.problem("aws-account-id", given.as_str(), &format!("ecr-repository names a registry of {of_host}"));
                Some(given)
            }
            (given, of_host) => given.or(of_host),
        }
    }

    fn role(&mut self, account: Option<&AccountId>, region: Option<&str>) -> Option<RoleArn> {
        let text = self.inputs.get("role-to-assume")?.trim();
        if let Ok(arn) = text.parse() {
            return Some(arn);
        }
        let name = text.trim_start_matches('/');
        let partition = region.map_or(Partition::Aws, Partition::of_region);
        let named = |account: &AccountId| RoleArn::new(partition, account.clone(), name).ok();
        match account.filter(|_| !text.starts_with("arn:")).and_then(named) {
            Some(arn) => Some(arn),
            None => {
                let expected = "arn:aws:iam::ACCOUNT:role/NAME is expected, or a role's name together with aws-account-id";
                self.problem_and("role-to-assume", text, expected, None)
            }
        }
    }

    /// Without a list of its own, the account that is named is the one that is allowed.
    fn allowed_accounts(&mut self, role: Option<&RoleArn>) -> Vec<AccountId> {
        let name = if self.inputs.get("allowed-account-ids").is_some() { "allowed-account-ids" } else { "aws-account-id" };
        let mut allowed = Vec::new();
        for text in list(self.inputs.get(name).unwrap_or_default()) {
            match text.parse() {
                Ok(account) => allowed.push(account),
                // The account's own reader has said so.
                Err(_) if name == "aws-account-id" => {}
                Err(_) => self.problem(name, text, &format!("{TWELVE_DIGITS} is expected")),
            }
        }
        if let Some(role) = role.filter(|role| !allowed.is_empty() && !allowed.contains(role.account())) {
            let allowed: Vec<_> = allowed.iter().map(AccountId::as_str).collect();
            let expected = format!("a role of an account that is allowed is expected: {}", allowed.join(", "));
            self.problem("role-to-assume", &role.to_string(), &expected);
        }
        allowed
    }

    /// The name in AWS's logs: it leads from there to the run.
    fn session_name(&mut self) -> String {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if let Some(given) = self.inputs.get("role-session-name").map(str::trim) {
            if !(2..=MAX_SESSION_NAME).contains(&given.len()) || !given.chars().all(allowed) {
                let expected = "2 to 64 letters, digits and _ + = , . @ - are expected";
                self.problem("role-session-name", given, expected);
            }
            return given.to_owned();
        }
        let variable = |name| (self.world.variable)(name).unwrap_or_default();
        let repository = variable("GITHUB_REPOSITORY").replace('/', "-");
        let parts = ["gp-deliver", &repository, &variable("GITHUB_RUN_ID")].map(str::to_owned);
        let [program, mut repository, run] = parts.map(|part| part.chars().filter(|c| allowed(*c)).collect::<String>());
        // The run's id says more than the end of a long name.
        repository.truncate(MAX_SESSION_NAME.saturating_sub(program.len() + run.len() + 2));
        let parts = [program, repository, run];
        let name = parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("-");
        name.chars().take(MAX_SESSION_NAME).collect()
    }

    fn duration(&mut self) -> i32 {
        let expected = "a number of seconds from 900 to 43200";
        let seconds: Option<i32> = self.parse("role-duration-seconds", "3600", expected);
        match seconds {
            Some(seconds) if !DURATIONS.contains(&seconds) => {
                self.problem("role-duration-seconds", &seconds.to_string(), &format!("{expected} is expected"));
                seconds
            }
            seconds => seconds.unwrap_or(3600),
        }
    }

    fn session_policy(&mut self) -> Option<String> {
        let text = self.inputs.get("session-policy")?.trim();
        if let Err(error) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) {
            self.problem("session-policy", "", &format!("the JSON of a policy is expected: {error}"));
        }
        Some(text.to_owned())
    }
}

const TWELVE_DIGITS: &str = "an account id of twelve digits";
