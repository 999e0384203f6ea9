//! What a layer says of each of its files, one after the other: nothing is written, and nothing is held but the one at hand.

use std::collections::BTreeMap;

use super::{BLOCK, Counted, Error, MAX_BYTES, MAX_ENTRIES, only_zeros, uncompressed, unread};
use crate::oci::digest::Hasher;
use crate::oci::image::Layer;
use crate::oci::layout::{Layout, digest_of};
use crate::oci::{Digest, archive};

/// What a layer says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path, as it is written.
    pub(crate) path: Vec<u8>,
    /// What it is, by the letter of the archive (pax(1), "ustar Interchange Format").
    pub(crate) kind: u8,
    /// Its permissions, with those bits that set users and groups.
    pub(crate) mode: u32,
    /// The numbers of its owner and group.
    pub(crate) owner: (u64, u64),
    /// When it was changed, in seconds since 1970, as it is written.
    pub(crate) time: String,
    /// How many bytes it has.
    pub(crate) size: u64,
    /// Where it leads, for a link.
    pub(crate) link: Vec<u8>,
    /// The device, by its numbers; nothing for what is none.
    pub(crate) device: Option<(u32, u32)>,
    /// Its extended attributes; absent where it has none.
    pub(crate) attributes: Option<Digest>,
    /// Its content.
    pub(crate) content: Digest,
}

/// How much of an image may still be read.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: u64,
    entries: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: MAX_BYTES, entries: MAX_ENTRIES }
    }
}

/// Hands `take` each entry of a layer, until it says that it wants no more.
///
/// # Errors
/// The layer can't be read, is no archive or more than that, is not what its configuration says, or goes beyond what is read.
pub(crate) fn list(
    layout: &Layout,
    layer: &Layer,
    budget: &mut Budget,
    take: &mut dyn FnMut(Entry) -> bool,
) -> Result<(), Error> {
    let digest = digest_of(&layer.descriptor)?;
    let blob = layout.open_blob(&digest)?;
    let broken = |error: &dyn std::fmt::Display| Error::Archive { layer: digest, reason: error.to_string() };
    let content = uncompressed(blob).map_err(|error| broken(&error))?;
    let content = Counted { content, hasher: Hasher::new(), left: budget.bytes };
    // What a sparse file comes to is more than the archive has of it.
    let (mut entries, mut bytes) = (budget.entries, budget.bytes);
    let read = archive::for_each(
        content,
        |error| unread(error, digest),
        |entry| {
            entries = entries.checked_sub(1).ok_or(Error::TooMuch)?;
            let (content, count) = hash(entry, &mut bytes, digest)?;
            let described = described(entry, content, count).map_err(|error| unread(&error, digest))?;
            if take(described) { Ok(()) } else { Err(Error::Cancelled) }
        },
    );
    let mut content = read?;
    if !only_zeros(&mut content).map_err(|error| unread(&error, digest))? {
        return Err(broken(&"there is something behind the end of its archive"));
    }
    (budget.entries, budget.bytes) = (entries, content.left);
    let actual = content.hasher.finish();
    if actual == layer.diff_id { Ok(()) } else { Err(Error::Content { layer: digest, expected: layer.diff_id, actual }) }
}

/// The digest of what an entry holds, and how many bytes that is.
fn hash(entry: &mut impl std::io::Read, left: &mut u64, layer: Digest) -> Result<(Digest, u64), Error> {
    let (mut hasher, mut block, mut size) = (Hasher::new(), vec![0; BLOCK], 0_u64);
    loop {
        let count = entry.read(&mut block).map_err(|error| unread(&error, layer))?;
        if count == 0 {
            return Ok((hasher.finish(), size));
        }
        *left = left.checked_sub(count as u64).ok_or(Error::TooMuch)?;
        size += count as u64;
        hasher.update(&block[..count]);
    }
}

fn described<R: std::io::Read>(entry: &mut tar::Entry<'_, R>, content: Digest, size: u64) -> std::io::Result<Entry> {
    let extensions = extensions(entry)?;
    let number =
        |key: &str| extensions.get(key.as_bytes()).and_then(|value| std::str::from_utf8(value).ok()?.parse::<u64>().ok());
    let time = extensions.get(&b"mtime"[..]).map(|value| String::from_utf8_lossy(value).into_owned());
    let mut hasher = Hasher::new();
    let mut has_attributes = false;
    for (key, value) in
        extensions.iter().filter(|(key, _)| key.starts_with(b"SCHILY.xattr.") || key.starts_with(b"LIBARCHIVE.xattr."))
    {
        has_attributes = true;
        for part in [key, value] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    let path = entry.path_bytes().into_owned();
    let link = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
    let header = entry.header();
    let kind = header.entry_type();
    let device = (kind.is_block_special() || kind.is_character_special())
        .then(|| Some((header.device_major().ok()??, header.device_minor().ok()??)))
        .flatten();
    Ok(Entry {
        path,
        kind: kind.as_byte(),
        mode: header.mode()? & 0o7777,
        owner: (number("uid").map_or_else(|| header.uid(), Ok)?, number("gid").map_or_else(|| header.gid(), Ok)?),
        time: time.map_or_else(|| header.mtime().map(|time| time.to_string()), Ok)?,
        size,
        link,
        device,
        attributes: has_attributes.then(|| hasher.finish()),
        content,
    })
}

/// What stands before a file about it; of a key that comes twice, the last.
fn extensions<R: std::io::Read>(entry: &mut tar::Entry<'_, R>) -> std::io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let Some(extensions) = entry.pax_extensions()? else { return Ok(BTreeMap::new()) };
    let pairs = extensions.map(|one| one.map(|one| (one.key_bytes().to_vec(), one.value_bytes().to_vec())));
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use oci_spec::image::MediaType;
    use tar::{Builder, EntryType, Header};

    use super::*;

    fn archive(entries: &[(&str, u64, &[u8])]) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        for (path, time, content) in entries {
            let mut header = Header::new_gnu();
            header.set_path(path).unwrap();
            header.set_size(content.len() as u64);
            header.set_mode(0o104_755);
            header.set_mtime(*time);
            header.set_uid(5);
            header.set_gid(6);
            header.set_cksum();
            archive.append(&header, *content).unwrap();
        }
        let mut link = Header::new_gnu();
        link.set_entry_type(EntryType::Symlink);
        link.set_size(0);
        link.set_mode(0o777);
        link.set_mtime(0);
        link.set_uid(0);
        link.set_gid(0);
        archive.append_pax_extensions([("mtime", &b"7.25"[..]), ("SCHILY.xattr.user.a", b"1")]).unwrap();
        archive.append_link(&mut link, "link", "to").unwrap();
        archive.into_inner().unwrap()
    }

    fn listed(blob: &[u8], diff_id: Digest, budget: &mut Budget) -> Result<Vec<Entry>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path().join("layout")).unwrap();
        let descriptor = layout.write(MediaType::ImageLayer, blob).unwrap();
        let mut entries = Vec::new();
        list(&layout, &Layer { descriptor, diff_id }, budget, &mut |entry| {
            entries.push(entry);
            true
        })?;
        Ok(entries)
    }

    #[test]
    fn each_file_is_told_with_all_that_the_layer_says_of_it() {
        let content = archive(&[("a/b", 3, b"one")]);
        let entries = listed(&content, Digest::of(&content), &mut Budget::default()).unwrap();
        let [file, link] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!(
            (&*file.path, file.kind, file.mode, file.owner, &*file.time, file.size),
            (&b"a/b"[..], b'0', 0o4755, (5, 6), "3", 3)
        );
        assert_eq!((file.content, &*file.link, file.attributes), (Digest::of(b"one"), &b""[..], None));
        assert_eq!((link.kind, &*link.time, &*link.link), (b'2', "7.25", &b"to"[..]));
        assert!(link.attributes.is_some());
    }

    #[test]
    fn what_is_not_the_configurations_has_an_end_behind_it_or_goes_beyond_the_budget_is_an_error() {
        let content = archive(&[("a", 3, &[1; 3000])]);
        let digest = Digest::of(&content);
        assert!(matches!(listed(&content, Digest::of(b"other"), &mut Budget::default()), Err(Error::Content { .. })));
        let more = [&content[..], b"more"].concat();
        assert!(matches!(listed(&more, Digest::of(&more), &mut Budget::default()), Err(Error::Archive { .. })));
        for mut budget in [Budget { bytes: 2000, entries: 9 }, Budget { bytes: MAX_BYTES, entries: 1 }] {
            assert!(matches!(listed(&content, digest, &mut budget), Err(Error::TooMuch)));
        }
        let mut budget = Budget { bytes: content.len() as u64 + 1, entries: 3 };
        listed(&content, digest, &mut budget).unwrap();
        assert!(matches!(listed(&content, digest, &mut budget), Err(Error::TooMuch)), "what was read counts for the next");
    }
}
