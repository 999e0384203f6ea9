//! What fuzzing reaches of packs and trees.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::object::{self, Id, Kind, Objects};
use super::pack;

/// Reads a pack whose sum is made right before, since by chance it never is; says how many objects it has.
///
/// # Panics
/// An object is not what its name says, a tree does not read back the same, or what is written again is not what was read.
pub(crate) fn read_pack(content: &[u8]) -> Option<usize> {
    let mut whole = content.to_vec();
    whole.extend_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, content).as_ref());
    let objects = pack::read(&whole, &Objects::new()).ok()?;
    for (id, object) in &objects {
        assert_eq!(*id, object.id(), "an object is what its name says");
        if object.kind == Kind::Tree
            && let Ok(entries) = object::entries(object)
        {
            assert!(object::replaced(&entries, b"", Id([0; 20])) == *object, "a tree reads back the same");
        }
        if object.kind == Kind::Commit {
            object::commit(object).ok();
        }
    }
    let again = pack::written(objects.values()).ok()?;
    assert!(pack::read(&again, &Objects::new()).as_ref() == Ok(&objects), "what is written is what was read");
    Some(objects.len())
}
