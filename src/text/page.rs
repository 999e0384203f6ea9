//! What becomes of our Markdown: a renderer that others wrote, with all that GitHub's knows.

use std::collections::BTreeSet;

/// The names of the elements in the page, before GitHub cleans it; a comment has an empty one.
pub(crate) fn elements(markdown: &str) -> BTreeSet<String> {
    let mut options = comrak::Options::default();
    let extension = &mut options.extension;
    (extension.table, extension.autolink, extension.strikethrough, extension.tasklist) = (true, true, true, true);
    (extension.footnotes, extension.alerts, extension.math_dollars) = (true, true, true);
    options.render.r#unsafe = true;
    let page = comrak::markdown_to_html(markdown, &options);
    let tags = page.match_indices('<').map(|(start, _)| page[start + 1..].trim_start_matches('/'));
    tags.map(|tag| tag.chars().take_while(char::is_ascii_alphanumeric).collect()).collect()
}
