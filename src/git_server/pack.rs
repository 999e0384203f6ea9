//! Packs: many objects in a row (gitformat-pack(5)).

use std::collections::HashMap;
use std::io::Write as _;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use super::error::Error;
use super::object::{Id, Kind, Object, Objects};

/// The most bytes of an object.
const MAX_OBJECT: usize = 32 << 20;
/// The most bytes that all objects of a pack come to.
const MAX_WHOLE: usize = 512 << 20;

const BROKEN: Error = Error::Malformed("a pack is broken");

/// An object as the difference from another.
struct Delta {
    base: Id,
    instructions: Vec<u8>,
}

/// Reads a pack. What it has as differences may be from objects that are known.
///
/// # Errors
/// It is broken, or comes to too much.
pub(super) fn read(pack: &[u8], known: &Objects) -> Result<Objects, Error> {
    let (content, sum) = pack.split_at_checked(pack.len().wrapping_sub(20)).ok_or(BROKEN)?;
    if digest(&SHA1_FOR_LEGACY_USE_ONLY, content).as_ref() != sum {
        return Err(BROKEN);
    }
    let header = content.strip_prefix(b"PACK\0\0\0\x02").and_then(|rest| rest.split_first_chunk::<4>());
    let (count, mut rest) = header.ok_or(BROKEN)?;
    let (mut objects, mut deltas, mut whole) = (Objects::new(), Vec::new(), 0_usize);
    for _ in 0..u32::from_be_bytes(*count) {
        let (kind, size) = head(&mut rest)?;
        let base = match kind {
            7 => {
                let (base, behind) = rest.split_first_chunk::<20>().ok_or(BROKEN)?;
                rest = behind;
                Some(Id(*base))
            }
            _ => None,
        };
        whole = whole.saturating_add(size);
        if size > MAX_OBJECT || whole > MAX_WHOLE {
            return Err(Error::TooLong(if size > MAX_OBJECT { MAX_OBJECT } else { MAX_WHOLE }));
        }
        let content = inflated(&mut rest, size)?;
        match (kind, base) {
            (_, Some(base)) => deltas.push(Delta { base, instructions: content }),
            (kind, None) => {
                let object = Object { kind: kind_of(kind)?, content };
                objects.insert(object.id(), object);
            }
        }
    }
    if !rest.is_empty() {
        return Err(BROKEN);
    }
    resolve(&mut objects, deltas, known, whole)?;
    Ok(objects)
}

fn kind_of(kind: u8) -> Result<Kind, Error> {
    match kind {
        1 => Ok(Kind::Commit),
        2 => Ok(Kind::Tree),
        3 => Ok(Kind::Blob),
        4 => Ok(Kind::Tag),
        // A difference by place is sent to those alone who ask for it.
        _ => Err(BROKEN),
    }
}

/// The kind and the size of the object that comes next.
fn head(rest: &mut &[u8]) -> Result<(u8, usize), Error> {
    let mut byte = next(rest)?;
    let kind = (byte >> 4) & 7;
    let (mut size, mut shift) = (usize::from(byte & 15), 4);
    while byte & 128 != 0 {
        byte = next(rest)?;
        if shift > 32 {
            return Err(BROKEN);
        }
        size |= usize::from(byte & 127) << shift;
        shift += 7;
    }
    Ok((kind, size))
}

fn next(rest: &mut &[u8]) -> Result<u8, Error> {
    let (byte, behind) = rest.split_first().ok_or(BROKEN)?;
    *rest = behind;
    Ok(*byte)
}

/// So many bytes, as they are compressed at the beginning of `rest`.
fn inflated(rest: &mut &[u8], size: usize) -> Result<Vec<u8>, Error> {
    let (mut zlib, mut content) = (Decompress::new(true), vec![0; size + 1]);
    let (mut read, mut written) = (0, 0);
    loop {
        let (read_before, written_before) = (zlib.total_in(), zlib.total_out());
        let status = zlib.decompress(&rest[read..], &mut content[written..], FlushDecompress::Finish).map_err(|_| BROKEN)?;
        read += usize::try_from(zlib.total_in() - read_before).map_err(|_| BROKEN)?;
        written += usize::try_from(zlib.total_out() - written_before).map_err(|_| BROKEN)?;
        if status == Status::StreamEnd {
            break;
        }
        if (zlib.total_in(), zlib.total_out()) == (read_before, written_before) {
            return Err(BROKEN);
        }
    }
    if written != size {
        return Err(BROKEN);
    }
    content.truncate(size);
    *rest = &rest[read..];
    Ok(content)
}

/// Makes objects of what is there as differences.
fn resolve(objects: &mut Objects, deltas: Vec<Delta>, known: &Objects, mut whole: usize) -> Result<(), Error> {
    let mut waiting = HashMap::<Id, Vec<Vec<u8>>>::new();
    for delta in deltas {
        waiting.entry(delta.base).or_default().push(delta.instructions);
    }
    let mut bases: Vec<Id> = waiting.keys().filter(|id| objects.contains_key(*id) || known.contains_key(*id)).copied().collect();
    while let Some(id) = bases.pop() {
        for instructions in waiting.remove(&id).unwrap_or_default() {
            let base = objects.get(&id).or_else(|| known.get(&id)).ok_or(BROKEN)?;
            let object = Object { kind: base.kind, content: applied(&base.content, &instructions, &mut whole)? };
            let made = object.id();
            objects.insert(made, object);
            if waiting.contains_key(&made) {
                bases.push(made);
            }
        }
    }
    if waiting.is_empty() { Ok(()) } else { Err(BROKEN) }
}

/// What instructions make of a base.
fn applied(base: &[u8], mut rest: &[u8], whole: &mut usize) -> Result<Vec<u8>, Error> {
    let (from, to) = (length(&mut rest)?, length(&mut rest)?);
    *whole = whole.saturating_add(to);
    if to > MAX_OBJECT || *whole > MAX_WHOLE {
        return Err(Error::TooLong(if to > MAX_OBJECT { MAX_OBJECT } else { MAX_WHOLE }));
    }
    if from != base.len() {
        return Err(BROKEN);
    }
    let mut made = Vec::with_capacity(to);
    while !rest.is_empty() {
        let instruction = next(&mut rest)?;
        let part = if instruction & 128 == 0 {
            let (part, behind) = rest.split_at_checked(usize::from(instruction)).filter(|_| instruction > 0).ok_or(BROKEN)?;
            rest = behind;
            part
        } else {
            let mut number = |bits: &[u8]| {
                let mut value = 0_usize;
                for (at, bit) in bits.iter().enumerate() {
                    if instruction & bit != 0 {
                        value |= usize::from(next(&mut rest)?) << (8 * at);
                    }
                }
                Ok::<_, Error>(value)
            };
            let (offset, size) = (number(&[1, 2, 4, 8])?, number(&[16, 32, 64])?);
            let size = if size == 0 { 0x10000 } else { size };
            base.get(offset..offset.saturating_add(size)).ok_or(BROKEN)?
        };
        if made.len() + part.len() > to {
            return Err(BROKEN);
        }
        made.extend_from_slice(part);
    }
    if made.len() == to { Ok(made) } else { Err(BROKEN) }
}

fn length(rest: &mut &[u8]) -> Result<usize, Error> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = next(rest)?;
        if shift > 35 {
            return Err(BROKEN);
        }
        value |= usize::from(byte & 127) << shift;
        shift += 7;
        if byte & 128 == 0 {
            return Ok(value);
        }
    }
}

/// A pack of these objects.
///
/// # Errors
/// One does not get smaller, which memory alone could be the cause of.
pub(super) fn written<'a>(objects: impl ExactSizeIterator<Item = &'a Object>) -> std::io::Result<Vec<u8>> {
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend_from_slice(&u32::try_from(objects.len()).unwrap_or(u32::MAX).to_be_bytes());
    for Object { kind, content } in objects {
        let kind: u8 = match kind {
            Kind::Commit => 1,
            Kind::Tree => 2,
            Kind::Blob => 3,
            Kind::Tag => 4,
        };
        let mut size = content.len();
        let low = |size: usize, mask: usize| u8::try_from(size & mask).unwrap_or_default();
        let mut byte = (kind << 4) | low(size, 15);
        size >>= 4;
        while size > 0 {
            pack.push(byte | 128);
            byte = low(size, 127);
            size >>= 7;
        }
        pack.push(byte);
        let mut zlib = ZlibEncoder::new(pack, Compression::default());
        zlib.write_all(content)?;
        pack = zlib.finish()?;
    }
    let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, &pack);
    pack.extend_from_slice(sum.as_ref());
    Ok(pack)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(content: &[u8]) -> Object {
        Object { kind: Kind::Blob, content: content.to_vec() }
    }

    #[test]
    fn what_is_written_is_read_and_a_byte_more_less_or_other_is_broken() {
        let all = [blob(b""), blob(&vec![7; 100_000]), Object { kind: Kind::Tree, content: vec![1, 2, 3] }];
        let pack = written(all.iter()).unwrap();
        let read = |pack: &[u8]| super::read(pack, &Objects::new());
        let objects = read(&pack).unwrap();
        assert!(objects.len() == 3 && all.iter().all(|object| objects.get(&object.id()) == Some(object)));
        for at in 0..pack.len() {
            let mut other = pack.clone();
            other[at] ^= 1;
            assert!(read(&other).is_err(), "{at}");
            assert!(read(&pack[..at]).is_err(), "{at}");
        }
        assert_eq!(blob(b"").id().to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    }

    fn of_delta(instructions: &[u8]) -> Vec<u8> {
        let base = blob(b"hello world");
        let mut pack = b"PACK\0\0\0\x02\0\0\0\x01".to_vec();
        pack.push((7 << 4) | u8::try_from(instructions.len()).unwrap());
        pack.extend_from_slice(&base.id().0);
        let mut zlib = ZlibEncoder::new(pack, Compression::default());
        zlib.write_all(instructions).unwrap();
        let mut pack = zlib.finish().unwrap();
        let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, &pack);
        pack.extend_from_slice(sum.as_ref());
        pack
    }

    #[test]
    fn a_difference_is_from_what_is_known_and_stays_within_it() {
        let base = blob(b"hello world");
        let known = Objects::from([(base.id(), base)]);
        // Copy 5 bytes from 6, insert "!", of 11 bytes to 6.
        let whole = of_delta(&[11, 6, 0x91, 6, 5, 1, b'!']);
        assert!(read(&whole, &known).unwrap().contains_key(&blob(b"world!").id()));
        assert!(read(&whole, &Objects::new()).is_err(), "the base is not there");
        for broken in [
            &[11, 6, 0x91, 7, 5, 1, b'!'][..],
            &[10, 6, 0x91, 6, 5, 1, b'!'],
            &[11, 5, 0x91, 6, 5, 1, b'!'],
            &[11, 7, 0x91, 6, 5, 1, b'!'],
            &[11, 6, 0],
            &[11, 6, 0x91, 6],
            &[11, 6, 9, b'!'],
        ] {
            assert!(read(&of_delta(broken), &known).is_err(), "{broken:?}");
        }
    }
}
