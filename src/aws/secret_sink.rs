//! Who is told of credentials.

use std::fmt;
use std::sync::Arc;

use crate::secret::Secret;

/// Receives every credential before anything can print it.
#[derive(Clone)]
pub(crate) struct SecretSink(Arc<dyn Fn(&Secret) + Send + Sync>);

impl SecretSink {
    /// A sink that has `hide` keep each secret out of what is shown.
    pub(crate) fn new(hide: impl Fn(&Secret) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hide))
    }

    pub(super) fn hide(&self, secret: &Secret) {
        (self.0)(secret);
    }
}

impl fmt::Debug for SecretSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretSink")
    }
}
