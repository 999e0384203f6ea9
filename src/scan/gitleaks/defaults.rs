//! gitleaks' own rules, as they are run here.
//!
//! They are those of the version that the image has, from its file. gitleaks can't be told to leave out what it passes over in
//! every rule, so that it is given the file anew without that: what is passed over here is decided here, entry by entry.
//!
//! - No path is passed over. Pictures, lock files and what package managers unpack are read like all else; only rules that
//!   guess leave some alone ([`super::names`]).
//! - `(?i)^true|false|null$` is meant for these three words, and says: what begins with `true`, has `false` in it or ends with
//!   `null`. A private key with `false` in its comment was none. It is anchored.
//! - The letters of the alphabet, and the id that examples have, are no secret by themselves; all that has them somewhere may
//!   be. With little around them they are.
//! - What is one letter over and over, a variable's name, a verb of a format or a path that says where a secret is, is none.
//!   These hold for the whole value, and stay.

use std::sync::LazyLock;

use super::Error;
use super::rules::{Allowed, Rules};

/// gitleaks' own file.
const FILE: &str = include_str!("default.toml");

/// What is no secret, whichever rule found it.
const NO_SECRETS: [&str; 15] = [
    r"^(?i:true|false|null)$",
    r"^(?i:a+|b+|c+|d+|e+|f+|g+|h+|i+|j+|k+|l+|m+|n+|o+|p+|q+|r+|s+|t+|u+|v+|w+|x+|y+|z+|\*+|\.+)$",
    r"^\$(?:\d+|{\d+})$",
    r"^\$(?:[A-Z_]+|[a-z_]+)$",
    r"^\${(?:[A-Z_]+|[a-z_]+)}$",
    r"^\{\{[ \t]*[\w ().|]+[ \t]*}}$",
    r#"^\$\{\{[ \t]*(?:(?:env|github|secrets|vars)(?:\.[A-Za-z]\w+)+[\w "'&./=|]*)[ \t]*}}$"#,
    r"^%(?:[A-Z_]+|[a-z_]+)%$",
    r"^%[+\-# 0]?[bcdeEfFgGoOpqstTUvxX]$",
    r"^\{\d{0,2}}$",
    r"^@(?:[A-Z_]+|[a-z_]+)@$",
    r"^/Users/(?i)[a-z0-9]+/[\w .-/]+$",
    r"^/(?:bin|etc|home|opt|tmp|usr|var)/[\w ./-]+$",
    // The two words that gitleaks looks for anywhere in a secret.
    r"^(?i)014df517-39d1-4453-b7b3-9930c563627c$",
    r"^(?i).{0,24}abcdefghijklmnopqrstuvwxyz.{0,24}$",
];

/// Of a rule's own patterns one that is meant for the whole value, and the value's end would have been forgotten: a token of
/// the longer kind has 24 letters in a row by chance.
const ANCHORED: [(&str, &str); 1] = [(r"s\.[A-Za-z]{24}", r"^s\.[A-Za-z]{24}$")];

static RULES: LazyLock<Result<Rules, String>> = LazyLock::new(|| {
    let mut rules = Rules::read(FILE.as_bytes()).map_err(|error| error.to_string())?;
    let anchored = |pattern: &mut String| {
        if let Some((_, whole)) = ANCHORED.iter().find(|(part, _)| pattern == part) {
            (*whole).clone_into(pattern);
        }
    };
    let lists = rules.own.iter_mut().flat_map(|rule| &mut rule.allowed).flat_map(|allowed| &mut allowed.lists);
    lists.filter(|(key, _)| *key == "regexes").flat_map(|(_, list)| list).for_each(anchored);
    rules.allowed = vec![Allowed {
        texts: vec![("description", "what is no secret".to_owned())],
        lists: vec![("regexes", NO_SECRETS.map(str::to_owned).to_vec())],
    }];
    Ok(rules)
});

/// The rules.
///
/// # Errors
/// Never: the file is ours.
pub(super) fn rules() -> Result<&'static Rules, Error> {
    RULES.as_ref().map_err(|reason| Error::LeakRules { reason: reason.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gitleaks_passes_over_in_every_rule_is_decided_here_entry_by_entry() {
        let theirs = Rules::read(FILE.as_bytes()).unwrap();
        assert_eq!(theirs.unknown, [""; 0]);
        let [allowed] = &theirs.allowed[..] else { panic!("{:?}", theirs.allowed) };
        let list = |wanted: &str| {
            let list = allowed.lists.iter().find(|(key, _)| *key == wanted).map(|(_, list)| list.iter().map(String::as_str));
            list.unwrap().collect::<Vec<_>>()
        };
        let other: Vec<_> = list("regexes").into_iter().filter(|pattern| !NO_SECRETS.contains(pattern)).collect();
        assert_eq!(other, ["(?i)^true|false|null$"]);
        assert_eq!(list("stopWords"), ["014df517-39d1-4453-b7b3-9930c563627c", "abcdefghijklmnopqrstuvwxyz"]);
        assert_eq!(list("regexes").len() + list("stopWords").len(), NO_SECRETS.len());
        assert_eq!(allowed.lists.len(), 3);
    }

    #[test]
    fn every_rule_of_gitleaks_is_run_and_no_path_is_passed_over_by_all() {
        let (ours, theirs) = (rules().unwrap(), Rules::read(FILE.as_bytes()).unwrap());
        assert_eq!(ours.own.len(), theirs.own.len());
        assert!(ours.own.len() > 200 && ours.allowed.iter().all(|allowed| allowed.lists.iter().all(|(key, _)| *key != "paths")));
        let changed = ours.own.iter().zip(&theirs.own).filter(|(ours, theirs)| ours != theirs).count();
        assert_eq!(changed, ANCHORED.len());
    }
}
