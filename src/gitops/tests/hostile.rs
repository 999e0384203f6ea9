//! Files that someone made to hurt whoever reads them.

use super::*;

fn refused(file: &str) -> Refusal {
    edit("x.yaml", file.as_bytes(), &wanted(), None).unwrap_err()
}

#[test]
fn what_is_large_or_deep_is_refused() {
    let name = "# r.example/shop/web\n";
    let large = format!("{name}{}", "#\n".repeat(MAX_FILE / 2));
    assert!(matches!(refused(&large).reason, Reason::Length(_)));
    for deep in
        ["[".repeat(200_000), "{a: ".repeat(100_000), "- ".repeat(100_000), "? ".repeat(100_000), "!<x> &a [".repeat(50_000)]
    {
        let refusal = refused(&format!("{name}{deep}"));
        assert!(matches!(refusal.reason, Reason::Depth(_) | Reason::Syntax(_)), "{deep:.20}: {refusal}");
    }
    let nested: Vec<_> = (0..500).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(matches!(refused(&format!("{name}{}", nested.concat())).reason, Reason::Depth(_) | Reason::Syntax(_)));
}

#[test]
fn what_aliases_come_to_is_not_written_out() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        laughs = format!("{laughs}a{n}: &a{n} [{}]\n", format!("*a{},", n - 1).repeat(10));
    }
    assert!(matches!(refused(&format!("image: r.example/shop/web:1\n{laughs}")).reason, Reason::Syntax(_)));
    assert!(matches!(refused("image: r.example/shop/web:1\na: &a [*a]\n").reason, Reason::Syntax(_)));
}

#[test]
fn a_large_file_that_names_the_image_without_an_end_is_refused_before_it_is_read_as_often() {
    let many = "- image: r.example/shop/web:1\n".repeat(20_000);
    assert_eq!(refused(&many).reason, Reason::Changes(20_000));
    let some = format!("{}{}", "- image: r.example/shop/web:1\n".repeat(3), "# more\n".repeat(1000));
    assert!(matches!(edit("x.yaml", some.as_bytes(), &wanted(), None), Ok(Edited::Changed(_))));
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_are() {
    let file = [&b"a: 1\nimage: r.example/shop/web:1 # "[..], b"\xff\n"].concat();
    let refusal = edit("x.yaml", &file, &wanted(), None).unwrap_err();
    assert_eq!((refusal.line, refusal.reason), (2, Reason::Encoding));
    for file in ["image: r.example/shop/web:1\u{7f}\n", "image: r.example/shop/web:1\0\n", "image: \"r.example/shop/web:1\n"] {
        assert!(edit("x.yaml", file.as_bytes(), &wanted(), None).is_err(), "{file:?}");
    }
}

#[test]
fn a_line_that_only_looks_like_an_end_is_none() {
    // U+0085 and U+2028 end a line of YAML 1.1 and none of 1.2.
    for sign in ['\u{85}', '\u{2028}', '\u{2029}'] {
        let file = format!("x: a{sign}b\nimage: r.example/shop/web:1\n");
        match edit("x.yaml", file.as_bytes(), &wanted(), None) {
            Ok(Edited::Changed(after)) => assert_eq!(after, file.replace(":1\n", &format!(":{}\n", pin()))),
            other => assert!(other.is_err(), "{other:?}"),
        }
    }
}
