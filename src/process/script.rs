//! Which program runs a script, by its first line, as the kernel reads it (execve(2), "Interpreter scripts"; Linux,
//! `fs/binfmt_script.c`).

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::iter;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// How much of a program the kernel looks at to tell what it is, in bytes (`BINPRM_BUF_SIZE`).
const LOOKED_AT: usize = 256;

/// How many interpreters that are scripts themselves the kernel goes through, the program included (`fs/exec.c`).
const DEPTH: usize = 5;

/// The interpreters of a program, each that of the one before it; none of a program that is no script.
pub(super) fn interpreters(program: &Path) -> impl Iterator<Item = PathBuf> {
    iter::successors(interpreter(program), |script| interpreter(script)).take(DEPTH)
}

/// The interpreter of a script. One whose path is relative is another program in each folder, and none here.
fn interpreter(program: &Path) -> Option<PathBuf> {
    let mut beginning = Vec::with_capacity(LOOKED_AT);
    File::open(program).ok()?.take(LOOKED_AT as u64).read_to_end(&mut beginning).ok()?;
    let path = named(&beginning)?;
    path.is_absolute().then(|| path.to_owned())
}

/// The path that the first line names.
fn named(beginning: &[u8]) -> Option<&Path> {
    let text = beginning.strip_prefix(b"#!")?;
    let line_ends = text.iter().position(|byte| *byte == b'\n');
    let line = &text[..line_ends.unwrap_or(text.len())];
    let name = &line[line.iter().position(|byte| !is_blank(*byte))?..];
    let ends = name.iter().position(|byte| is_blank(*byte) || *byte == 0);
    // A path that may go on behind what is looked at is none.
    let is_whole = ends.or(line_ends).is_some() || beginning.len() < LOOKED_AT;
    is_whole.then(|| Path::new(OsStr::from_bytes(&name[..ends.unwrap_or(name.len())])))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    /// First lines, and the path that each names.
    fn lines() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let padded = |bytes: usize| [b"#!".as_slice(), &vec![b' '; bytes], b"/bin/sh"].concat();
        let mut lines = [
            ("#!/bin/sh\n", Some("/bin/sh")),
            ("#! \t/bin/sh -e \t\nexit 1", Some("/bin/sh")),
            ("#!/bin/sh", Some("/bin/sh")),
            ("#!/bin/sh\r\n", Some("/bin/sh\r")),
            ("#!/bin/sh\0x\n", Some("/bin/sh")),
            ("#!bin/sh\n", Some("bin/sh")),
            ("#!\n/bin/sh\n", None),
            ("#!  \n", None),
            ("#!", None),
            ("# !/bin/sh\n", None),
            ("\x7fELF", None),
            ("", None),
        ]
        .map(|(text, named)| (text.as_bytes().to_vec(), named))
        .to_vec();
        // The whole path and what ends it have to be among what is looked at.
        for (bytes, more, named) in [
            (200, "\n", Some("/bin/sh")),
            (246, "\n", Some("/bin/sh")),
            (246, " x", Some("/bin/sh")),
            (246, "", Some("/bin/sh")),
            (247, "", None),
            (246, "xx\n", None),
            (300, "\n", None),
        ] {
            lines.push(([padded(bytes), more.into()].concat(), named));
        }
        lines
    }

    #[test]
    fn the_path_that_a_script_names_is_read_as_the_kernel_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        for (text, expected) in lines() {
            let looked_at = &text[..text.len().min(LOOKED_AT)];
            assert_eq!(named(looked_at), expected.map(Path::new), "{:?}", String::from_utf8_lossy(&text));
            // The kernel runs those whose interpreter is there, and no others.
            fs::write(&script, &text).unwrap();
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
            let runs = Command::new(&script).current_dir("/").env_clear().status().is_ok();
            assert_eq!(
                runs,
                expected.is_some_and(|path| Path::new("/").join(path).exists()),
                "{:?}",
                String::from_utf8_lossy(&text)
            );
        }
    }

    #[test]
    fn a_script_of_scripts_is_followed_as_far_as_the_kernel_does() {
        let folder = tempfile::tempdir().unwrap();
        let at = |number: usize| folder.path().join(number.to_string());
        for number in 0..8 {
            let interpreter = if number == 0 { PathBuf::from("/bin/true") } else { at(number - 1) };
            fs::write(at(number), format!("#!{}\n", interpreter.display())).unwrap();
            fs::set_permissions(at(number), fs::Permissions::from_mode(0o755)).unwrap();
            let found: Vec<_> = interpreters(&at(number)).collect();
            let all = found.last() == Some(&PathBuf::from("/bin/true"));
            assert_eq!(Command::new(at(number)).status().is_ok(), all, "{number}: {found:?}");
        }
        assert_eq!(interpreters(Path::new("/bin/true")).count(), 0);
    }
}
