//! The environments that are looked at, each by what is asked of it.

use crate::config::{Config, Env};
use crate::diagnosis::Diagnosis;
use crate::environment::Environment;
use crate::error::Error;
use crate::inputs::{self, Inputs, Own};
use crate::verify;

use super::images::OF_SIGNERS;
use super::judged::Watched;

/// What the command line asks besides the inputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// Who may have signed, and by what of them that is known; the image is filled in for each.
    pub(crate) verified: verify::Request,
    /// Whether JSON is wanted.
    pub(crate) json: bool,
}

/// An environment, and what its images are judged by.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// The inputs made sense of.
    pub(super) config: Config<()>,
    /// The inputs as they are for it.
    pub(super) inputs: Inputs,
    /// Who may have signed; the image is filled in for each.
    pub(super) verified: verify::Request,
}

/// The environments of one run, the one that requires most first.
#[derive(Clone, Debug)]
pub(crate) struct Scopes {
    /// There is one at least.
    pub(super) all: Vec<Scope>,
    /// What is for the whole run.
    pub(crate) config: Config<()>,
}

impl Scopes {
    /// Those that the inputs name.
    ///
    /// # Errors
    /// All that is wrong with the inputs.
    pub(crate) fn of(inputs: &Inputs, env: &Env<'_>, request: &Request) -> Result<Self, Error> {
        let named = inputs.get(&inputs::ENVIRONMENTS).map_err(Error::Inputs)?.0;
        if named.is_empty() {
            let scope = Scope::of(inputs.clone(), env, request.verified.clone())?;
            return Ok(Self { config: scope.config.clone(), all: vec![scope] });
        }
        if let Some(given) =
            inputs.given(&inputs::ENVIRONMENT).filter(|given| Some(*given) != inputs::ENVIRONMENT.default_value())
        {
            let expected = "either environment or environments is expected, and not both";
            return Err(Error::Inputs(vec![inputs::ENVIRONMENT.problem(given, expected)]));
        }
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        for (environment, own) in named {
            match Scope::of_one(environment, own, inputs, env, request) {
                Ok(scope) => all.push(scope),
                // What is wrong for all of them is told once.
                Err(Error::Inputs(found)) => {
                    let new: Vec<_> = found.into_iter().filter(|problem| !problems.contains(problem)).collect();
                    problems.extend(new);
                }
                Err(error) => return Err(error),
            }
        }
        match all.first() {
            Some(first) if problems.is_empty() => Ok(Self { config: first.config.clone(), all }),
            _ => Err(Error::Inputs(problems)),
        }
    }
}

impl Scope {
    fn of(inputs: Inputs, env: &Env<'_>, verified: verify::Request) -> Result<Self, Error> {
        // Nothing is signed: who may have signed is for the look to say.
        let config = Config::without_build(&inputs.without(&OF_SIGNERS), env).map_err(Error::Inputs)?;
        Ok(Self { config, inputs, verified })
    }

    /// What is told of an environment's images that could not be looked at, or of those that another repository names.
    pub(super) fn unseen(&self, named_by: Option<String>, error: &Error) -> Watched {
        let destination = &self.config.destination;
        Watched {
            image: named_by.map_or_else(|| destination.to_string(), |slug| format!("{destination} ({slug})")),
            environment: self.config.environment,
            looked: Err(Diagnosis::from(error)),
            issue: None,
        }
    }

    fn of_one(environment: Environment, mut own: Own, inputs: &Inputs, env: &Env<'_>, request: &Request) -> Result<Self, Error> {
        own.push((inputs::ENVIRONMENT.name, environment.to_string()));
        let is_own = |name: &str| own.iter().any(|(own, _)| *own == name);
        let of_it = |error| match error {
            Error::Inputs(mut problems) => {
                for problem in problems.iter_mut().filter(|problem| is_own(problem.input)) {
                    problem.expected = format!("for {environment} {}", problem.expected);
                }
                Error::Inputs(problems)
            }
            error => error,
        };
        let inputs = inputs.with(&own);
        let mut verified = request.verified.clone();
        if is_own(inputs::IDENTITY.name) {
            verified.identities = inputs.get(&inputs::IDENTITY).map_err(Error::Inputs)?;
        }
        Self::of(inputs, env, verified).map_err(of_it)
    }
}
