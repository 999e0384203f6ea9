//! Text: strangers' made safe to show, and numbers written as people read them.
//!
//! File names, package names, build output, a registry's words: anyone may have written them. Printed as they are they could
//! move the cursor, hide each other, or give orders to the runner that reads our output. A [`Line`] can't; it is made by
//! [`line`], [`words`] and [`last_lines`] alone, and has no secret in it that is known when it is made. What goes into Markdown is
//! made by [`markdown`].

mod escape;
mod line;
pub(crate) mod markdown;
#[cfg(test)]
pub(crate) mod page;
mod quantity;

pub(crate) use escape::plain;
pub(crate) use line::{LINE, Line, WORDS, is_plain, last_lines, line, lines, redacted, redacted_cut, redacted_lines, words};
pub(crate) use quantity::{count, duration, list, size, span, time};
