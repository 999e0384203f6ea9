//! No text is too deep for the stack, too long or too slow.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Reads a Dockerfile in all the ways that there are, on a stack that is smaller than any thread's.
fn survives(text: String) {
    let read = move || {
        let _ = Frontend::asked_for(text.as_bytes());
        let arguments = BTreeMap::from([("A".to_owned(), "a".to_owned())]);
        if let Ok(file) = Dockerfile::parse(&text) {
            let _ = file.bases(&arguments);
            let _ = file.target(Some(&text));
        }
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(read).unwrap().join().unwrap();
}

/// What opens something, and what may be inside or after it.
const PIECES: [&str; 28] = [
    "FROM ",
    "ARG a=",
    "ONBUILD ",
    "RUN ",
    "COPY ",
    "<<",
    "<<-",
    "EOF",
    "\n",
    "\\\n",
    "${a:-",
    "${a:+",
    "${A-",
    "${",
    "$A",
    "}",
    "\"",
    "'",
    "[",
    "]",
    "{\"",
    "--mount=",
    "# escape=`\n",
    "# syntax=",
    "\\",
    " ",
    "\u{feff}",
    "é",
];

#[test]
fn nothing_that_is_nested_overflows_a_small_stack() {
    for piece in PIECES {
        for depth in [100, 100_000] {
            survives(format!("FROM a\nFROM {}b{}", piece.repeat(depth), "}".repeat(depth)));
            survives(format!("ARG x={}b\nFROM $x", piece.repeat(depth)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nested_text_of_any_kind_overflows_no_stack(
        pieces in prop::collection::vec((prop::sample::select(&PIECES[..]), prop_oneof![1..4_usize, 1..20_000_usize]), 1..12),
    ) {
        survives(pieces.into_iter().map(|(piece, times)| piece.repeat(times)).collect());
    }

    #[test]
    fn a_pattern_that_repeats_without_end_overflows_no_stack(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 1..6)) {
        survives(format!("FROM a\nFROM {}", pieces.concat().repeat(30_000)));
        survives(format!("ARG x={}\nFROM $x", pieces.concat().repeat(30_000)));
        survives(pieces.concat().repeat(30_000));
    }
}
