//! How AWS is spoken to as somebody.

use aws_config::SdkConfig;
use aws_sdk_sts::config::SharedInterceptor;

use super::expiry::Expiry;
use super::web_identity::WebIdentity;

/// The SDK's settings with credentials in them.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) sdk: SdkConfig,
    /// Who gives the credentials, where they can be had again at any time.
    pub(super) renewed_by: Option<WebIdentity>,
}

impl Config {
    /// What has a client show new credentials where AWS refuses those it has.
    pub(super) fn renewal(&self) -> Option<SharedInterceptor> {
        self.renewed_by.clone().map(|identity| SharedInterceptor::new(Expiry(identity)))
    }
}
