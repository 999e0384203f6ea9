//! Moto: the STS, IAM and ECR behind the world's own checks. One process serves all worlds of a test process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use hyper::Request;
use serde_json::Value;

use super::content::{Answer, collected, forward, full};
use crate::program::{Installer, program};

/// The process; it ends with ours, for its standard input does.
struct Process {
    address: String,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

/// One account of moto, and its administrator.
pub struct Moto {
    pub address: &'static str,
    region: String,
    administrator: Credentials,
}

impl Process {
    fn get() -> &'static Self {
        static PROCESS: OnceLock<Process> = OnceLock::new();
        PROCESS.get_or_init(|| {
            // Nobody waits for it: it ends when we do.
            #[allow(clippy::zombie_processes, reason = "it ends after us")]
            let mut child = Command::new(program(Installer::Moto, "moto-serve"))
                .env_clear()
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("moto starts");
            let mut output = BufReader::new(child.stdout.take().unwrap());
            let address = line(&mut output);
            Self { address, pipes: Mutex::new((child.stdin.take().unwrap(), output)) }
        })
    }
}

fn line(from: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "moto has ended");
    line.trim().to_owned()
}

impl Moto {
    /// Opens an account.
    pub fn open(account: &str, region: &str) -> Self {
        let process = Process::get();
        let mut pipes = process.pipes.lock().unwrap();
        writeln!(pipes.0, "{account}").unwrap();
        let key: Value = serde_json::from_str(&line(&mut pipes.1)).unwrap();
        let administrator = Credentials::new(key["id"].as_str().unwrap(), key["secret"].as_str().unwrap(), None, None, "moto");
        Self { address: &process.address, region: region.into(), administrator }
    }

    /// Makes a role that may do all of ECR, KMS and CloudWatch: moto does not look at resources, so its permissions are checked before it.
    pub async fn create_role(&self, name: &str) {
        // Moto knows the actions of CloudWatch by the name that requests are signed for.
        let policy =
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ecr:*","kms:*","monitoring:*"],"Resource":"*"}}"#;
        self.query("iam", &[("Action", "CreateRole"), ("RoleName", name), ("AssumeRolePolicyDocument", policy)]).await;
        let parameters = [("Action", "PutRolePolicy"), ("RoleName", name), ("PolicyName", "ecr"), ("PolicyDocument", policy)];
        self.query("iam", &parameters).await;
    }

    /// A call of the administrator in the query protocol, and what it answers.
    pub async fn query(&self, service: &str, parameters: &[(&str, &str)]) -> String {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        // Moto checks the signature over its own spelling of the form, which is Python's.
        let body = body.replace('*', "%2A");
        let request = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
        self.send(service, request, body).await
    }

    /// A call of the administrator to ECR.
    pub async fn ecr(&self, operation: &str, parameters: &Value) -> Value {
        let request = Request::post("/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AmazonEC2ContainerRegistry_V20150921.{operation}"));
        serde_json::from_str(&self.send("ecr", request, parameters.to_string()).await).unwrap()
    }

    async fn send(&self, service: &str, request: hyper::http::request::Builder, body: String) -> String {
        let mut request = request.header("host", self.address).body(()).unwrap();
        let identity = self.administrator.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default());
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let address = format!("http://{}/", self.address);
        let signable = SignableRequest::new("POST", &address, headers, SignableBody::Bytes(body.as_bytes())).unwrap();
        let (instructions, _) = sign(signable, &parameters.build().unwrap().into()).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
        let answer: Answer = forward(self.address, request.map(|()| full(body))).await.unwrap();
        let (status, text) = (answer.status(), collected(answer.into_body()).await.unwrap());
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert!(status.is_success(), "moto: {status}: {text}");
        text
    }
}
