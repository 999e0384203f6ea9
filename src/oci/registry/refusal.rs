//! The words of a registry that says no (distribution-spec, "Error Codes").

use serde::Deserialize;

use crate::document;
use crate::text::{self, Line};

#[derive(Deserialize)]
struct Refusals {
    errors: Vec<Refusal>,
}

/// A refusal's code and message, as far as it has them.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    code: Option<String>,
    message: Option<String>,
}

impl Refusal {
    /// The first refusal in an answer's body; an empty one where there is none.
    pub(super) fn first(body: &[u8]) -> Self {
        let refusals = document::read::<Refusals>(body).ok();
        refusals.and_then(|refusals| refusals.errors.into_iter().next()).unwrap_or_default()
    }

    /// The code and the message, fit to be shown.
    pub(super) fn shown(&self) -> (Option<Line>, Option<Line>) {
        let shown = |text: &Option<String>| text.as_deref().map(text::words).filter(|words| !words.is_empty());
        (shown(&self.code), shown(&self.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refusal_is_shown_and_gives_no_orders() {
        let body = br#"{"errors":[{"code":"DENIED","message":"\u001b[2Jno\n::add-mask::x"},{"code":"OTHER"}]}"#;
        assert_eq!(Refusal::first(body).shown(), (Some("DENIED".into()), Some("no ::add-mask::x".into())));
        for body in ["", "<html>", "{}", r#"{"errors":[]}"#, r#"{"errors":[{"code":"","message":" "}]}"#] {
            assert_eq!(Refusal::first(body.as_bytes()).shown(), (None, None), "{body}");
        }
    }
}
