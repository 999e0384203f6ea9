//! The names of files and folders as text: a secret in one is as public as in what it holds.

use super::names::Names;
use super::patch::Patch;

/// How many names are given to gitleaks at once.
const PAGE: usize = 256;
/// Shorter than what any rule looks for.
const SHORT: usize = 8;
/// Stands between two names, so that no rule takes them for one text.
const BETWEEN: &[u8] = b"\n|\n";
/// Which commit gitleaks is told that they are of: none.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
/// How much of a name is shown that has a secret in it.
const SHOWN: usize = 4;

/// Paths of files and folders, each with the commit that it is of, by a number.
#[derive(Debug, Default)]
pub(super) struct Paths {
    list: Vec<(Box<[u8]>, usize)>,
    /// How many of them were given to gitleaks.
    given: usize,
}

impl Paths {
    /// Adds a path whose last name is to be looked at.
    pub(super) fn add(&mut self, path: &[u8], commit: usize) {
        if last(path).len() >= SHORT {
            self.list.push((path.into(), commit));
        }
    }

    /// Whether there are enough to be given.
    pub(super) fn are_many(&self) -> bool {
        self.list.len() >= self.given + PAGE
    }

    /// Gives those that were not given yet.
    pub(super) fn give(&mut self, names: &Names, in_commits: bool, patch: &mut Patch) {
        for page in self.list[self.given..].chunks(PAGE) {
            let number = self.given / PAGE;
            patch.begin(in_commits.then_some(NO_COMMIT), &names.of_listing(number), 1);
            for (path, _) in page {
                let name: Vec<u8> = last(path).iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect();
                patch.add(&name);
                patch.add(BETWEEN);
            }
            // A page that is not full is the last one: all are given by then.
            self.given += PAGE;
        }
    }

    /// The path, and the number of its commit, that is on this line of a page.
    pub(super) fn at(&self, page: usize, line: u32) -> Option<(&[u8], usize)> {
        let line = usize::try_from(line.checked_sub(1)?).ok()? / 2;
        let (path, commit) = self.list.get(page.checked_mul(PAGE)?.checked_add(line)?)?;
        Some((path, *commit))
    }
}

fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// A path whose last name has a secret in it, without the secret.
pub(super) fn masked(path: &[u8]) -> String {
    let name = last(path);
    let folder = String::from_utf8_lossy(&path[..path.len() - name.len()]);
    let begin: String = String::from_utf8_lossy(name).chars().take(SHOWN).collect();
    format!("{folder}{begin}***")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_a_line_by_which_its_path_is_found() {
        let (mut paths, mut patch, names) = (Paths::default(), Patch::default(), Names::new("N"));
        for number in 0..600 {
            paths.add(format!("folder/name-{number:04}").as_bytes(), number);
            paths.add(b"folder/short", 0);
            if paths.are_many() {
                paths.give(&names, true, &mut patch);
            }
        }
        paths.give(&names, true, &mut patch);
        patch.finish();
        let text = String::from_utf8(patch.rest().to_vec()).unwrap();
        let mut found = 0;
        for page in text.split("diff --git a/x b/x\n").skip(1) {
            let (head, lines) = page.split_once("@@\n").unwrap();
            let page = head.split("N/sure/list/").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
            for (line, name) in (1..).zip(lines.lines()).filter(|(_, line)| line.starts_with("+name-")) {
                let (found_at, commit) = paths.at(page, line).unwrap();
                assert_eq!((found_at, commit), (format!("folder/{}", &name[1..]).as_bytes(), found));
                found += 1;
            }
        }
        assert_eq!((found, paths.at(0, 0), paths.at(9, 1), paths.at(usize::MAX, 1)), (600, None, None, None));
    }

    #[test]
    fn a_name_with_a_secret_is_not_shown_whole() {
        assert_eq!(masked(b"a/b/ghp_secret"), "a/b/ghp_***");
        assert_eq!(masked("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}".as_bytes()), "\u{e9}\u{e9}\u{e9}\u{e9}***");
    }
}
