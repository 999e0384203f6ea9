//! The tests sign with certificates that a real Fulcio gives for tokens of our own token service: it has to take them as
//! GitHub's, and to refuse what it would refuse from GitHub.

use std::path::PathBuf;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use doubles::aws::stranger::session;
use doubles::aws::{Options, World};
use serde_json::{Value, json};

use crate::part;

/// A `SubjectPublicKeyInfo` of a P-256 key up to the point itself (RFC 5480).
const P256: [u8; 26] = *b"0Y0\x13\x06\x07*\x86H\xce=\x02\x01\x06\x08*\x86H\xce=\x03\x01\x07\x03B\0";

/// A job whose tokens the private Sigstore's issuer signs.
fn job() -> Options {
    World::options().issued_by(&PathBuf::from(part("SIGSTORE")))
}

/// What Fulcio says to a token and a new key (`POST /api/v2/signingCert`).
async fn certify(fulcio: &str, token: &str) -> (u16, Value) {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let proof = key.sign(&SystemRandom::new(), claims["sub"].as_str().unwrap().as_bytes()).unwrap();
    let public = STANDARD.encode([&P256[..], key.public_key().as_ref()].concat());
    let asked = json!({
        "credentials": {"oidcIdentityToken": token},
        "publicKeyRequest": {
            "publicKey": {
                "algorithm": "ECDSA",
                "content": format!("-----BEGIN PUBLIC KEY-----\n{public}\n-----END PUBLIC KEY-----\n"),
            },
            "proofOfPossession": STANDARD.encode(proof.as_ref()),
        },
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.post(format!("{}/api/v2/signingCert", part(fulcio))).json(&asked).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// The first certificate of an answer, as the text that its bytes are here and there.
fn certificate(answer: &Value, kind: &str) -> String {
    let pem = answer[kind]["chain"]["certificates"][0].as_str().unwrap_or_else(|| panic!("{answer}"));
    let content: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    String::from_utf8_lossy(&STANDARD.decode(content).unwrap()).into_owned()
}

#[tokio::test]
async fn a_certificate_names_the_workflow_and_the_run_that_the_token_names() {
    let workflow = "octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";
    let service = job().environment("prod").claim("job_workflow_ref", workflow).token_service();
    for (fulcio, kind) in [("FULCIO", "signedCertificateEmbeddedSct"), ("FULCIO_PLAIN", "signedCertificateDetachedSct")] {
        let (status, answer) = certify(fulcio, &service.token("sigstore")).await;
        assert_eq!(status, 200, "{answer}");
        let certificate = certificate(&answer, kind);
        for named in [
            &part("ISSUER"),
            &format!("https://github.com/{workflow}"),
            "https://github.com/octo-org/octo-repo/.github/workflows/deliver.yml@refs/heads/main",
            "https://github.com/octo-org/octo-repo/actions/runs/1602018110/attempts/2",
            "prod",
        ] {
            assert!(certificate.contains(named), "{named} is not in the certificate");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_forged_or_expired_or_for_someone_else_gets_no_certificate() {
    let wrong = [
        ("for someone else", job().token_service().token("sts.amazonaws.com")),
        ("forged", job().forged().token_service().token("sigstore")),
        ("expired", job().clock(-3600).token_service().token("sigstore")),
        ("of another issuer", World::options().token_service().token("sigstore")),
    ];
    for (what, token) in wrong {
        let (status, answer) = certify("FULCIO", &token).await;
        assert_eq!((status, &answer["message"]), (400, &json!("There was an error processing the identity token")), "{what}");
    }
}

#[test]
fn a_role_can_trust_the_same_issuer() {
    let world = job().start();
    let said = session(&world, &json!([["sts", "get_caller_identity", {}]]));
    assert_eq!(said[1]["said"]["Account"], world.account(), "{said:?}");
}
