//! The inputs about Amazon ECR and the identity to use there.

use super::reader::Reader;
use super::{Config, RequestedDestination, Signing};
use crate::aws::pull::PullRegistry;
use crate::aws::{self, AccountId, Partition, RoleArn, Session, ecr};
use crate::inputs::{self, EcrRepository, Region, Role, SessionName, SessionPolicy};
use crate::scan::database::Mirror;
use crate::variables;

/// A repository of Amazon ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ecr {
    /// The registry's address, where it was named.
    pub(crate) host: Option<String>,
    /// The repository's name.
    pub(crate) name: String,
    /// The repository's account; by default that of the credentials.
    pub(crate) account: Option<AccountId>,
    /// Whether it is created if it is not there.
    pub(crate) create: bool,
    /// The identity and region that calls to AWS use.
    pub(crate) identity: aws::Settings,
}

impl Ecr {
    /// The repository, as an identity at AWS asks for it: in the account that is named, else in that of the credentials.
    pub(crate) fn repository(&self, session: Session) -> ecr::Repository {
        let account = self.account.clone().unwrap_or_else(|| session.account.clone());
        ecr::Repository::new(session, account, &self.name)
    }
}

impl<B> Config<B> {
    /// The registry of Amazon ECR at a host (`HOST[:PORT]`): one by its name, or the destination's as it is named. No other host is
    /// shown a password of AWS.
    pub(crate) fn ecr_registry(&self, host: &str) -> Option<PullRegistry> {
        if let Some(registry) = PullRegistry::of(host) {
            return Some(registry);
        }
        let RequestedDestination::Ecr(ecr) = &self.destination else { return None };
        let role = ecr.identity.role.as_ref().map(|role| role.account().clone());
        let (account, region) = (ecr.account.clone().or(role)?, ecr.identity.region.clone()?);
        (ecr.host.as_deref() == Some(host)).then(|| PullRegistry { host: host.to_owned(), account, region })
    }

    /// The repositories of Amazon ECR that databases are fetched from: each by its registry and its name.
    pub(crate) fn ecr_mirrors(&self) -> impl Iterator<Item = (PullRegistry, &str)> {
        let mirrors = self.database_mirrors.iter().chain(&self.java_database_mirrors);
        let repositories = mirrors.filter_map(Mirror::repository);
        repositories.filter_map(|repository| Some((self.ecr_registry(repository.registry())?, repository.name())))
    }
}

impl Reader<'_> {
    /// The repository of Amazon ECR that the inputs name.
    pub(super) fn ecr(&mut self) -> Option<Ecr> {
        if self.inputs.given(&inputs::DESTINATION).is_some() {
            self.problem(&inputs::DESTINATION, "", "ecr-repository is given too, and an image goes to one place");
        }
        let repository = self.get(&inputs::ECR_REPOSITORY).flatten();
        let region = self.region(repository.as_ref());
        let given_account = self.get(&inputs::AWS_ACCOUNT_ID);
        let account = self.account(given_account.clone().flatten(), repository.as_ref());
        let identity = self.identity(given_account.flatten(), account.as_ref(), region);
        let create = self.get(&inputs::CREATE_REPOSITORY);
        let EcrRepository { host, name, .. } = repository?;
        Some(Ecr { host, name, account, create: create?, identity: identity? })
    }

    /// The identity that a key is used by: the one that publishes, where that is one of AWS.
    pub(super) fn aws_identity(&mut self, destination: &RequestedDestination) -> Option<aws::Settings> {
        if let RequestedDestination::Ecr(ecr) = destination {
            return Some(ecr.identity.clone());
        }
        let region = self.region(None).or_else(|| self.get(&inputs::KMS_KEY)?.map(|key| key.region().to_owned()));
        let account = self.get(&inputs::AWS_ACCOUNT_ID)?;
        self.identity(account.clone(), account.as_ref(), region)
    }

    /// The identity that base images and databases are pulled with: the one that publishes or signs, else the role that is named.
    pub(super) fn pulls_as(
        &mut self,
        destination: Option<&RequestedDestination>,
        signing: Option<&Signing>,
    ) -> Option<aws::Settings> {
        match (destination?, signing?) {
            (RequestedDestination::Ecr(ecr), _) => Some(ecr.identity.clone()),
            (_, Signing::Key(key)) => Some(key.identity.clone()),
            (destination, _) => {
                self.inputs.given(&inputs::ROLE_TO_ASSUME)?;
                self.aws_identity(destination)
            }
        }
    }

    /// The identity by the inputs about it; `named` is the account that they name, `account` the one that is meant.
    fn identity(
        &mut self,
        named: Option<AccountId>,
        account: Option<&AccountId>,
        region: Option<String>,
    ) -> Option<aws::Settings> {
        let role = self.role(account, region.as_deref());
        let allowed_accounts = self.allowed_accounts(named, role.as_ref());
        let session_name = self.session_name();
        let duration = self.get(&inputs::ROLE_DURATION_SECONDS);
        let audience = self.get(&inputs::AUDIENCE);
        let session_policy = self.get(&inputs::SESSION_POLICY);
        Some(aws::Settings {
            role,
            region,
            allowed_accounts: allowed_accounts?,
            session_name: session_name?,
            duration_seconds: duration?.0,
            audience: audience?,
            session_policy: session_policy?.map(|SessionPolicy(text)| text),
        })
    }

    /// A role that no repository is named for is most likely half of what was meant.
    pub(super) fn miss_repository(&mut self) {
        let given = |input| self.inputs.given(input);
        let elsewhere = given(&inputs::DESTINATION).is_some() || given(&inputs::PUBLISH) == Some("false");
        if !elsewhere && given(&inputs::ROLE_TO_ASSUME).is_some() {
            let expected = "role-to-assume is given, but no repository for the image";
            self.problem(&inputs::ECR_REPOSITORY, "", expected);
        }
    }

    fn region(&mut self, repository: Option<&EcrRepository>) -> Option<String> {
        let of_host = repository.and_then(|repository| repository.registry.as_ref()).map(|registry| registry.region.clone());
        let Some(Region(given)) = self.get(&inputs::AWS_REGION)? else {
            let variables = [variables::AWS_REGION, variables::AWS_DEFAULT_REGION];
            return of_host.or_else(|| variables.into_iter().find_map(|name| (self.env.variable)(name)));
        };
        if let Some(region) = of_host.filter(|region| *region != given) {
            self.problem(&inputs::AWS_REGION, &*given, format!("ecr-repository names a registry in {region}"));
        }
        Some(given)
    }

    fn account(&mut self, given: Option<AccountId>, repository: Option<&EcrRepository>) -> Option<AccountId> {
        let of_host = repository.and_then(|repository| repository.registry.as_ref()).map(|registry| registry.account.clone());
        if let (Some(given), Some(of_host)) = (&given, &of_host)
            && given != of_host
        {
            self.problem(&inputs::AWS_ACCOUNT_ID, given.as_str(), format!("ecr-repository names a registry of {of_host}"));
        }
        given.or(of_host)
    }

    fn role(&mut self, account: Option<&AccountId>, region: Option<&str>) -> Option<RoleArn> {
        let name = match self.get(&inputs::ROLE_TO_ASSUME)?? {
            Role::Arn(arn) => return Some(arn),
            Role::Name(name) => name,
        };
        let partition = region.map_or(Partition::Aws, Partition::of_region);
        let arn = account.and_then(|account| RoleArn::new(partition, account.clone(), &*name).ok());
        if arn.is_none() {
            self.problem(&inputs::ROLE_TO_ASSUME, name, Role::EXPECTED);
        }
        arn
    }

    /// Without `allowed-account-ids`, only the account of `aws-account-id` is allowed.
    fn allowed_accounts(&mut self, named: Option<AccountId>, role: Option<&RoleArn>) -> Option<Vec<AccountId>> {
        let listed = self.get(&inputs::ALLOWED_ACCOUNT_IDS)?;
        let allowed = if listed.is_empty() { named.into_iter().collect() } else { listed };
        if let Some(role) = role.filter(|role| !allowed.is_empty() && !allowed.contains(role.account())) {
            let allowed: Vec<_> = allowed.iter().map(AccountId::as_str).collect();
            let expected = format!("a role of an account that is allowed is expected: {}", allowed.join(", "));
            self.problem(&inputs::ROLE_TO_ASSUME, role.to_string(), expected);
        }
        Some(allowed)
    }

    /// The name in AWS's logs: it leads from there to the run.
    fn session_name(&mut self) -> Option<String> {
        if let Some(SessionName(given)) = self.get(&inputs::ROLE_SESSION_NAME)? {
            return Some(given);
        }
        let variable = |name| (self.env.variable)(name).unwrap_or_default();
        let repository = variable(variables::GITHUB_REPOSITORY).replace('/', "-");
        let parts = ["gp-deliver", &repository, &variable(variables::GITHUB_RUN_ID)].map(str::to_owned);
        let [program, mut repository, run] =
            parts.map(|part| part.chars().filter(|c| SessionName::may_have(*c)).collect::<String>());
        // The run's id says more than the end of a long name.
        repository.truncate(SessionName::MAX_LENGTH.saturating_sub(program.len() + run.len() + 2));
        let parts = [program, repository, run];
        let name = parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("-");
        Some(name.chars().take(SessionName::MAX_LENGTH).collect())
    }
}
