//! The token of a run: a JSON Web Token that says which scopes it may read and write (`ac`).

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine as _;
use serde_json::json;

/// What a token may do with the entries of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// It may read them: those of the default branch, and of the branch that a pull request is for.
    Read,
    /// It may write them too: those of the run's own ref.
    Write,
}

/// The scopes of a token, in the order in which they are looked through.
pub type Scopes = Vec<(String, Right)>;

/// The tokens that were issued, each with its scopes and whether it is good.
#[derive(Default)]
pub struct Tokens(Mutex<BTreeMap<String, (Scopes, bool)>>);

impl Tokens {
    pub fn issue(&self, scopes: &[(&str, Right)]) -> String {
        let number = |right| if right == Right::Write { 3 } else { 1 };
        let access: Vec<_> = scopes.iter().map(|(scope, right)| json!({"Scope": scope, "Permission": number(*right)})).collect();
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({
            "ac": serde_json::to_string(&access).unwrap(),
            "nbf": now - 300,
            "exp": now + 6 * 60 * 60,
            "iss": "https://token.actions.githubusercontent.com",
            "scp": "Actions.Results:run:job",
        });
        let encoded = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let signature: Vec<u8> = std::iter::repeat_with(rand::random).take(32).collect();
        let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature);
        let token = format!("{}.{}.{signature}", encoded(r#"{"alg":"RS256","typ":"JWT"}"#), encoded(&claims.to_string()));
        let scopes = scopes.iter().map(|(scope, right)| ((*scope).to_owned(), *right)).collect();
        self.0.lock().unwrap().insert(token.clone(), (scopes, true));
        token
    }

    pub fn expire(&self) {
        self.0.lock().unwrap().values_mut().for_each(|(_, good)| *good = false);
    }

    /// The scopes of the token that a request shows; none where it is nobody's or has expired.
    pub fn scopes(&self, authorization: Option<&str>) -> Option<Scopes> {
        let token = authorization?.strip_prefix("Bearer ")?;
        self.0.lock().unwrap().get(token).filter(|(_, good)| *good).map(|(scopes, _)| scopes.clone())
    }
}
