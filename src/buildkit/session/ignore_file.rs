//! The patterns of a `.dockerignore`, as the Dockerfile frontend reads them before it asks for the context
//! (`ignorefile.ReadAll` of `github.com/moby/patternmatcher`).

use super::glob;

/// The patterns that a file has, one a line.
pub(crate) fn patterns(text: &[u8]) -> Vec<String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = String::from_utf8_lossy(text);
    // A comment begins at the first character, spaces before it make a pattern of it.
    text.lines().filter(|line| !line.starts_with('#')).filter_map(pattern).collect()
}

fn pattern(line: &str) -> Option<String> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    let (exception, path) = match line.strip_prefix('!') {
        Some(path) => ("!", path.trim()),
        None => ("", line),
    };
    let path = if path.is_empty() { String::new() } else { glob::clean(path) };
    // What is absolute begins at the context.
    let path = path.strip_prefix('/').filter(|rest| !rest.is_empty()).unwrap_or(&path);
    Some(format!("{exception}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_frontend_reads_them() {
        let text = "\u{feff}# comment\n\n /target/ \n!./a/../keep\n #no comment\n! spaced\r\n/\n!\nb//c\n";
        let expected = ["target", "!keep", "#no comment", "!spaced", "/", "!", "b/c"];
        assert_eq!(patterns(text.as_bytes()), expected);
    }
}
