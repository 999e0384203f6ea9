//! ECR's API: permissions are checked here, for moto looks at no resource; moto checks signatures and keeps the
//! repositories.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::http::request::Parts;
use serde_json::{Value, json};

use super::account::Session;
use super::call::Call;
use super::content::{Answer, collected, forward, full};
use super::refusal::{answer, of_ecr};
use super::repository::Repository;
use super::secrets::random_text;
use super::server::{Asked, Password, Server};
use super::{lifecycle, shelf};

/// The most repositories of a page: one may have fewer than were asked for.
const PAGE_OF_REPOSITORIES: usize = 2;
/// How long a password of the registry is valid.
const PASSWORD_LIFETIME: Duration = Duration::from_hours(12);

impl Server {
    /// Answers a call.
    pub async fn ecr(&self, call: Call, head: Parts, document: &[u8]) -> std::io::Result<Answer> {
        let Asked { session, operation, parameters } = match self.asked(&head, document) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(refusal),
        };
        if let Err(sentence) = self.permitted(&session, &operation, &parameters) {
            return Ok(of_ecr(400, "AccessDeniedException", &sentence));
        }
        if let Some(said) = self.of_shelf(call, &parameters) {
            return Ok(match said {
                Ok(said) => answer(200, "application/x-amz-json-1.1", said.to_string()),
                Err((code, sentence)) => of_ecr(400, code, &sentence),
            });
        }
        if operation == "DescribeImageScanFindings"
            && let Some(said) = self.scan_findings(&parameters).await?
        {
            return Ok(match said {
                Ok(said) => answer(200, "application/x-amz-json-1.1", said.to_string()),
                Err((code, sentence)) => of_ecr(400, code, &sentence),
            });
        }
        let given = self.answers.lock().unwrap().get(&operation).cloned();
        if let Some(given) = given {
            return Ok(answer(200, "application/x-amz-json-1.1", given.to_string()));
        }
        let checked = forward(self.moto.address, hyper::Request::from_parts(head, full(document.to_vec()))).await?;
        if matches!(checked.status().as_u16(), 401 | 403) {
            let message = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                           Access Key and signing method. Consult the service documentation for details.";
            return Ok(of_ecr(400, "InvalidSignatureException", message));
        }
        if !checked.status().is_success() {
            return Ok(checked);
        }
        let (_, content) = checked.into_parts();
        let said: Value = serde_json::from_slice(&collected(content).await?).unwrap_or_default();
        let said = match call {
            Call::GetAuthorizationToken => self.authorization(&session),
            Call::BatchDeleteImage => self.remove(&parameters).await?,
            Call::DescribeRepositories if parameters.get("repositoryNames").is_none() => {
                let repositories = said["repositories"].as_array().cloned().unwrap_or_default();
                shelf::page(&repositories, &parameters, "repositories", PAGE_OF_REPOSITORIES)
            }
            _ => {
                self.notice(&operation, &said);
                said
            }
        };
        Ok(answer(200, "application/x-amz-json-1.1", said.to_string()))
    }

    /// What is said of images and lifecycle policies, which are here and not in moto. The signature of these calls is not
    /// checked; whose they are is.
    fn of_shelf(&self, call: Call, parameters: &Value) -> Option<Result<Value, (&'static str, String)>> {
        let known = [
            Call::DescribeImages,
            Call::BatchGetImage,
            Call::GetLifecyclePolicy,
            Call::PutLifecyclePolicy,
            Call::StartLifecyclePolicyPreview,
            Call::GetLifecyclePolicyPreview,
        ];
        if !known.contains(&call) {
            return None;
        }
        let name = parameters["repositoryName"].as_str().unwrap_or_default();
        let mut content = self.account.content();
        let id = &self.account.id;
        let Some(Repository { images, lifecycle, .. }) = content.repositories.get_mut(name) else {
            let sentence = format!("The repository with name '{name}' does not exist in the registry with id '{id}'");
            return Some(Err(("RepositoryNotFoundException", sentence)));
        };
        let text = parameters["lifecyclePolicyText"].as_str();
        let named = |mut said: Value| {
            (said["registryId"], said["repositoryName"]) = (id.as_str().into(), name.into());
            said
        };
        let said = match call {
            Call::DescribeImages => Ok(shelf::describe(images, parameters, id)),
            Call::BatchGetImage => Ok(shelf::manifests(images, parameters)),
            Call::GetLifecyclePolicy => match &lifecycle.policy {
                Some(policy) => Ok(named(json!({"lifecyclePolicyText": policy}))),
                None => Err(("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist".to_owned())),
            },
            Call::PutLifecyclePolicy => match lifecycle::refusal(text.unwrap_or_default()) {
                Some(refusal) => Err(refusal),
                None => {
                    lifecycle.policy = text.map(str::to_owned);
                    Ok(named(json!({"lifecyclePolicyText": text})))
                }
            },
            Call::StartLifecyclePolicyPreview => {
                lifecycle.start(text, 2).map(|policy| named(json!({"lifecyclePolicyText": policy, "status": "IN_PROGRESS"})))
            }
            _ => lifecycle.show(images, parameters).map(named),
        };
        Some(said)
    }

    /// Whether a session may do this; the error is AWS's sentence.
    fn permitted(&self, session: &Session, operation: &str, parameters: &Value) -> Result<(), String> {
        let action = format!("ecr:{operation}");
        let names = parameters["repositoryNames"].as_array().cloned().unwrap_or_default();
        let names = names.iter().chain(parameters.get("repositoryName")).filter_map(Value::as_str);
        let mut resources: Vec<String> = names.map(|name| self.account.repository_arn(name)).collect();
        if resources.is_empty() {
            resources.push(if operation == "DescribeRepositories" { self.account.repository_arn("*") } else { "*".to_owned() });
        }
        let elsewhere = parameters["registryId"].as_str().is_some_and(|registry| registry != self.account.id);
        if elsewhere {
            let (user, resource) = (self.account.session_arn(session), &resources[0]);
            return Err(format!(
                "User: {user} is not authorized to perform: {action} on resource: {resource} because no resource-based policy \
                 allows the {action} action"
            ));
        }
        resources.iter().try_for_each(|resource| self.account.authorize(session, &action, resource))
    }

    /// A password for the registry, another each time.
    fn authorization(&self, session: &Session) -> Value {
        let first = self.first_password_lifetime.filter(|_| self.passwords.lock().unwrap().is_empty());
        let expires = SystemTime::now() + first.map_or(PASSWORD_LIFETIME, Duration::from_secs);
        let seconds = expires.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        // As long as ECR's, for some clients have had limits.
        let content = json!({
            "payload": random_text(1024), "datakey": random_text(192), "version": "2", "type": "DATA_KEY",
            "expiration": seconds.floor(),
        });
        let password = self.secrets.keep(STANDARD.encode(content.to_string()));
        let pair = self.secrets.keep(STANDARD.encode(format!("AWS:{password}")));
        self.passwords.lock().unwrap().insert(password, Password { session: session.clone(), expires });
        let proxy = format!("http://{}", self.host);
        json!({"authorizationData": [{"authorizationToken": pair, "expiresAt": seconds, "proxyEndpoint": proxy}]})
    }

    /// Remembers what changed about the repositories.
    fn notice(&self, operation: &str, said: &Value) {
        let described = if operation == "PutImageTagMutability" { said } else { &said["repository"] };
        let Some(name) = described["repositoryName"].as_str() else { return };
        let repositories = &mut self.account.content().repositories;
        match operation {
            "CreateRepository" | "PutImageTagMutability" => {
                let before = repositories.remove(name).unwrap_or_default();
                repositories.insert(name.to_owned(), before.changed(described));
            }
            "DeleteRepository" => {
                repositories.remove(name);
            }
            _ => {}
        }
    }
}
