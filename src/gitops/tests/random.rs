//! Files that chance writes.

use proptest::prelude::*;

use super::*;

/// YAML with all that matters here: anchors, comments, quotes, blocks, braces, blank lines, either line end.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9]{0,5}",
        "'[a-z: #]{0,6}'",
        "\"[a-zé: #]{0,6}\"",
        Just("*a".to_owned()),
        Just("[x, {y: z}]".to_owned()),
        Just("|\n    text: x\n    # no comment".to_owned()),
        Just(">-\n    folded\n    text".to_owned()),
        Just("&b 1".to_owned()),
        Just(String::new()),
    ]
}

fn entry() -> impl Strategy<Value = String> {
    ("[a-z]{2,6}", value(), prop_oneof![Just(""), Just(" # why"), Just("\n# between"), Just("\n")])
        .prop_map(|(key, value, end)| format!("  {key}: {value}{}\n", if value.contains('\n') { "" } else { end }))
}

fn image() -> impl Strategy<Value = (String, String)> {
    let old = prop_oneof![Just("r.example/shop/web:1"), Just("r.example/shop/web"), Just("r.example/shop/web:x@sha256:0")];
    (old, prop_oneof![Just(""), Just("'"), Just("\"")], prop_oneof![Just(""), Just(" "), Just(" # why")]).prop_map(
        |(old, quote, end)| {
            (
                format!("  image: {quote}{old}{quote}{end}\n"),
                format!("  image: {quote}r.example/shop/web:{}{quote}{end}\n", pin()),
            )
        },
    )
}

proptest! {
    #[test]
    fn an_edit_that_is_not_refused_changes_one_value_and_no_other_byte(
        before in proptest::collection::vec(entry(), 0..6),
        (old, new) in image(),
        after in proptest::collection::vec(entry(), 0..6),
        crlf in any::<bool>(),
    ) {
        let file = |image: &str| {
            let text = format!("first: &a one\nmap:\n{}{image}{}last: 1\n", before.concat(), after.concat());
            if crlf { text.replace('\n', "\r\n") } else { text }
        };
        // A key that is there twice, or an image that chance wrote, is refused.
        if let Ok(edited) = edit("values.yaml", file(&old).as_bytes(), &wanted(), None) {
            prop_assert_eq!(edited, Edited::Changed(file(&new)));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a-z&*:{}\\[\\]|>\"'#\\-? \t\n\r!%@`,~<.é\u{feff}]{0,80}") {
        let text = format!("{text}\nimage: r.example/shop/web:1\n");
        if let Ok(Edited::Changed(after)) = edit("values.yaml", text.as_bytes(), &wanted(), None) {
            // Whatever it was, it reads as before but for that.
            prop_assert_eq!(parse(&after).unwrap().len(), parse(&text).unwrap().len());
            prop_assert!(after.contains(&pin()));
        }
        let _ = text.parse::<Way>();
    }

    #[test]
    fn any_value_is_set_as_the_text_that_it_is(value in "[A-Za-z0-9._/@:+=~,'\"\\\\#%&*!|>{}\\[\\] -]{1,40}") {
        let change = Change { document: 0, way: "a.b".parse().unwrap(), value: value.clone(), may_add: false };
        for before in ["a: {b: x}\n", "a:\n  b: 'x' # y\n", "a:\n  b:\n  c: \"\"\n", "{\"a\": {\"b\": null}}\n"] {
            let after = splice::apply(before, &change).unwrap();
            let read = crate::document::yaml::read_documents(&after).unwrap();
            prop_assert_eq!(read[0]["a"]["b"].as_str(), Some(&*value));
        }
    }
}
