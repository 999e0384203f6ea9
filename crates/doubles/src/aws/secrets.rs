//! Everything that was given out in confidence.

use std::sync::Mutex;

/// What must not be found anywhere afterwards.
#[derive(Default)]
pub struct Secrets(Mutex<Vec<String>>);

impl Secrets {
    /// Keeps one and gives it back.
    pub fn keep(&self, secret: impl Into<String>) -> String {
        let secret = secret.into();
        self.0.lock().unwrap().push(secret.clone());
        secret
    }

    /// All so far.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// So many random bytes as text.
pub fn random_text(bytes: usize) -> String {
    use base64::Engine as _;
    let random: Vec<u8> = std::iter::repeat_with(rand::random).take(bytes).collect();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random)
}
