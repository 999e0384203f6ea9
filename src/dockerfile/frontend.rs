//! Which reader of Dockerfiles a Dockerfile asks for (`# syntax=`), as any BuildKit may read it.
//!
//! BuildKit 0.8 takes the last of several such lines and knows no other comments; later ones take the first, pass over a
//! `#!` line, and know `// syntax=` and a JSON document with a `syntax` too (`DetectSyntax` in
//! `frontend/dockerfile/parser/directives.go`). What one of them takes is found here; a comment in that place that none of
//! them takes is found as well, which does no harm.

/// A reader that a Dockerfile asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frontend {
    /// The line, counted from 1.
    pub(crate) line: u32,
    /// The image of the reader.
    pub(crate) reference: String,
}

/// Whether a Dockerfile says something of a builder's own checks (`# check=`).
#[must_use]
pub(crate) fn asks_for_checks(dockerfile: &[u8]) -> bool {
    let text = String::from_utf8_lossy(dockerfile.strip_prefix(b"\xef\xbb\xbf").unwrap_or(dockerfile));
    let is_check = |comment: &str| comment.split_once('=').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("check"));
    text.lines().map_while(comment).any(is_check)
}

impl Frontend {
    /// All that some BuildKit would take from a Dockerfile.
    pub(crate) fn asked_for(dockerfile: &[u8]) -> Vec<Self> {
        let text = String::from_utf8_lossy(dockerfile.strip_prefix(b"\xef\xbb\xbf").unwrap_or(dockerfile));
        // A JSON document is no Dockerfile: whoever asks for one asks for another reader.
        if text
            .lines()
            .find(|line| !line.trim().is_empty() && !line.starts_with("#!"))
            .is_some_and(|line| line.trim_start().starts_with('{'))
        {
            return vec![Self { line: 1, reference: text.trim().lines().next().unwrap_or_default().to_owned() }];
        }
        let comments = text.split('\n').zip(1..).map_while(|(line, number)| Some((comment(line)?, number)));
        let directives = comments.filter_map(|(comment, line)| Some(Self { line, reference: syntax(comment)? }));
        directives.collect()
    }

    /// Whether it is Docker's own, in a version that keeps the cache mounts of namespaces apart: 1.2 or later.
    pub(crate) fn keeps_namespaces(&self) -> bool {
        let name = ["docker.io/", "index.docker.io/"].into_iter().find_map(|host| self.reference.strip_prefix(host));
        let Some(rest) = name.unwrap_or(&self.reference).strip_prefix("docker/dockerfile") else { return false };
        let (tag, pinned) = rest.split_once('@').map_or((rest, false), |(tag, _)| (tag, true));
        match tag.strip_prefix(':') {
            // A digest alone may be that of any version.
            None => tag.is_empty() && !pinned,
            Some(tag) => is_known(tag),
        }
    }

    /// Whether it is Docker's own in a version that passes over named contexts: 1.3 or earlier.
    pub(crate) fn passes_over_contexts(&self) -> bool {
        let name = ["docker.io/", "index.docker.io/"].into_iter().find_map(|host| self.reference.strip_prefix(host));
        let Some(tag) = name.unwrap_or(&self.reference).strip_prefix("docker/dockerfile:") else { return false };
        let tag = tag.split_once('@').map_or(tag, |(tag, _)| tag);
        let minor = tag.strip_prefix("1.").and_then(|rest| rest.split(['.', '-']).next()?.parse::<u32>().ok());
        tag == "experimental" || minor.is_some_and(|minor| minor < 4)
    }
}

/// Whether a tag of `docker/dockerfile` is 1.2 or later: `1`, `1-labs`, `latest`, `labs`, `1.7`, `1.7.0-rc1`.
fn is_known(tag: &str) -> bool {
    let (version, channel) = tag.split_once('-').map_or((tag, ""), |(version, channel)| (version, channel));
    let is_channel = channel.is_empty() || channel == "labs" || channel.starts_with("rc") || channel.starts_with("labs-rc");
    let mut parts = version.split('.');
    is_channel
        && match (parts.next(), parts.next()) {
            (Some("latest" | "labs" | "1"), None) => true,
            (Some("1"), Some(minor)) => minor.parse::<u32>().is_ok_and(|minor| minor >= 2),
            (Some(major), _) => major.parse::<u32>().is_ok_and(|major| major >= 2),
            (None, _) => false,
        }
}

/// What follows the sign of a comment; empty for an empty line, nothing for the first instruction.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.is_empty() { Some("") } else { line.strip_prefix('#').or_else(|| line.strip_prefix("//")) }
}

fn syntax(comment: &str) -> Option<String> {
    let (name, value) = comment.split_once('=')?;
    let reference = value.split_whitespace().next()?;
    name.trim().eq_ignore_ascii_case("syntax").then(|| reference.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(dockerfile: &str) -> Vec<(u32, String)> {
        Frontend::asked_for(dockerfile.as_bytes()).into_iter().map(|found| (found.line, found.reference)).collect()
    }

    #[test]
    fn whatever_some_buildkit_takes_for_a_frontend_is_found() {
        for dockerfile in [
            "# syntax=evil/x\nFROM scratch\n",
            "#Syntax = evil/x --flag\nFROM scratch\n",
            "\u{feff}#syntax=evil/x\r\nFROM scratch\n",
            "#!/usr/bin/env x\n# syntax=evil/x\nFROM scratch\n",
            "// syntax=evil/x\nFROM scratch\n",
            "# check=skip=all\n# syntax=evil/x\nFROM scratch\n",
        ] {
            assert_eq!(references(dockerfile).pop().unwrap().1, "evil/x", "{dockerfile}");
        }
        let two = "# syntax=docker/dockerfile:1\n# syntax=evil/x\nFROM scratch\n";
        assert_eq!(references(two), [(1, "docker/dockerfile:1".to_owned()), (2, "evil/x".to_owned())]);
        for json in ["{\"syntax\": \"evil/x\"}", "\n  {\n\"syntax\": \"evil/x\"}", "#!x\n{\"syntax\": \"evil/x\"}"] {
            assert!(!Frontend::asked_for(json.as_bytes()).iter().all(Frontend::keeps_namespaces), "{json}");
        }
    }

    #[test]
    fn a_dockerfile_asks_for_checks_at_its_top_alone() {
        for text in ["# check=error=true\nFROM x\n", "#Check = skip=all\nFROM x", "# syntax=a\n\n# check=error=true\n"] {
            assert!(asks_for_checks(text.as_bytes()), "{text}");
        }
        for text in ["FROM x\n# check=error=true\n", "# checks=1\nFROM x", "# a check\n"] {
            assert!(!asks_for_checks(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_frontend_before_1_4_passes_over_named_contexts() {
        let passes = |reference: &str| Frontend { line: 1, reference: reference.to_owned() }.passes_over_contexts();
        for old in ["1.0", "1.2", "1.3.1", "1.3-labs", "1.1-experimental", "experimental", "1.3@sha256:abc"] {
            assert!(passes(&format!("docker/dockerfile:{old}")), "{old}");
            assert!(passes(&format!("docker.io/docker/dockerfile:{old}")), "{old}");
        }
        for other in
            ["docker/dockerfile:1", "docker/dockerfile:1.4", "docker/dockerfile:1.17-labs", "docker/dockerfile", "evil/x:1.0"]
        {
            assert!(!passes(other), "{other}");
        }
    }

    #[test]
    fn a_comment_behind_the_first_instruction_asks_for_nothing() {
        assert_eq!(references("FROM scratch\n# syntax=evil/x\nRUN <<E\n# syntax=evil/x\nE\n"), []);
        assert_eq!(references("# a comment\n\nFROM scratch\n"), []);
    }

    #[test]
    fn dockers_own_frontends_since_1_2_keep_namespaces() {
        let keeps = |reference: &str| Frontend { line: 1, reference: reference.to_owned() }.keeps_namespaces();
        for reference in [
            "docker/dockerfile",
            "docker/dockerfile:1",
            "docker/dockerfile:1-labs",
            "docker/dockerfile:1.2",
            "docker/dockerfile:1.17.1-labs",
            "docker/dockerfile:1.20.0-rc2",
            "docker/dockerfile:latest",
            "docker.io/docker/dockerfile:1.7",
            "docker/dockerfile:1.7@sha256:abc",
        ] {
            assert!(keeps(reference), "{reference}");
        }
        for reference in [
            "evil/dockerfile:1",
            "evil.example/docker/dockerfile:1",
            "docker/dockerfile:1.0-experimental",
            "docker/dockerfile:1.1",
            "docker/dockerfile:experimental",
            "docker/dockerfile@sha256:abc",
            "docker/dockerfile-upstream:master",
            "docker/dockerfilex:1",
            "docker/dockerfile:2x",
            "docker/dockerfile:1.2-evil",
            "docker.io.evil.example/docker/dockerfile:1",
        ] {
            assert!(!keeps(reference), "{reference}");
        }
    }
}
