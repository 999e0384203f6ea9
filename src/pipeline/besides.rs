//! Secrets in what is not the checkout's own and goes into the image all the same: the history of a repository inside of it,
//! a submodule that the build context is in, and a build context around it.

use std::path::{Path, PathBuf};

use super::Delivery;
use super::preflight::Ready;
use crate::error::Error;
use crate::finding::Leak;
use crate::scan::gitleaks::{self, History, Leaks, Lists, Request};

/// Adds to what was found by `request` in the checkout.
pub(super) async fn scan(delivery: &Delivery, ready: &Ready, request: &Request<'_>, leaks: &mut Leaks) -> Result<(), Error> {
    // What lets itself through there is nobody's word for this source.
    let none = Lists::none();
    // The files of a submodule are looked through with all the others. Its commits are known to its own repository alone.
    for root in ready.checkout.inner.iter().filter(|_| *request.history != History::None) {
        let inside = Request { root, history: &History::Full, unseen: &[], stamped: None, lists: &none, ..request.clone() };
        let found = gitleaks::scan(&delivery.launcher, &inside).await?;
        let folder = root.strip_prefix(&ready.checkout.root).unwrap_or(root);
        add(leaks, found, folder, |leak| leak.commit.is_some());
    }
    let context = &delivery.config.context;
    let context = context.canonicalize().map_err(|source| Error::Io { path: context.clone(), source })?;
    if !context.starts_with(&ready.checkout.root) {
        let exclude: Vec<PathBuf> = request.exclude.iter().chain([&ready.checkout.root]).cloned().collect();
        let around = Request {
            root: &context,
            history: &History::None,
            exclude: &exclude,
            unseen: &[],
            stamped: Some(Path::new("")),
            lists: &none,
            ..request.clone()
        };
        let found = gitleaks::scan(&delivery.launcher, &around).await?;
        add(leaks, found, &context, |_| true);
    }
    Ok(())
}

/// Adds what was found in `folder` and is new.
fn add(leaks: &mut Leaks, found: Leaks, folder: &Path, counts: impl Fn(&Leak) -> bool) {
    let Leaks { findings, suppressions, commits, warnings, stamps } = found;
    for leak in findings.into_iter().filter(counts) {
        let leak = Leak { file: folder.join(leak.file).to_string_lossy().into_owned(), ..leak };
        let is_same = |other: &Leak| (&other.rule, &other.file, other.line) == (&leak.rule, &leak.file, leak.line);
        if !leaks.findings.iter().any(is_same) {
            leaks.findings.push(leak);
        }
    }
    leaks.suppressions.extend(suppressions);
    leaks.commits += commits;
    leaks.warnings.extend(warnings);
    leaks.stamps.extend(stamps);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::Tool;

    fn leak(file: &str, commit: Option<&str>) -> Leak {
        Leak {
            rule: "r".into(),
            description: String::new(),
            file: file.into(),
            line: 1,
            commit: commit.map(str::to_owned),
            layer: None,
            fingerprint: String::new(),
            tool: Tool::GITLEAKS,
        }
    }

    #[test]
    fn what_is_known_of_the_checkout_is_not_found_again() {
        let mut leaks = Leaks { findings: vec![leak("lib/a", None)], commits: 2, ..Leaks::default() };
        let findings = vec![leak("a", Some("c0ffee")), leak("b", None), leak("c", Some("c0ffee"))];
        add(&mut leaks, Leaks { findings, commits: 3, ..Leaks::default() }, Path::new("lib"), |leak| leak.commit.is_some());
        assert_eq!(leaks.findings, [leak("lib/a", None), leak("lib/c", Some("c0ffee"))]);
        assert_eq!(leaks.commits, 5);
    }
}
