//! Somebody else's word for when a signature was there (RFC 3161).

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

use super::error::Error;
use super::service::Service;

/// What a request begins with, up to the digest: a sequence of 67 bytes with version 1, and the imprint's algorithm, SHA-256
/// (RFC 3161, section 2.4.1, in DER).
const HEAD: [u8; 24] = [
    0x30, 67, 0x02, 0x01, 0x01, 0x30, 49, 0x30, 13, 0x06, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 32,
];

/// Asks for the time of a signature; gives the answer as it is, in DER.
pub(super) async fn stamp(authority: &Service, signature: &[u8]) -> Result<Vec<u8>, Error> {
    let request = Bytes::from(request(signature, rand::random()));
    authority.post("", ["application/timestamp-query", "application/timestamp-reply"], &request).await
}

/// The request for a signature. The nonce makes the answer one to this request.
fn request(signature: &[u8], nonce: [u8; 8]) -> Vec<u8> {
    let [first, rest @ ..] = nonce;
    let mut request = HEAD.to_vec();
    request.extend_from_slice(digest(&SHA256, signature).as_ref());
    // An integer of DER is positive, and has no byte more than it needs.
    request.extend_from_slice(&[0x02, 8, first & 0x3f | 0x40]);
    request.extend_from_slice(&rest);
    // With the authority's certificate.
    request.extend_from_slice(&[0x01, 0x01, 0xff]);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_as_long_as_it_says_for_any_nonce() {
        for nonce in [[0; 8], [0xff; 8], [0x80, 0, 0, 0, 0, 0, 0, 0], [0x40, 1, 2, 3, 4, 5, 6, 7]] {
            let request = request(b"signature", nonce);
            assert_eq!(request.len(), 69, "{nonce:?}");
            assert_eq!(usize::from(request[1]), request.len() - 2);
            assert!((0x40..0x80).contains(&request[58]), "{:x}", request[58]);
        }
    }
}
