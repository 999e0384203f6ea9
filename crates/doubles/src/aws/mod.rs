//! The world that a keyless delivery meets: GitHub's id tokens, STS, and ECR with its registry, one server for each test.
//! It refuses as they do.

mod account;
mod call;
mod distribution;
mod ecr;
mod fault;
mod issuer;
mod job;
mod journal;
mod kms;
mod lifecycle;
mod moto;
mod options;
mod policy;
mod refusal;
mod removal;
mod repository;
mod scan;
mod secrets;
mod server;
mod shelf;
mod signing_key;
mod storage;
pub mod stranger;
mod sts;
mod token;
mod token_service;
mod trust;
mod wildcard;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};

pub use call::Call;
pub use fault::{Fault, Times};
pub use journal::{Entry, Held};
pub use options::{Options, PUSH};
pub use repository::Mutability;
pub use scan::ImageScan;
pub use shelf::ShelfImage;
pub use token_service::TokenService;

use crate::service::content;
use account::{Account, Role};
use journal::Journal;
use moto::Moto;
use policy::Policy;
use repository::Repository;
use secrets::Secrets;
use serde_json::{Value, json};
use server::Server;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use trust::Trust;

use crate::registry::{self, Registry};

/// The role that deliveries assume.
const ROLE: &str = "delivery";

/// A world; it ends when this is dropped.
pub struct World {
    server: Arc<Server>,
    repository: String,
    registry: Registry,
    runtime: Option<Runtime>,
}

impl World {
    /// How one is set up: `World::options().environment("prod").start()`.
    pub fn options() -> Options {
        Options::default()
    }

    /// Starts one.
    pub fn start(options: &Options) -> Self {
        let registry = Registry::start(registry::Options::default());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listeners = [(), ()].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let [host, storage] = [0, 1].map(|one: usize| listeners[one].local_addr().unwrap());
        // The store is another host, as S3 is: Go's clients go on showing a password to another port of the same one.
        let (host, storage) = (host.to_string(), format!("localhost:{}", storage.port()));
        let account = Account::new(&options.region);
        let secrets = Secrets::default();
        let issuer = options.issuer_of_tokens(&secrets);
        let server = Arc::new(Server {
            moto: Moto::open(&account.id, &options.region),
            host,
            account,
            issuer,
            registry: registry.address.clone(),
            registry_folder: registry.folder.path().to_owned(),
            storage,
            links: Mutex::default(),
            first_password_lifetime: options.first_password_lifetime,
            first_session_lifetime: options.first_session_lifetime,
            mounts: options.mounts,
            passwords: Mutex::default(),
            uploads: Mutex::default(),
            tagging: tokio::sync::Mutex::default(),
            faults: fault::Faults::default(),
            answers: Mutex::default(),
            scans: Mutex::default(),
            journal: Journal::default(),
            secrets,
        });
        let world = Self { server, repository: options.repository.clone(), registry, runtime: Some(runtime) };
        world.furnish(options);
        for (listener, storage) in listeners.into_iter().zip([false, true]) {
            listener.set_nonblocking(true).unwrap();
            let serving = world.server.clone();
            world.runtime().spawn(async move { serving.run(TcpListener::from_std(listener).unwrap(), storage).await });
        }
        world
    }

    /// Puts into the account what the options ask for.
    fn furnish(&self, options: &Options) {
        let server = self.server.clone();
        self.wait(async move { server.moto.create_role(ROLE).await });
        let account = &self.server.account;
        if options.provider {
            account.content().providers.insert(self.server.issuer.provider().to_owned(), options.audiences.clone());
        }
        let subject = match &options.trust {
            Some(Value::String(subject)) => subject.clone(),
            _ => options.job.subject(),
        };
        let actions: Vec<String> = options.actions.clone();
        let policy = Policy::of_ecr(&actions, &account.repository_arn(&self.repository));
        let role = Role { trust: Trust::read(&self.trust_of(&subject)), policy, longest_session: options.longest_session };
        account.content().roles.insert(ROLE.into(), role);
        if let Some((mutability, filters)) = &options.tags {
            let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
            self.create_repository(&self.repository, *mutability, &filters);
        }
    }

    /// The environment of a job here. No key of AWS is in it; the commit is the test's own.
    pub fn variables(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.host())),
            ("AWS_REGION", self.region()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        let mut variables = self.server.issuer.variables(&self.host());
        variables.extend(pairs.map(|(name, value)| (name.to_owned(), value)));
        variables
    }

    /// The ARN of the role.
    pub fn role(&self) -> String {
        self.server.account.role_arn(ROLE)
    }

    /// The id of the account.
    pub fn account(&self) -> String {
        self.server.account.id.clone()
    }

    /// The region.
    pub fn region(&self) -> String {
        self.server.account.region.clone()
    }

    /// A token of the job for someone, without asking.
    pub fn token(&self, audience: &str) -> String {
        self.server.secrets.keep(self.server.issuer.token(audience))
    }

    /// The name of the repository.
    pub fn repository(&self) -> String {
        self.repository.clone()
    }

    /// `127.0.0.1:PORT`: the endpoint of AWS, and the registry.
    pub fn host(&self) -> String {
        self.server.host.clone()
    }

    /// What a token of the job claims as `sub`.
    pub fn subject(&self) -> String {
        self.server.issuer.job.subject()
    }

    /// A trust policy as GitHub's documentation shows one, for a subject or a pattern of subjects.
    pub fn trust_of(&self, subject: &str) -> Value {
        let provider = self.server.issuer.provider();
        let operator = if subject.contains(['*', '?']) { "StringLike" } else { "StringEquals" };
        let mut condition = json!({"StringEquals": {format!("{provider}:aud"): "sts.amazonaws.com"}});
        condition[operator][format!("{provider}:sub")] = subject.into();
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": self.server.account.provider_arn(provider)},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        }]})
    }

    /// Whom the role trusts from now on.
    pub fn set_trust_policy(&self, document: &Value) {
        self.server.account.content().roles.get_mut(ROLE).unwrap().trust = Trust::read(document);
    }

    /// What the role may do from now on, on the repository.
    pub fn allow(&self, actions: &[&str]) {
        let actions: Vec<String> = actions.iter().map(|&action| action.to_owned()).collect();
        let policy = Policy::of_ecr(&actions, &self.server.account.repository_arn(&self.repository));
        self.server.account.content().roles.get_mut(ROLE).unwrap().policy = policy;
    }

    /// What ECR answers from now on to a call, such as `DescribeImageSigningStatus`, in place of moto.
    pub fn answer(&self, operation: &str, answer: Value) {
        self.server.answers.lock().unwrap().insert(operation.to_owned(), answer);
    }

    /// What ECR's own scan of each image comes to from now on, in place of moto's.
    pub fn scan(&self, scan: ImageScan) {
        self.server.scans.lock().unwrap().set(scan);
    }

    /// What the role may do from now on, in the words of IAM.
    pub fn set_role_policy(&self, document: &Value) {
        let policy = Policy::read(document).expect("a policy");
        self.server.account.content().roles.get_mut(ROLE).unwrap().policy = policy;
    }

    /// Makes a repository, as the account's owner.
    pub fn create_repository(&self, name: &str, mutability: Mutability, filters: &[&str]) {
        let (server, parameters) = (self.server.clone(), Repository::parameters(name, mutability, filters));
        let said = self.wait(async move { server.moto.ecr("CreateRepository", &parameters).await });
        self.server.account.content().repositories.insert(name.into(), Repository::read(&said["repository"]));
    }

    /// What ECR answers the account's owner.
    pub fn ecr(&self, operation: &str, parameters: &Value) -> Value {
        let (server, operation, parameters) = (self.server.clone(), operation.to_owned(), parameters.clone());
        self.wait(async move { server.moto.ecr(&operation, &parameters).await })
    }

    /// The repository's ARN.
    pub fn repository_arn(&self) -> String {
        self.server.account.repository_arn(&self.repository)
    }

    /// Puts images into what ECR's API says that the repository has; the registry itself does not serve them.
    pub fn shelve(&self, images: impl IntoIterator<Item = ShelfImage>) {
        let mut content = self.server.account.content();
        content.repositories.get_mut(&self.repository).expect("a repository").images.extend(images);
    }

    /// Takes an image away again.
    pub fn unshelve(&self, digest: &str) {
        let mut content = self.server.account.content();
        content.repositories.get_mut(&self.repository).expect("a repository").images.retain(|image| image.digest() != digest);
    }

    /// The repository's lifecycle policy from now on, as its owner's.
    pub fn set_lifecycle_policy(&self, text: &str) {
        let mut content = self.server.account.content();
        content.repositories.get_mut(&self.repository).expect("a repository").lifecycle.policy = Some(text.to_owned());
    }

    /// The repository's lifecycle policy, if it has one.
    pub fn lifecycle_policy(&self) -> Option<String> {
        self.server.account.content().repositories.get(&self.repository)?.lifecycle.policy.clone()
    }

    /// Makes a key that signs, perhaps with an alias (`alias/NAME`), and says its ARN.
    pub fn create_key(&self, alias: Option<&str>) -> String {
        let account = &self.server.account;
        let arn = account.kms_arn(&format!("key/{}", kms::Key::id()));
        account.content().keys.insert(arn.clone(), kms::Key::new(alias));
        arn
    }

    /// The ARN of an alias.
    pub fn alias_arn(&self, alias: &str) -> String {
        self.server.account.kms_arn(alias)
    }

    /// Disables a key.
    pub fn disable_key(&self, arn: &str) {
        self.server.account.content().keys.get_mut(arn).unwrap().enabled = false;
    }

    /// Says of a key that it is for something else, and of another kind.
    pub fn change_key(&self, arn: &str, usage: &str, spec: &str) {
        let mut content = self.server.account.content();
        let key = content.keys.get_mut(arn).unwrap();
        (key.usage, key.spec) = (usage.to_owned(), spec.to_owned());
    }

    /// The signature that a key makes of a message, as whoever may use it can have it of anything.
    pub fn signature(&self, arn: &str, message: &[u8]) -> Vec<u8> {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, message);
        self.server.account.content().keys[arn].sign(digest.as_ref()).unwrap()
    }

    /// The name that bundles have for a key, as cosign gives it.
    pub fn key_hint(&self, arn: &str) -> String {
        use base64::Engine as _;
        let public = self.server.account.content().keys[arn].public();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &public);
        base64::engine::general_purpose::STANDARD.encode(digest.as_ref())
    }

    /// The public half of a key, as PEM.
    pub fn public_key(&self, arn: &str) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(self.server.account.content().keys[arn].public());
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// What the tags of the repository name, as the registry says.
    pub fn tags(&self) -> BTreeMap<String, String> {
        self.tags_of(&self.repository)
    }

    /// What the tags of a repository name, as the registry says.
    pub fn tags_of(&self, repository: &str) -> BTreeMap<String, String> {
        let (server, repository) = (self.server.clone(), repository.to_owned());
        self.wait(async move { server.tags_of(&repository).await.unwrap() })
    }

    /// Where the content of blobs is: `localhost:PORT`. Nothing that logs in belongs there.
    pub fn storage(&self) -> String {
        self.server.storage.clone()
    }

    /// The registry behind, which knows no password: `127.0.0.1:PORT`.
    pub fn registry(&self) -> String {
        self.registry.address.clone()
    }

    /// Where that registry keeps its content.
    pub fn content(&self) -> std::path::PathBuf {
        self.registry.content()
    }

    /// Lets a call fail.
    pub fn fail(&self, call: Call, times: Times, fault: Fault) {
        self.server.faults.add(call, times, fault);
    }

    /// Lets a call fail no longer.
    pub fn mend(&self, call: Call) {
        self.server.faults.clear(call);
    }

    /// Holds the `nth` request of a call, counted from one and from the world's beginning.
    pub fn hold(&self, call: Call, nth: usize) -> Held {
        self.server.journal.hold(call, nth)
    }

    /// What was asked so far.
    pub fn calls(&self) -> Vec<Entry> {
        self.server.journal.entries()
    }

    /// How many requests of a call came so far.
    pub fn count(&self, call: Call) -> usize {
        self.calls().iter().filter(|entry| entry.call == call).count()
    }

    /// Everything that was given out in confidence so far: what must not be found anywhere.
    pub fn secrets(&self) -> Vec<String> {
        self.server.secrets.all()
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    /// Waits for something on the world's own runtime, so that tests may have one too.
    fn wait<T: Send + 'static>(&self, something: impl Future<Output = T> + Send + 'static) -> T {
        let (sender, receiver) = mpsc::channel();
        self.runtime().spawn(async move { sender.send(something.await) });
        receiver.recv().expect("the world does what it is asked to do")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}
