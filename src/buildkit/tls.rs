//! TLS to a Docker engine: by the certificates in a folder that Docker's client reads too.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::Error;

/// What is shown to an engine, and which engine is believed.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// By the certificates in `folder`: `ca.pem` says which engine is believed, `cert.pem` and `key.pem`, where they are
    /// there, are shown to it.
    ///
    /// # Errors
    /// A file is not there, or is not what it should be.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&folder.join("ca.pem"))? {
            roots.add(certificate).map_err(|error| unusable(&folder.join("ca.pem"), &error))?;
        }
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let config = if certificate.exists() || key.exists() {
            let shown = PrivateKeyDer::from_pem_slice(&read(&key)?).map_err(|error| unusable(&key, &error))?;
            let identity = builder.with_client_auth_cert(certificates(&certificate)?, shown);
            identity.map_err(|error| unusable(&certificate, &error))?
        } else {
            builder.with_no_client_auth()
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Speaks TLS on a connection to `authority` (`HOST:PORT`).
    ///
    /// # Errors
    /// The engine is not believed, or speaks no TLS.
    pub(super) async fn connect(&self, authority: &str, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(std::io::Error::other)?;
        self.0.connect(name, stream).await
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| unusable(path, &error))?;
    if found.is_empty() { Err(unusable(path, &"there is no certificate in it")) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Certificate { path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_missing_or_holds_no_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let named = |folder: &Path| match Tls::read(folder) {
            Err(Error::Certificate { path, .. }) => path,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it can be used"),
        };
        assert_eq!(named(folder.path()), folder.path().join("ca.pem"));
        std::fs::write(folder.path().join("ca.pem"), "nothing").unwrap();
        assert_eq!(named(folder.path()), folder.path().join("ca.pem"));
    }
}
