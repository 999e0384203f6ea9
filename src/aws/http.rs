//! The HTTP client of the AWS SDK: its own, with the proxies that the SDK would look for in the environment of the process.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::net::Proxies;

/// The client.
pub(super) fn client() -> SharedHttpClient {
    let proxies = Proxies::from_environment();
    // As `aws_smithy_runtime::client::http::default_https_client` makes it.
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(config(&proxies)));
        connector.build()
    })
}

/// AWS is spoken to by HTTPS alone, but for services on the machine itself.
fn config(proxies: &Proxies) -> ProxyConfig {
    let proxy = proxies.https().and_then(|address| ProxyConfig::https(address).ok());
    proxy.map_or_else(ProxyConfig::disabled, |proxy| proxy.no_proxy(proxies.without()))
}
