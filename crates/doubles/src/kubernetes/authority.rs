//! A cluster's own authority, and the API server's certificate by it, for the address that pods have.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Makes both in a folder.
pub fn certify(folder: &Path) {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let authority = ["-subj", "/CN=kubernetes", "-keyout", "ca.key", "-out", "ca.crt"];
    openssl(folder, &[&["req", "-x509"][..], &key, &authority].concat());
    let server =
        ["-subj", "/CN=kube-apiserver", "-keyout", "server.key", "-out", "server.crt", "-CA", "ca.crt", "-CAkey", "ca.key"];
    let names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:kubernetes.default.svc", "-addext", "basicConstraints=CA:FALSE"];
    openssl(folder, &[&["req", "-x509"][..], &key, &server, &names].concat());
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let made = Command::new("openssl").args(arguments).current_dir(folder).output().expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// What speaks TLS with them.
pub fn acceptor(folder: &Path) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(folder.join("server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()))
}
