//! What trivy says on standard error: a line is `TIME LEVEL MESSAGE FIELDS` with tabs between, a field `NAME=VALUE`.

use std::collections::BTreeSet;

use crate::process::Output;
use crate::text::{self, plain};

/// What trivy says of nearly every image, and what the report tells in other words.
const KNOWN: [&str; 10] = [
    "Using severities from other vendors for some vulnerabilities",
    "This OS version is no longer supported by the distribution",
    "The vulnerability detection may be insufficient because security updates are not provided",
    "No OS package is detected",
    "e.g. files under \"/lib/apk/db/\"",
    "Unsupported os",
    // Of a list of packages by name. What it leaves out of one is missing in its report.
    "Third-party SBOM may lead to inaccurate vulnerability detection",
    "Recommend using Trivy to generate SBOMs",
    "Failed to parse component",
    UNKNOWN_VERSION,
];

/// What it says of a release of a distribution that it has not heard of (its `version.Supported`).
const UNKNOWN_VERSION: &str = "This OS version is not on the EOL list";

/// What begins the reason of an analysis that failed, where that was of no list of packages: licences, checksums, and what
/// refines a distribution that is known by other files (its `pkg/fanal/analyzer`).
const NO_LIST: [&str; 9] = [
    "parse copyright",
    "license classification error",
    "seek error",
    "sha256 error",
    "dockerfile parse error",
    "instruction parse error",
    "no component found",
    "no arch found",
    "mixing different distributions",
];

/// Something that it takes for a list of packages, or for part of one, and can't read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unread {
    /// The file; or what it is about, where trivy names none.
    pub(super) name: String,
    /// What is wrong with it.
    pub(super) why: String,
    /// Whether a package manager puts such a list there. Packages come with broken ones of their own, to test with.
    pub(super) is_installed: bool,
}

/// All of it.
pub(super) struct Log<'a> {
    text: &'a str,
}

struct Line<'a> {
    level: &'a str,
    message: &'a str,
    fields: &'a str,
}

impl Line<'_> {
    /// The list that it says can't be read, whatever the level: most of it is said for debugging alone.
    fn unread(&self) -> Option<Unread> {
        // `[dpkg] Parse error`.
        let message =
            self.message.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(self.message, |(_, rest)| rest);
        let path = || value(self.fields, "file_path=");
        let reason = || value(self.fields, "err=").unwrap_or_default();
        match message {
            "Analysis error" => analysis(&reason()),
            // Lists of files and of what could be installed, not of what is.
            "Walk error" | "Parse error" | "Permission error"
                if path().is_some_and(|path| path.ends_with(".md5sums") || path == "var/lib/dpkg/available") =>
            {
                None
            }
            "Walk error" | "Parse error" | "Permission error" => {
                let name = path().unwrap_or_else(|| "a list of packages".to_owned());
                Some(Unread { is_installed: is_installed(&name), name, why: unreadable(&reason()) })
            }
            "Invalid version" | "Invalid source version" | "Invalid version found" => {
                let name = value(self.fields, "package=").or_else(|| value(self.fields, "name="))?;
                let version = value(self.fields, "version=").unwrap_or_default();
                Some(Unread { name, why: format!("trivy can't make sense of its version, {version:?}"), is_installed: true })
            }
            "Cannot parse .NET library version" => {
                let name = value(self.fields, "library=")?;
                Some(Unread { name, why: "trivy can't make sense of its name and version".to_owned(), is_installed: true })
            }
            "Conda package is supported for SBOM, not for vulnerability scanning" => {
                let why = "trivy has no advisories for packages of this type".to_owned();
                Some(Unread { name: "conda".to_owned(), why, is_installed: true })
            }
            "The library type is not supported for vulnerability scanning" => {
                let why = "trivy has no advisories for packages of this type".to_owned();
                Some(Unread { name: value(self.fields, "type=")?, why, is_installed: true })
            }
            _ => None,
        }
    }

    /// The version that it can't compare: `python version error (5.3_x): malformed version: 5.3_x` (trivy's
    /// `compare.Comparer`). That it can't make sense of an advisory's versions is another error.
    fn incomparable_version(&self) -> Option<String> {
        let reason = (self.message == "Version matching error").then(|| value(self.fields, "err=")).flatten()?;
        let (_, rest) = reason.split_once("version error (")?;
        Some(rest.split_once("): ").map_or(rest, |(version, _)| version).to_owned())
    }
}

/// What an analysis that failed was of. Its reason names the file, where it names one at all.
fn analysis(reason: &str) -> Option<Unread> {
    if NO_LIST.iter().any(|harmless| reason.starts_with(harmless)) {
        return None;
    }
    let file = || {
        let rest = reason.strip_prefix("failed to parse ").filter(|rest| !rest.starts_with("rpmdb: "))?;
        rest.split_once(": ")
    };
    let binary = || reason.strip_prefix("go binary (filepath: ")?.split_once(") ");
    let (name, why) = match file().or_else(binary) {
        Some((path, why)) => (path, why),
        None if reason.starts_with("failed to parse rpm") => ("rpm", reason),
        None => (reason.split(": ").next().unwrap_or_default(), reason),
    };
    Some(Unread { is_installed: is_installed(name), name: name.to_owned(), why: unreadable(why) })
}

fn unreadable(reason: &str) -> String {
    if reason.is_empty() { "trivy can't read it".to_owned() } else { format!("trivy can't read it: {reason}") }
}

/// Whether a file is where a package manager puts it. npm installs a package into a folder of its name below
/// `node_modules` (as trivy's `IsPackageRoot` has it); a `package.json` elsewhere is the project's own, a template or a test.
fn is_installed(path: &str) -> bool {
    if path.rsplit('/').next() != Some("package.json") {
        return true;
    }
    let Some((_, package)) = path.rsplit_once("node_modules/") else { return false };
    match package.split('/').collect::<Vec<_>>().as_slice() {
        [name, _] => !name.starts_with('@'),
        [scope, _, _] => scope.starts_with('@'),
        _ => false,
    }
}

impl<'a> Log<'a> {
    pub(super) fn of(output: &'a Output) -> Self {
        Self { text: &output.stderr }
    }

    fn lines(&self) -> impl Iterator<Item = Line<'a>> {
        self.text.lines().filter_map(|line| {
            let mut parts = line.splitn(4, '\t').skip(1);
            Some(Line { level: parts.next()?, message: parts.next()?, fields: parts.next().unwrap_or_default() })
        })
    }

    /// What a reader should know, in trivy's words.
    pub(super) fn warnings(&self) -> Vec<String> {
        let told = |line: &Line<'_>| {
            matches!(line.level, "WARN" | "ERROR")
                && !KNOWN.iter().any(|known| line.message.starts_with(known))
                && line.unread().is_none()
                && line.incomparable_version().is_none()
        };
        self.lines().filter(told).map(|line| text::words(&format!("{} {}", line.message, line.fields)).into()).collect()
    }

    /// The lists that trivy can't make sense of.
    pub(super) fn unread(&self) -> BTreeSet<Unread> {
        self.lines().filter_map(|line| line.unread()).collect()
    }

    /// Whether there is nothing that a reader should know.
    pub(super) fn says_nothing(&self) -> bool {
        self.warnings().is_empty() && self.unread().is_empty()
    }

    /// The versions that it can't compare with those of advisories.
    pub(super) fn incomparable_versions(&self) -> BTreeSet<String> {
        self.lines().filter_map(|line| line.incomparable_version()).collect()
    }

    /// Whether the distribution's release is one that trivy has not heard of.
    pub(super) fn is_of_unknown_version(&self) -> bool {
        self.lines().any(|line| line.message.starts_with(UNKNOWN_VERSION))
    }

    /// Why trivy gave up. For those who debug it, it says where in its source each part of the reason comes from; here are
    /// the parts alone, each of which begins with ` - `.
    pub(super) fn fatal(&self) -> Option<String> {
        let (_, rest) = self.text.split_once("\tFATAL\t")?;
        let mut lines = rest.lines();
        let first = lines.next()?.split('\t').nth(1).unwrap_or_default();
        let parts = lines.filter_map(|line| line.trim_start().strip_prefix("- "));
        let reason: Vec<_> = std::iter::once(first).chain(parts).map(|part| plain(part.trim())).collect();
        Some(reason.join(" ").trim().to_owned()).filter(|reason| !reason.is_empty())
    }
}

/// The value of the field that begins with `name`: quoted as Go does, or up to the next space.
fn value(fields: &str, name: &str) -> Option<String> {
    let (_, rest) = fields.split_once(name)?;
    let end = |text: &str| {
        let mut escaped = false;
        text.bytes().position(|byte| {
            let end = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            end
        })
    };
    let value = match rest.strip_prefix('"') {
        Some(quoted) => &quoted[..end(quoted).unwrap_or(quoted.len())],
        None => rest.split(' ').next().unwrap_or_default(),
    };
    Some(text::line(value, text::WORDS).into()).filter(|value: &String| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stderr: &str) -> Output {
        Output { code: 1, stdout: Vec::new(), stderr: stderr.to_owned() }
    }

    #[test]
    fn the_reason_of_a_failure_is_one_line_whether_debugged_or_not() {
        let debugged = "T\tINFO\tx\nT\tFATAL\tFatal error\t\n  - run error:\n    a.Run\n        a.go:1\n  - scan error:\n    a.Scan\n        a.go:2\n  - unexpected EOF\n";
        let plain = "T\tFATAL\tFatal error\trun error: scan error: unexpected EOF\n";
        for stderr in [debugged, plain] {
            assert_eq!(Log::of(&output(stderr)).fatal().as_deref(), Some("run error: scan error: unexpected EOF"));
        }
        assert_eq!(Log::of(&output("panic: x\n")).fatal(), None);
    }

    fn unread(stderr: &str) -> Vec<(String, String)> {
        Log::of(&output(stderr)).unread().into_iter().map(|unread| (unread.name, unread.why)).collect()
    }

    #[test]
    fn lists_that_could_not_be_read_are_named_once_with_the_reason() {
        let stderr = "T\tDEBUG\tWalk error\tfile_path=\"app/a \\\"b.jar\" err=\"zip: not a valid zip file\"\n\
                      T\tDEBUG\tWalk error\tfile_path=\"app/a \\\"b.jar\" err=\"zip: not a valid zip file\"\n\
                      T\tDEBUG\t[analyzer] Analysis error\terr=\"failed to parse rpmdb: x\"\n\
                      T\tDEBUG\t[analyzer] Analysis error\terr=\"failed to parse a/node_modules/b/package.json: JSON decode error: y\"\n\
                      T\tDEBUG\t[analyzer] Analysis error\terr=\"go binary (filepath: bin/a) parse error: z\"\n\
                      T\tWARN\t[dpkg] Parse error\tfile_path=\"var/lib/dpkg/status\" err=\"malformed\"\n\
                      T\tWARN\t[dpkg] Invalid version\tOS=\"debian\" package=\"tar\" version=\"!\"\n\
                      T\tDEBUG\tother\tfile_path=\"b\"\n";
        let expected = [
            ("a/node_modules/b/package.json", "trivy can't read it: JSON decode error: y"),
            ("app/a \\\"b.jar", "trivy can't read it: zip: not a valid zip file"),
            ("bin/a", "trivy can't read it: parse error: z"),
            ("rpm", "trivy can't read it: failed to parse rpmdb: x"),
            ("tar", "trivy can't make sense of its version, \"!\""),
            ("var/lib/dpkg/status", "trivy can't read it: malformed"),
        ];
        assert_eq!(unread(stderr), expected.map(|(name, why)| (name.to_owned(), why.to_owned())));
    }

    #[test]
    fn a_version_that_can_not_be_compared_is_named_and_is_no_warning() {
        let stderr = "T\tWARN\tVersion matching error\terr=\"python version error (5.3!x): malformed version: 5.3!x\"\n\
                      T\tWARN\tVersion matching error\terr=\"version error (1 (2)): y\"\n\
                      T\tWARN\tVersion matching error\terr=\"npm constraint error (>=x): y\"\n";
        let output = output(stderr);
        let log = Log::of(&output);
        assert_eq!(log.incomparable_versions(), BTreeSet::from(["5.3!x".to_owned(), "1 (2)".to_owned()]));
        assert_eq!(log.warnings().len(), 1, "an advisory that it can't make sense of is no fault of the image");
    }

    #[test]
    fn what_is_no_list_of_what_is_installed_is_not_missed() {
        let stderr = "T\tDEBUG\tWalk error\tfile_path=\"var/lib/dpkg/info/tar.md5sums\" err=\"invalid md5sums line format\"\n\
                      T\tWARN\t[dpkg] Parse error\tfile_path=\"var/lib/dpkg/available\" err=\"malformed\"\n\
                      T\tDEBUG\t[analyzer] Analysis error\terr=\"parse copyright usr/share/doc/a/copyright: x\"\n";
        assert_eq!(unread(stderr), []);
    }

    #[test]
    fn a_package_that_npm_installed_is_told_from_what_packages_bring_along() {
        for path in [
            "node_modules/a/package.json",
            "x/node_modules/@s/a/package.json",
            "a/METADATA",
            "n/node_modules/a/node_modules/b/package.json",
        ] {
            assert!(is_installed(path), "{path}");
        }
        for path in [
            "package.json",
            "node_modules/resolve/test/broken/package.json",
            "node_modules/@s/package.json",
            "node_modules/@s/a/b/package.json",
        ] {
            assert!(!is_installed(path), "{path}");
        }
    }

    #[test]
    fn a_warning_is_told_unless_it_is_known() {
        let stderr = "T\tWARN\t[x] Slow\tfile_path=\"a\"\nT\tWARN\tUnsupported os\tfamily=\"x\"\nT\tINFO\tx\nnoise\n\
                      T\tWARN\t[dpkg] Parse error\tfile_path=\"a\"\n";
        assert_eq!(Log::of(&output(stderr)).warnings(), ["[x] Slow file_path=\"a\""], "a list that is unread is told as such");
    }
}
