//! Names that nobody else uses.

/// 128 random bits in hexadecimal.
pub(super) fn random_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}
