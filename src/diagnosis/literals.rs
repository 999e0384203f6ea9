//! The string literals of the product, read from its sources, for tests that check messages.
//!
//! A message is found wherever it is made, whether or not a test makes it. Tests are not part of the product, so their
//! literals are left out.

use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

/// A string literal of the product.
#[derive(Debug)]
pub(super) struct Literal {
    /// The source, below `src/`.
    pub(crate) file: String,
    /// Its line, counted from 1.
    pub(crate) line: usize,
    /// What it says: escapes read, placeholders as they are written.
    pub(crate) text: String,
    /// Which part of a diagnosis it is.
    pub(crate) part: Part,
}

/// Which part of a diagnosis a literal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What happened: the first argument of `Diagnosis::new`, a variable `what`, or in a function `what…`.
    What,
    /// Why: the second argument, or a variable `why`.
    Why,
    /// What to do: the third, or a variable `remedy`.
    Remedy,
    /// Another text, or a part that is put together elsewhere.
    Other,
    /// Someone else's words, which are only searched for.
    Sought,
}

impl Part {
    const ORDER: [Self; 3] = [Self::What, Self::Why, Self::Remedy];

    fn of_variable(name: &str) -> Option<Self> {
        match name {
            "what" => Some(Self::What),
            "why" => Some(Self::Why),
            "remedy" => Some(Self::Remedy),
            _ => None,
        }
    }
}

/// All string literals of the product.
pub(super) fn all() -> Vec<Literal> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut sources, mut tests) = (Vec::new(), Vec::new());
    collect(&root, &mut sources, &mut tests);
    sources.retain(|(path, _)| !tests.iter().any(|test| *path == test.with_extension("rs") || path.starts_with(test)));
    sources.sort();
    sources.iter().flat_map(|(path, text)| of_source(&path.strip_prefix(&root).unwrap().display().to_string(), text)).collect()
}

/// Takes in the sources below a folder, without their tests, and the modules that are tests as a whole.
fn collect(folder: &Path, sources: &mut Vec<(PathBuf, String)>, tests: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let is_root = ["mod", "lib", "main"].iter().any(|name| path.file_stem().is_some_and(|stem| stem == *name));
            let modules = if is_root { folder.to_owned() } else { path.with_extension("") };
            tests.extend(test_modules(&text).map(|name| modules.join(name)));
            let product = text.find("\n#[cfg(test)]\nmod tests {").map_or(&*text, |end| &text[..end]);
            sources.push((path, product.to_owned()));
        }
    }
}

/// The modules in files of their own that only tests have.
fn test_modules(text: &str) -> impl Iterator<Item = &str> {
    let behind = text.match_indices("#[cfg(test)]\n").map(|(start, mark)| &text[start + mark.len()..]);
    let lines = behind.filter_map(|rest| rest.lines().next()?.strip_suffix(';'));
    lines.filter_map(|line| line.rsplit_once("mod ").map(|(_, name)| name))
}

/// The literals of one source.
fn of_source(file: &str, text: &str) -> Vec<Literal> {
    let tokens = Tokens { rest: text.chars().peekable(), line: 1 }.collect::<Vec<_>>();
    let mut parts = vec![Part::Other; tokens.len()];
    // What is inside begins later, and so has the last word.
    for at in 0..tokens.len() {
        if file.starts_with("diagnosis") {
            mark_variable(&tokens, at, &mut parts);
            mark_function(&tokens, at, &mut parts);
        }
        mark_call(file, &tokens, at, &mut parts);
        mark_search(&tokens, at, &mut parts);
    }
    let literals = tokens.into_iter().zip(parts).filter_map(|(token, part)| match token.kind {
        Kind::Text(text) => Some(Literal { file: file.to_owned(), line: token.line, text, part }),
        _ => None,
    });
    literals.collect()
}

/// Marks what a variable `what`, `why` or `remedy` is made of.
fn mark_variable(tokens: &[Token], at: usize, parts: &mut [Part]) {
    let is_let = tokens[at].is("let") || (tokens[at].is("mut") && at > 0 && tokens[at - 1].is("let"));
    if let Some(part) = tokens.get(at + 1).and_then(Token::word).and_then(Part::of_variable).filter(|_| is_let) {
        let end = end_of(tokens, at + 1, |token| token.is_mark(';'));
        parts[at..end].fill(part);
    }
}

/// Marks what a function `what…` gives.
fn mark_function(tokens: &[Token], at: usize, parts: &mut [Part]) {
    let is_what = tokens.get(at + 1).and_then(Token::word).is_some_and(|name| name.starts_with("what_"));
    if tokens[at].is("fn") && is_what {
        let body = at + tokens[at..].iter().position(|token| token.is_mark('{')).unwrap();
        let end = end_of(tokens, body + 1, |_| false);
        parts[body..end].fill(Part::What);
    }
}

/// Marks the arguments of `Diagnosis::new`, which in this room is called `Self::new` too.
fn mark_call(file: &str, tokens: &[Token], at: usize, parts: &mut [Part]) {
    let is_type = tokens[at].is("Diagnosis") || (tokens[at].is("Self") && file.starts_with("diagnosis"));
    let is_call = [(1, ':'), (2, ':'), (4, '(')]
        .iter()
        .all(|(ahead, mark)| tokens.get(at + ahead).is_some_and(|token| token.is_mark(*mark)));
    if !is_type || !is_call || !tokens[at + 3].is("new") {
        return;
    }
    let mut start = at + 5;
    for part in Part::ORDER {
        let end = end_of(tokens, start, |token| token.is_mark(','));
        parts[start..end].fill(part);
        start = (end + 1).min(tokens.len());
    }
}

/// Marks what a text is searched for.
fn mark_search(tokens: &[Token], at: usize, parts: &mut [Part]) {
    let is_search = ["contains", "starts_with", "ends_with", "has"].iter().any(|name| tokens[at].is(name));
    if is_search && tokens.get(at + 1).is_some_and(|token| token.is_mark('(')) {
        let end = end_of(tokens, at + 2, |_| false);
        parts[at..end].fill(Part::Sought);
    }
}

/// The first token from `start` on that `ends` what began there, or closes what is around it.
fn end_of(tokens: &[Token], start: usize, ends: impl Fn(&Token) -> bool) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match &token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') if depth == 0 => return at,
            Kind::Mark(')' | ']' | '}') => depth -= 1,
            _ if depth == 0 && ends(token) => return at,
            _ => {}
        }
    }
    tokens.len()
}

#[derive(Debug)]
struct Token {
    line: usize,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Word(String),
    Mark(char),
    Text(String),
}

impl Token {
    fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn is(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// The tokens of Rust source, as far as strings have to be told from what is around them: without white space, comments,
/// characters and lifetimes.
struct Tokens<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let line = self.line;
            let kind = match self.take()? {
                space if space.is_whitespace() => continue,
                '/' if self.rest.peek() == Some(&'/') => {
                    self.take_while(|character| character != '\n');
                    continue;
                }
                '"' => Kind::Text(self.text()),
                '\'' => {
                    self.skip_character();
                    continue;
                }
                letter if letter.is_alphanumeric() || letter == '_' => {
                    let word = format!("{letter}{}", self.take_while(|next| next.is_alphanumeric() || next == '_'));
                    let is_raw = matches!(&*word, "r" | "br" | "cr") && self.is_at_raw_text();
                    if is_raw { Kind::Text(self.raw_text()) } else { Kind::Word(word) }
                }
                mark => Kind::Mark(mark),
            };
            return Some(Token { line, kind });
        }
    }
}

impl Tokens<'_> {
    fn take(&mut self) -> Option<char> {
        let character = self.rest.next()?;
        self.line += usize::from(character == '\n');
        Some(character)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(character) = self.rest.peek().copied().filter(|character| wanted(*character)) {
            self.take();
            taken.push(character);
        }
        taken
    }

    /// The rest of a string, behind its first quote.
    fn text(&mut self) -> String {
        let mut text = String::new();
        loop {
            match self.take().unwrap() {
                '"' => return text,
                '\\' => self.escape(&mut text),
                other => text.push(other),
            }
        }
    }

    fn escape(&mut self, text: &mut String) {
        match self.take().unwrap() {
            '\n' => drop(self.take_while(char::is_whitespace)),
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'u' => {
                let number = self.take_while(|character| character != '}');
                self.take();
                text.push(u32::from_str_radix(number.trim_start_matches('{'), 16).ok().and_then(char::from_u32).unwrap());
            }
            other => text.push(other),
        }
    }

    /// Whether a raw string comes: `r#` may begin a name too.
    fn is_at_raw_text(&self) -> bool {
        self.rest.clone().find(|character| *character != '#') == Some('"')
    }

    /// A raw string, from behind its `r`.
    fn raw_text(&mut self) -> String {
        let hashes = self.take_while(|character| character == '#');
        self.take();
        let end = format!("\"{hashes}");
        let mut text = String::new();
        while !text.ends_with(&end) {
            text.push(self.take().unwrap());
        }
        text.truncate(text.len() - end.len());
        text
    }

    /// The rest of a character, behind its first quote; a lifetime is a word.
    fn skip_character(&mut self) {
        let mut ahead = self.rest.clone();
        let (first, second) = (ahead.next(), ahead.next());
        if first == Some('\\') {
            self.take();
            self.take();
            self.take_while(|character| character != '\'');
            self.take();
        } else if second == Some('\'') {
            self.take();
            self.take();
        }
    }
}

mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_diagnosis_is_known_by_its_place() {
        let source = r##"
            // "not a literal"
            fn what_failed(quote: char) -> &'static str { match quote { '"' => "The quote broke", _ => r#"The "rest" broke"# } }
            let mut why: String = [("It was", "no"), ("yes", "so")].join(", ");
            Self::new(format!("{} is \
                               gone", f(1, 2)), "Why, then", if a { "Mend it." } else { "Leave it, {b}." })
            call(text.contains("of others") || "else")
        "##;
        let found: Vec<_> = of_source("diagnosis/x.rs", source).into_iter().map(|literal| (literal.part, literal.text)).collect();
        let expected = [
            (Part::What, "The quote broke"),
            (Part::What, "The \"rest\" broke"),
            (Part::Why, "It was"),
            (Part::Why, "no"),
            (Part::Why, "yes"),
            (Part::Why, "so"),
            (Part::Why, ", "),
            (Part::What, "{} is gone"),
            (Part::Why, "Why, then"),
            (Part::Remedy, "Mend it."),
            (Part::Remedy, "Leave it, {b}."),
            (Part::Sought, "of others"),
            (Part::Other, "else"),
        ];
        assert_eq!(found, expected.map(|(part, text)| (part, text.to_owned())));
    }

    #[test]
    fn tests_are_no_part_of_the_product() {
        let literals = all();
        assert!(literals.iter().any(|literal| literal.file == "diagnosis/build.rs"));
        for file in ["diagnosis/literals.rs", "report/fixture.rs", "report/tests.rs"] {
            assert!(literals.iter().all(|literal| literal.file != file), "{file}");
        }
    }
}
