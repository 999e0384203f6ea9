//! The string literals of a JSON text (RFC 8259, section 7), without reading what it says.

use std::ops::Range;

/// Where the string literals of `json` stand, with their quotation marks, and what each means. What is not JSON has literals
/// by chance.
pub(crate) fn literals(json: &str) -> impl Iterator<Item = (Range<usize>, String)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + json.get(at..)?.find('"')?;
        let (length, meaning) = literal(&json[start + 1..])?;
        at = start + 1 + length;
        Some((start..at, meaning))
    })
}

/// The length of a literal after its first quotation mark, and its meaning.
fn literal(text: &str) -> Option<(usize, String)> {
    let mut units = Vec::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        let meant = match character {
            '"' => return Some((at + 1, String::from_utf16_lossy(&units))),
            '\\' => match characters.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits: String = characters.by_ref().take(4).map(|(_, digit)| digit).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xfffd));
                    continue;
                }
                itself => itself,
            },
            other => other,
        };
        units.extend_from_slice(meant.encode_utf16(&mut [0; 2]));
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_literal_means_what_a_reader_of_json_reads(texts in proptest::collection::vec(any::<String>(), 0..5)) {
            let json = serde_json::to_string(&texts).unwrap();
            let found: Vec<_> = literals(&json).collect();
            prop_assert_eq!(found.iter().map(|(_, meaning)| meaning.clone()).collect::<Vec<_>>(), texts);
            for (range, meaning) in found {
                prop_assert_eq!(serde_json::from_str::<String>(&json[range]).unwrap(), meaning);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\"\\\\u0-9a-fé{}:]{0,30}") {
            literals(&text).for_each(drop);
        }
    }
}
