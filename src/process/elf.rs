//! What a program file says of the program that loads it (elf(5)).

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const PT_INTERP: u32 = 3;
const MAX_PATH: u64 = 4096;

/// The loader that a program asks for, which loads its libraries too; `None` for a program without any.
pub(super) fn loader(program: &Path) -> Option<PathBuf> {
    let file = File::open(program).ok()?;
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0).ok()?;
    // 64 bits, the lower byte first.
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, size, count) = (u64_at(&header, 32)?, u64::from(u16_at(&header, 54)?), u64::from(u16_at(&header, 56)?));
    (0..count).find_map(|number| {
        let mut entry = [0; 56];
        file.read_exact_at(&mut entry, table.checked_add(number * size)?).ok()?;
        let (offset, length) = (u64_at(&entry, 8)?, u64_at(&entry, 32)?);
        if u32_at(&entry, 0)? != PT_INTERP || length > MAX_PATH {
            return None;
        }
        let mut path = vec![0; usize::try_from(length).ok()?];
        file.read_exact_at(&mut path, offset).ok()?;
        path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or(path.len()));
        Some(PathBuf::from(OsString::from_vec(path)))
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_names_its_loader_and_a_script_has_none() {
        let loader_of_this = loader(Path::new("/proc/self/exe")).unwrap();
        assert!(loader_of_this.is_absolute() && loader_of_this.exists(), "{}", loader_of_this.display());
        // The loader itself needs none.
        assert_eq!(loader(&loader_of_this), None);
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(script.path(), format!("#!/bin/sh\n{}", " ".repeat(100))).unwrap();
        assert_eq!(loader(script.path()), None);
    }
}
