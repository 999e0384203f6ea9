//! Text from outside, made fit for GitHub-flavoured Markdown: it shows as it is and means nothing.
//!
//! GitHub renders Markdown, then HTML, then looks for mentions, issue numbers and addresses in what came out, so a text
//! is escaped for all three. A character reference never has a meaning in Markdown (`CommonMark` 0.31.2, section 6.3:
//! "cannot be used in place of symbols indicating structure"), in a table cell or elsewhere, and is text to HTML.

use super::{LINE, line};

/// The most characters of one name, version or sentence that a report shows.
pub(crate) const LIMIT: usize = 300;

/// A name, version, path or other exact text, in a code font. GitHub looks for no mentions in it.
#[must_use]
pub(crate) fn code(text: &str) -> String {
    // Between the two halves of an address, so that the autolink extension finds none (GFM, section 6.9); it leaves
    // nothing behind for one who copies the text.
    let escaped = escape(text, "<!-- -->");
    // An empty element would leave a hole in a sentence.
    if escaped.is_empty() { "<em>empty</em>".to_owned() } else { format!("<code>{escaped}</code>") }
}

/// A title, a reason or another sentence.
#[must_use]
pub(crate) fn prose(text: &str) -> String {
    // A zero-width space: `@team` and `#12` are looked for in the finished page, where a comment is gone.
    escape(text, "\u{200b}")
}

/// Lines of a tool's output, word for word, as a fenced block.
#[must_use]
pub(crate) fn block(lines: &[String]) -> String {
    let lines: Vec<_> = lines.iter().map(|text| line(text, LINE)).collect();
    let longest = lines.iter().map(|line| longest_run(line, '`')).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

/// A link with `label` as its code text, where `address` is one that a reader may be sent to; else the label alone.
#[must_use]
pub(crate) fn link(label: &str, address: Option<&str>) -> String {
    match address.and_then(web_address) {
        Some(address) => {
            let escaped: String = address.chars().map(reference).collect();
            format!("<a href=\"{escaped}\">{}</a>", code(label))
        }
        None => code(label),
    }
}

/// A web address over https, without a user name, normalised and of limited length.
#[must_use]
pub(crate) fn web_address(address: &str) -> Option<String> {
    let address = url::Url::parse(address).ok()?;
    let plain = address.scheme() == "https" && address.username().is_empty() && address.password().is_none();
    let text = String::from(address);
    (plain && text.len() <= LIMIT).then_some(text)
}

/// Escapes what has a meaning inside a line, and no more: the file is also read as it is. What has a meaning only at the
/// beginning of a line stays, since no outside text is put there. `breaker` splits what would be a mention or an address.
fn escape(text: &str, breaker: &str) -> String {
    let shown = line(text, LIMIT);
    let mut escaped = String::with_capacity(shown.len() + 16);
    let mut previous = ' ';
    let mut characters = shown.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '$' | '@' => {
                escaped.push_str(&reference(character));
            }
            // `www.` begins an address whatever comes after it.
            '.' if matches!(previous, 'w' | 'W') => escaped.push_str("&#46;"),
            _ => escaped.push(character),
        }
        let begins = match character {
            '@' => true,
            ':' => characters.peek() == Some(&'/'),
            '#' => characters.peek().is_some_and(char::is_ascii_digit),
            _ => false,
        };
        if begins {
            escaped.push_str(breaker);
        }
        previous = character;
    }
    escaped
}

/// A character as a reference to its number, where it may mean something.
fn reference(character: char) -> String {
    if character.is_ascii_punctuation() && !matches!(character, '/' | '-' | ':' | '.' | '?' | '=' | '#' | '%' | '+' | ',') {
        format!("&#{};", u32::from(character))
    } else {
        character.to_string()
    }
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|character| character != wanted).map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::page;

    #[test]
    fn nothing_in_a_name_means_anything() {
        let shown = code("</code><script>|`*_[x](y) @team\na\\|b");
        assert!(
            !shown["<code>".len()..shown.len() - "</code>".len()]
                .replace("<!-- -->", "")
                .contains(['<', '>', '|', '`', '\\', '\n'])
        );
    }

    #[test]
    fn a_block_can_not_be_ended_from_inside() {
        let block = block(&["a".to_owned(), "````".to_owned(), "</pre>".to_owned()]);
        assert!(block.starts_with("`````text\n") && block.ends_with("\n`````\n"), "{block}");
    }

    #[test]
    fn only_a_plain_https_address_becomes_a_link() {
        for address in ["javascript:alert(1)", "http://x.example", "https://user:pw@x.example", "//x.example", "data:,x", ""] {
            assert_eq!(link("CVE-1", Some(address)), "<code>CVE-1</code>", "{address}");
        }
        assert_eq!(
            link("CVE-1", Some("https://x.example/a|b\"><script>")),
            "<a href=\"https://x.example/a&#124;b%22%3E%3Cscript%3E\"><code>CVE-1</code></a>"
        );
    }

    #[test]
    fn a_sentence_mentions_no_one_and_links_nowhere() {
        let shown = prose("see https://x.example, www.x.example, @team, #12, me@x.example");
        for broken in ["https:\u{200b}//", "www&#46;x", "&#64;\u{200b}team", "#\u{200b}12", "me&#64;\u{200b}x"] {
            assert!(shown.contains(broken), "{broken} in {shown}");
        }
    }

    proptest! {
        #[test]
        fn no_text_becomes_an_element_of_the_page(
            text in any::<String>(),
            marks in "(https?://x\\.co| www\\.x\\.co|https?://|www\\.|mailto:|a@b\\.co|<b>|</code>|<!--|-->|\\||`+|\\*\\*|_|\\[x\\]|\\(y\\)|!|~~|\\$|\\^|&lt;|\\\\|x| ){0,12}"
        ) {
            for text in [&text, &marks] {
                let elements = page::elements(&format!("| a | b |\n|---|---|\n| {} | {} |\n", code(text), prose(text)));
                let mut unexpected = elements.iter().filter(|name| !["", "table", "thead", "tbody", "tr", "th", "td", "code", "em"].contains(&&***name));
                prop_assert_eq!(unexpected.next(), None);
            }
        }

        #[test]
        fn no_text_leaves_its_place(text in any::<String>(), noise in "[<>|`*_\\[\\]()@#\n\\\\!&;~-]{0,40}") {
            for text in [&text, &noise] {
                let inside = prose(text);
                prop_assert!(!inside.contains(['<', '>', '|', '`', '*', '_', '[', ']', '\\', '\n', '~', '$']), "{inside}");
                prop_assert!(!code(text).replace("<!-- -->", "").contains(['|', '`', '*', '_', '[', ']', '\\', '\n', '~', '$']));
            }
        }
    }
}
