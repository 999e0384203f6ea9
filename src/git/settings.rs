//! What is read of a repository's configuration: facts, and nothing that could be a program.

/// The extensions of the format (gitrepository-layout(5), "extensions") that this program can do with: all those that change
/// nothing in how a view of the repository is read, and those that [`Settings`] copies.
const KNOWN_EXTENSIONS: [&str; 10] = [
    "compatobjectformat",
    "noop",
    "noop-v1",
    "objectformat",
    "partialclone",
    "preciousobjects",
    "refstorage",
    "relativeworktrees",
    "submodulepathconfig",
    "worktreeconfig",
];

/// What is copied of `core`: how contents and modes are told apart (git-config(1)).
const COPIED: [&str; 8] = ["autocrlf", "checkstat", "eol", "filemode", "ignorecase", "symlinks", "trustctime", "sparsecheckout"];

/// The facts of a repository's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// The version of the format.
    version: u32,
    object_format: Option<String>,
    ref_storage: Option<String>,
    /// Settings of `core` that are words.
    copied: Vec<(&'static str, String)>,
    /// An extension that is not known.
    unknown: Option<String>,
    /// Whether a working tree has settings of its own.
    pub(super) of_worktree: bool,
    /// The filter of a partial clone: objects that it leaves out are not there.
    pub(super) filter: Option<String>,
    /// Whether only a part of the tree is checked out.
    pub(super) sparse: bool,
    /// Where it was cloned from.
    pub(super) origin: Option<String>,
}

impl Settings {
    /// Takes what `git config --null --list` says of a file.
    pub(super) fn read(&mut self, listed: &[u8]) {
        for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let entry = String::from_utf8_lossy(entry);
            // A key alone is a switch that is on.
            let (key, value) = entry.split_once('\n').unwrap_or((&entry, "true"));
            self.take(key, value);
        }
    }

    fn take(&mut self, key: &str, value: &str) {
        match key {
            "core.repositoryformatversion" => self.version = value.parse().unwrap_or(u32::MAX),
            "extensions.objectformat" => self.object_format = word(value),
            "extensions.refstorage" => self.ref_storage = word(value),
            "extensions.worktreeconfig" => self.of_worktree = is_on(value),
            "extensions.partialclone" => drop(self.filter.get_or_insert_default()),
            "remote.origin.url" => self.origin = Some(value.to_owned()),
            _ => {}
        }
        if key.starts_with("remote.") && key.ends_with(".promisor") && is_on(value) {
            self.filter.get_or_insert_default();
        }
        if key.starts_with("remote.") && key.ends_with(".partialclonefilter") {
            self.filter = Some(value.to_owned());
        }
        if let Some(name) = key.strip_prefix("extensions.").filter(|name| !KNOWN_EXTENSIONS.contains(name)) {
            self.unknown = Some(name.to_owned());
        }
        let copied = key.strip_prefix("core.").and_then(|name| COPIED.into_iter().find(|copied| *copied == name));
        if let (Some(name), Some(value)) = (copied, word(value)) {
            self.sparse = if name == "sparsecheckout" { is_on(&value) } else { self.sparse };
            self.copied.push((name, value));
        }
    }

    /// The extension that keeps the repository from being read, if there is one.
    pub(super) fn unknown_extension(&self) -> Option<&str> {
        match (&self.unknown, self.version) {
            (Some(name), 1) => Some(name),
            // Version 0 ignores them.
            (_, 0) | (None, 1) => None,
            _ => Some("repositoryformatversion"),
        }
    }

    /// A configuration with these facts, and nothing else.
    pub(super) fn configuration(&self) -> String {
        let extensions = [("objectformat", &self.object_format), ("refstorage", &self.ref_storage)];
        let extensions: Vec<_> = extensions.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
        let version = u8::from(!extensions.is_empty());
        let mut text = format!("[core]\n\trepositoryformatversion = {version}\n\tbare = false\n");
        text.extend(self.copied.iter().map(|(name, value)| format!("\t{name} = {value}\n")));
        text.push_str("[extensions]\n");
        text.extend(extensions.iter().map(|(name, value)| format!("\t{name} = {value}\n")));
        text
    }
}

/// A value that can't be anything but a word.
fn word(value: &str) -> Option<String> {
    let is_word = !value.is_empty() && value.len() <= 32 && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word.then(|| value.to_owned())
}

/// git-config(1), "Values", "boolean".
fn is_on(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    matches!(&*value, "true" | "yes" | "on") || value.parse::<i64>().is_ok_and(|number| number != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[&str]) -> Settings {
        let mut settings = Settings::default();
        settings.read(&entries.iter().flat_map(|entry| [entry.as_bytes(), b"\0"].concat()).collect::<Vec<_>>());
        settings
    }

    #[test]
    fn what_could_be_a_program_is_not_copied() {
        let settings = read(&[
            "core.repositoryformatversion\n0",
            "core.fsmonitor\n./run",
            "core.hookspath\nhooks",
            "core.worktree\n/elsewhere",
            "core.autocrlf\ninput",
            "core.eol\nlf\n[filter \"x\"]\n\tclean = ./run",
            "filter.x.clean\n./run",
            "include.path\n/etc/gitconfig",
            "core.filemode\nfalse",
        ]);
        let expected =
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tautocrlf = input\n\tfilemode = false\n[extensions]\n";
        assert_eq!(settings.configuration(), expected);
    }

    #[test]
    fn the_hash_of_the_repository_is_copied() {
        let settings = read(&["core.repositoryformatversion\n1", "extensions.objectformat\nsha256"]);
        assert!(settings.configuration().contains("repositoryformatversion = 1"));
        assert!(settings.configuration().ends_with("[extensions]\n\tobjectformat = sha256\n"));
        assert_eq!(settings.unknown_extension(), None);
    }

    #[test]
    fn an_unknown_format_is_told() {
        let unknown = |entries: &[&str]| read(entries).unknown_extension().map(str::to_owned);
        assert_eq!(unknown(&["core.repositoryformatversion\n1", "extensions.future\nx"]).as_deref(), Some("future"));
        assert_eq!(unknown(&["core.repositoryformatversion\n0", "extensions.future\nx"]), None);
        assert_eq!(unknown(&["core.repositoryformatversion\n2"]).as_deref(), Some("repositoryformatversion"));
    }

    #[test]
    fn partial_and_sparse_are_seen_in_all_their_forms() {
        assert_eq!(
            read(&["remote.up.promisor\ntrue", "remote.up.partialclonefilter\nblob:none"]).filter.as_deref(),
            Some("blob:none")
        );
        assert_eq!(read(&["extensions.partialclone\norigin"]).filter.as_deref(), Some(""));
        assert_eq!(read(&["remote.up.promisor\nfalse"]).filter, None);
        assert!(read(&["core.sparsecheckout"]).sparse && !read(&["core.sparsecheckout\nfalse"]).sparse);
    }
}
