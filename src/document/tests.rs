use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use serde::Deserialize;
use serde_json::Value;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sample {
    digest: Option<String>,
    size: Option<u64>,
    disk_kind: Option<Kind>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    parts: Vec<Sample>,
    next: Option<Box<Sample>>,
}

#[derive(Debug, PartialEq, Deserialize)]
enum Kind {
    Plain,
    Named { kind: String },
    One(Box<Sample>),
}

fn reason(text: &str) -> Reason {
    read_shared::<Sample>(text.as_bytes()).unwrap_err().reason
}

/// What each way of reading says.
fn refusals(text: &[u8]) -> [Option<Reason>; 3] {
    let reason = |read: Result<Sample, Error>| read.err().map(|error| error.reason);
    [reason(read(text)), reason(read_shared(text)), reason(stream(BufReader::with_capacity(7, text)))]
}

#[test]
fn a_document_with_one_reading_is_read() {
    let text = r#" {"digest": "d", "labels": {"a": "1", "A": "2"}, "parts": [{"size": 1}, {"digest": null}],
        "diskKind": {"One": {"size": 9007199254740991}}, "other": {"x": [{}], "y": -1.5e3}} "#;
    let sample: Sample = read_shared(text.as_bytes()).unwrap();
    assert_eq!((sample.labels.len(), sample.parts.len()), (2, 2));
    assert_eq!(sample, read(text.as_bytes()).unwrap());
    assert_eq!(sample, stream(text.as_bytes()).unwrap());
    assert_eq!(
        read::<Value>(b"[1,{\"a\":18446744073709551615}]").err().map(|error| error.reason),
        Some(Reason::Number("18446744073709551615".into()))
    );
}

#[test]
fn a_key_that_is_there_twice_is_refused_wherever_it_is() {
    for text in [
        r#"{"digest":"a","digest":"a"}"#,
        r#"{"digest":"a","\u0064igest":"b"}"#,
        r#"{"parts":[{},{"size":1,"size":2}]}"#,
        r#"{"next":{"next":{"labels":{"a":"1","a":"2"}}}}"#,
        r#"{"other":1,"other":2}"#,
        r#"{"other":[[{"deep":{"x":1,"y":2,"x":3}}]]}"#,
        r#"{"diskKind":{"Named":{"kind":"a","kind":"b"}}}"#,
        r#"{"diskKind":{"One":{"size":1,"size":1}}}"#,
    ] {
        for refusal in refusals(text.as_bytes()) {
            assert!(matches!(refusal, Some(Reason::Twice(_))), "{text}: {refusal:?}");
        }
    }
    assert_eq!(reason(r#"{"labels":{"a b":"1","a b":"2"}}"#).to_string(), "the key \"a b\" is there twice");
}

#[test]
fn a_key_is_told_from_the_others_however_many_there_are() {
    for at in [0, 10, 23, 24, 25, 200] {
        let labels = |last: usize| -> String {
            (0..300).chain([last]).map(|number| format!("\"k{number}\":\"\"")).collect::<Vec<_>>().join(",")
        };
        assert_eq!(reason(&format!("{{\"labels\":{{{}}}}}", labels(at))), Reason::Twice(text::words(&format!("k{at}"))));
        assert!(read::<Sample>(format!("{{\"labels\":{{{}}}}}", labels(300)).as_bytes()).is_ok());
    }
}

#[test]
fn a_key_that_is_a_known_one_but_for_its_case_is_refused_alone_or_beside_it() {
    for (text, key, known) in [
        (r#"{"Digest":"a"}"#, "Digest", "digest"),
        (r#"{"digest":"a","DIGEST":"b"}"#, "DIGEST", "digest"),
        ("{\"partſ\":[]}", "partſ", "parts"),
        ("{\"dis\u{212a}Kind\":null}", "dis\u{212a}Kind", "diskKind"),
        (r#"{"parts":[{"\u0053ize":1}]}"#, "Size", "size"),
        (r#"{"disk_kind":"Plain"}"#, "disk_kind", "diskKind"),
        (r#"{"diskKind":{"Named":{"Kind":"a"}}}"#, "Kind", "kind"),
    ] {
        for refusal in refusals(text.as_bytes()) {
            assert_eq!(refusal, Some(Reason::Spelled { key: key.into(), known }), "{text}");
        }
    }
}

#[test]
fn keys_that_differ_in_their_case_alone_are_refused_where_others_may_know_them() {
    let nobody_knows = r#"{"health":1,"Health":2}"#;
    assert!(refusals(nobody_knows.as_bytes()).iter().all(|refusal| matches!(refusal, Some(Reason::Alike(..)))));
    let passed_over = r#"{"health":{"test":1,"Test":2}}"#;
    let [report, shared, _] = refusals(passed_over.as_bytes());
    assert_eq!((report, shared), (None, Some(Reason::Alike("test".into(), "Test".into()))));
    // Someone's own names, in what nobody here reads too.
    for free in ["labels", "Labels", "annotations", "Volumes", "ExposedPorts"] {
        let text = format!(r#"{{"old":{{"{free}":{{"/data":{{}},"/Data":{{}}}}}}}}"#);
        assert_eq!(refusals(text.as_bytes()), [None, None, None], "{text}");
        let below = format!(r#"{{"old":{{"{free}":{{"/data":{{"a":1,"A":2}}}}}}}}"#);
        assert!(matches!(reason(&below), Reason::Alike(..)), "{below}");
    }
}

#[test]
fn numbers_that_not_all_readers_keep_are_refused() {
    for text in ["9007199254740992", "18446744073709551615"] {
        let text = format!(r#"{{"size":{text}}}"#);
        assert!(refusals(text.as_bytes()).iter().all(|refusal| matches!(refusal, Some(Reason::Number(_)))), "{text}");
    }
    assert!(matches!(reason(r#"{"other":-9007199254740993}"#), Reason::Number(_)));
    assert_eq!(refusals(br#"{"other":9007199254740993}"#)[0], None, "nobody reads it");
    for number in ["1e2", "-0", "1.0", "01", "1e999", "NaN", "\"1\"", "18446744073709551616"] {
        assert!(matches!(reason(&format!(r#"{{"size":{number}}}"#)), Reason::Form(_)), "{number}");
    }
}

#[test]
fn text_that_readers_take_apart_differently_is_refused() {
    for text in [
        &b"{} {}"[..],
        b"{}x",
        b"{},",
        b"{\"digest\":\"\xff\"}",
        b"{\"other\":\"\xc3\x28\"}",
        b"{\"\xff\":1}",
        b"{\"digest\":\"\\ud800\"}",
        b"{\"other\":[\"\\udc00\"]}",
        b"{\"\\ud800x\":1}",
        b"{\"digest\":\"a\nb\"}",
        b"{'digest':'a'}",
        b"{\"digest\":\"a\",}",
        b"// c\n{}",
        b"",
        b"\xff\xfe{\x00}\x00",
    ] {
        let refusals = refusals(text);
        assert!(refusals.iter().all(|refusal| matches!(refusal, Some(Reason::Form(_)))), "{text:?}: {refusals:?}");
    }
    assert_eq!(refusals(b"\xef\xbb\xbf{}"), [const { Some(Reason::ByteOrderMark) }; 3]);
}

#[test]
fn nesting_without_end_is_refused() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for depth in [200, 100_000] {
            let text = format!(r#"{{"other":{}1{}}}"#, open.repeat(depth), close.repeat(depth));
            assert!(refusals(text.as_bytes()).iter().all(|refusal| matches!(refusal, Some(Reason::Form(_)))));
        }
    }
}

#[test]
fn what_is_refused_is_named_with_its_place_and_without_its_values() {
    let error = read::<Sample>(b"{\n  \"digest\": \"hunter2\",\n  \"Digest\": \"hunter3\"}").unwrap_err();
    assert_eq!(error.to_string(), "the key \"Digest\" is \"digest\" to some readers and not to others (line 3, column 10)");
    let hostile = read::<Sample>("{\"\\u001b[2J::add-mask::x\":1,\"\\u001b[2J::add-mask::x\":2}".as_bytes()).unwrap_err();
    assert!(!hostile.to_string().contains('\u{1b}'), "{hostile}");
}

/// A report without end of which nothing is kept.
struct Endless {
    left: usize,
    part: &'static [u8],
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.part.len().min(buffer.len()).min(self.left);
        buffer[..count].copy_from_slice(&self.part[..count]);
        self.left -= count;
        Ok(count)
    }
}

#[test]
fn a_report_is_read_as_it_comes() {
    #[derive(Deserialize)]
    struct Report {
        packages: Vec<serde::de::IgnoredAny>,
    }
    let part = br#"{"name":"a","version":"1"},"#;
    let number = 1000;
    let body = Endless { left: part.len() * number, part };
    let whole = (&br#"{"packages":["#[..]).chain(body).chain(&b"{}]}"[..]);
    assert_eq!(stream::<Report>(BufReader::new(whole)).unwrap().packages.len(), number + 1);
}

#[test]
fn a_member_is_cut_out_as_it_stands() {
    let text = br#" { "a" : [1, {"b": "}"}] ,"\u0062":1.50e1, "c" :{ "d":null } , "e": true}  "#;
    let member = |name: &str| member(text, name).map(|bytes| std::str::from_utf8(bytes).unwrap());
    let members = ["a", "b", "c", "e", "d"].map(member);
    assert_eq!(members, [Some(r#"[1, {"b": "}"}]"#), Some("1.50e1"), Some(r#"{ "d":null }"#), Some("true"), None]);
    for other in ["{}", "[]", "1", "", "{\"a\"", "{\"a\":", "{\"a\":1"] {
        assert_eq!(super::member(other.as_bytes(), "a").is_some(), other.ends_with('1') && other.len() > 1, "{other}");
    }
}

#[test]
fn a_strangers_words_are_one_short_line() {
    assert_eq!(refusal(br#"{"message":"no\n::add-mask::x"}"#), "no ::add-mask::x");
    assert_eq!(refusal("x".repeat(1000).as_bytes()).chars().filter(|character| *character == 'x').count(), text::WORDS);
}
