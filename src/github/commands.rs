//! Workflow commands: lines by which a step speaks to the runner (GitHub docs, "Workflow commands for GitHub Actions").

use crate::annotation::{Annotation, Level};
use crate::sink;
use crate::text;

/// The lines that make the runner mask a secret in everything that is printed after them, one for each line of the secret:
/// the runner looks for whole values in single lines.
#[must_use]
fn add_mask(secret: &str) -> String {
    let lines = secret.split(['\n', '\r']).filter(|line| !line.trim().is_empty());
    let commands = lines.map(|line| ["::add-mask::", &data(line), "\n"].concat());
    commands.collect()
}

/// Tells the runner to mask a secret, at once.
pub(crate) fn mask(secret: &str) {
    sink::mask(&add_mask(secret));
}

/// The most annotations of a kind that the runner takes from a step (GitHub docs, "Workflow commands for GitHub Actions",
/// "Limitations").
const ANNOTATIONS: usize = 10;

/// The lines that make the runner show annotations, the first ten of each level.
#[must_use]
pub(crate) fn annotate(annotations: &[Annotation]) -> String {
    let of = |level| annotations.iter().filter(move |annotation| annotation.level == level).take(ANNOTATIONS);
    of(Level::Failure).chain(of(Level::Warning)).map(annotation).collect()
}

fn annotation(annotation: &Annotation) -> String {
    let command = match annotation.level {
        Level::Failure => "error",
        Level::Warning => "warning",
    };
    let Annotation { file, line, end_line, title, message, .. } = annotation;
    // Before the signs of a secret are escaped.
    let [file, title, message] = [file, title, message].map(|text| text::redacted(text));
    let (file, title) = (property(&file), property(&title));
    format!("::{command} file={file},line={line},endLine={end_line},title={title}::{}\n", data(&message))
}

/// Text as the data of a command (actions/runner, `ActionCommand.cs`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text as a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_command_whatever_it_says() {
        let hostile = Annotation {
            file: "a,line=1::b\n::error::c".to_owned(),
            line: 2,
            end_line: 3,
            level: Level::Failure,
            title: "x,file=y: 100%".to_owned(),
            message: "first\r\n::add-mask::second 50%".to_owned(),
        };
        let expected = "::error file=a%2Cline=1%3A%3Ab%0A%3A%3Aerror%3A%3Ac,line=2,endLine=3,title=x%2Cfile=y%3A 100%25\
                        ::first%0D%0A::add-mask::second 50%25\n";
        assert_eq!(annotate(std::slice::from_ref(&hostile)), expected);
        assert_eq!(annotate(&vec![hostile; 12]).lines().count(), 10);
    }

    #[test]
    fn every_line_of_a_secret_is_masked_and_escaped() {
        assert_eq!(add_mask("a%b\n\nc\r\n"), "::add-mask::a%25b\n::add-mask::c\n");
    }
}
