//! Whatever is read here, Go reads the same: the engines and registries that an image meets are written in it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex};

use base64::Engine as _;
use doubles::program::{Installer, program};
use oci_spec::image::ImageConfiguration;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;

/// `tools/oci-reader`: Go's `encoding/json` and the types of the image specification.
struct Go {
    _process: Child,
    documents: ChildStdin,
    readings: BufReader<ChildStdout>,
}

static GO: LazyLock<Mutex<Go>> = LazyLock::new(|| {
    let mut command = Command::new(program(Installer::Tools, "oci-reader"));
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (documents, readings) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
    Mutex::new(Go { _process: process, documents, readings })
});

/// What Go reads of a document: as an index, a manifest, a configuration, and what tells containerd the kinds apart.
fn go(document: &[u8]) -> Value {
    let mut go = GO.lock().unwrap();
    writeln!(go.documents, "{}", base64::engine::general_purpose::STANDARD.encode(document)).unwrap();
    let mut line = String::new();
    go.readings.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// Without what is empty, which Go's types write in some places and ours in others.
fn filled(value: &Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(bool) => !bool,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
    };
    match value {
        Value::Array(values) => values.iter().map(filled).collect(),
        Value::Object(values) => {
            let values = values.iter().map(|(key, value)| (key.clone(), filled(value)));
            Value::Object(values.filter(|(_, value)| !is_empty(value)).collect())
        }
        other => other.clone(),
    }
}

/// Media type, digest and size: what decides which content is taken.
fn named(descriptors: &[Descriptor]) -> Value {
    let named = |one: &Descriptor| json!({"mediaType": one.media_type(), "digest": one.digest(), "size": one.size()});
    descriptors.iter().map(named).collect()
}

fn named_by_go(descriptors: &Value) -> Value {
    let named = |one: &Value| json!({"mediaType": one["mediaType"], "digest": one["digest"], "size": one["size"]});
    descriptors.as_array().into_iter().flatten().map(named).collect()
}

/// A document, which a failure shows as text.
#[derive(Clone)]
struct Text(Vec<u8>);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.escape_ascii().to_string().replace("\\\"", "\""))
    }
}

/// A value as it is written, which no library writes: equal keys, broken text, odd numbers.
#[derive(Clone, Debug)]
enum Written {
    Raw(Vec<u8>),
    List(Vec<Written>),
    Object(Vec<(Vec<u8>, Written)>),
}

impl Written {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.clone(),
            Self::List(values) => [b"[", &*values.iter().map(Self::bytes).collect::<Vec<_>>().join(&b','), b"]"].concat(),
            Self::Object(members) => {
                let member = |(key, value): &(Vec<u8>, Self)| [b"\"", &**key, b"\": ", &*value.bytes()].concat();
                [b"{", &*members.iter().map(member).collect::<Vec<_>>().join(&b','), b"}"].concat()
            }
        }
    }
}

fn raw(value: &Value) -> Written {
    Written::Raw(value.to_string().into_bytes())
}

/// A key in the ways in which it can be written, most often its own.
fn key(key: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let escaped = key.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect::<Vec<_>>().concat();
    prop_oneof![
        60 => Just(key.as_bytes().to_vec()),
        2 => Just(escaped.into_bytes()),
        1 => Just(key.to_uppercase().into_bytes()),
        1 => Just(key[..1].to_uppercase().into_bytes().into_iter().chain(key.bytes().skip(1)).collect()),
        1 => Just(key.replacen('s', "\u{17f}", 1).into_bytes()),
        1 => Just(key.replacen('k', "\u{212a}", 1).into_bytes()),
        1 => Just(key.replacen('s', "\\u017F", 1).into_bytes()),
        1 => Just([key.as_bytes(), b"\xff"].concat()),
    ]
}

/// A value, or something odd in its place.
fn odd(value: impl Strategy<Value = Written> + 'static) -> impl Strategy<Value = Written> {
    let odd = select(vec![
        &b"null"[..],
        b"0",
        b"-0",
        b"1e2",
        b"1.0",
        b"9007199254740993",
        b"18446744073709551616",
        b"true",
        b"\"\"",
        b"\"\\ud800\"",
        b"\"\xc3\x28\"",
        b"\"\\u0000\"",
        b"[]",
        b"{}",
        b"[{}]",
        b"{\"a\":1,\"A\":2}",
        b"{\"digest\":\"x\"}",
    ]);
    prop_oneof![40 => value, 1 => odd.prop_map(|bytes| Written::Raw(bytes.to_vec()))]
}

/// An object of these members, some of them left out, repeated, moved or joined by others.
fn object(members: Vec<(&'static str, BoxedStrategy<Written>)>) -> BoxedStrategy<Written> {
    let extra: Vec<_> = members.clone();
    let all: Vec<_> = members.into_iter().map(|(name, value)| (key(name), odd(value), 0..40u8)).collect();
    let strange = (select(vec!["x", "X", "urls", "subject", "Labels", "artifactType"]), odd(Just(raw(&json!("y")))));
    let joined = (0..extra.len()).prop_flat_map(move |at| (key(extra[at].0), extra[at].1.clone()));
    let joined = prop_oneof![joined, strange.prop_map(|(key, value)| (key.as_bytes().to_vec(), value))];
    (all, vec(joined, 0..2), 0..12u8, any::<prop::sample::Index>())
        .prop_map(|(members, joined, adds, at)| {
            let mut members: Vec<_> =
                members.into_iter().filter(|(_, _, gone)| *gone > 0).map(|(key, value, _)| (key, value)).collect();
            for member in joined.into_iter().filter(|_| adds == 0) {
                members.insert(at.index(members.len() + 1), member);
            }
            Written::Object(members)
        })
        .boxed()
}

fn of(values: Vec<Value>) -> BoxedStrategy<Written> {
    select(values).prop_map(|value| raw(&value)).boxed()
}

fn list(value: BoxedStrategy<Written>) -> BoxedStrategy<Written> {
    vec(value, 0..4).prop_map(Written::List).boxed()
}

const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

fn free_keys() -> BoxedStrategy<Written> {
    let member = (select(vec!["a", "A", "b", "org.x", "\u{17f}"]), of(vec![json!("1"), json!("2")]));
    let member = member.prop_map(|(key, value)| (key.as_bytes().to_vec(), value));
    vec(member, 0..3).prop_map(Written::Object).boxed()
}

fn descriptor() -> BoxedStrategy<Written> {
    let digests = [Digest::of(b"a"), Digest::of(b"b")].map(|digest| json!(digest.to_string())).to_vec();
    let platform = object(vec![
        ("os", of(vec![json!("linux"), json!("windows")])),
        ("architecture", of(vec![json!("amd64"), json!("arm64")])),
    ]);
    object(vec![
        ("mediaType", of(MEDIA_TYPES.iter().map(|one| json!(one)).collect())),
        ("digest", of(digests)),
        ("size", of(vec![json!(1), json!(9_007_199_254_740_991_u64)])),
        ("annotations", free_keys()),
        ("platform", platform),
    ])
}

fn with_type(media_type: &'static str, parts: Vec<(&'static str, BoxedStrategy<Written>)>) -> BoxedStrategy<Written> {
    let common =
        vec![("schemaVersion", of(vec![json!(2)])), ("mediaType", of(vec![json!(media_type)])), ("annotations", free_keys())];
    object(common.into_iter().chain(parts).collect())
}

fn config() -> BoxedStrategy<Written> {
    let text = |words: &[&str]| of(words.iter().map(|word| json!(word)).collect());
    let run = object(vec![
        ("User", text(&["0", "app"])),
        ("Env", list(text(&["A=1", "a=2"]))),
        ("Cmd", list(text(&["/app", "-x"]))),
        ("Entrypoint", list(text(&["/entry"]))),
        ("Labels", free_keys()),
        ("WorkingDir", text(&["/", "/x"])),
    ]);
    let digests = [Digest::of(b"a"), Digest::of(b"b")].map(|digest| json!(digest.to_string())).to_vec();
    object(vec![
        ("architecture", text(&["amd64", "arm64"])),
        ("os", text(&["linux"])),
        ("variant", text(&["v7"])),
        ("config", run),
        ("rootfs", object(vec![("type", text(&["layers"])), ("diff_ids", list(of(digests)))])),
    ])
}

/// Documents as strangers may write them.
fn documents() -> BoxedStrategy<Text> {
    let kinds = (0..2usize).prop_flat_map(|docker| {
        prop_oneof![
            with_type(MEDIA_TYPES[docker * 2], vec![("manifests", list(descriptor()))]),
            with_type(MEDIA_TYPES[docker * 2 + 1], vec![("config", descriptor()), ("layers", list(descriptor()))]),
            config(),
        ]
    });
    let around = prop_oneof![
        30 => Just((&b""[..], &b""[..])),
        1 => Just((&b" \t\n"[..], &b"\r\n "[..])),
        1 => Just((&b"\xef\xbb\xbf"[..], &b""[..])),
        1 => Just((&b""[..], &b"{}"[..])),
        1 => Just((&b""[..], &b"\0"[..])),
        1 => Just((&b"/**/"[..], &b""[..])),
    ];
    (kinds, around).prop_map(|(document, (before, after))| Text([before, &*document.bytes(), after].concat())).boxed()
}

/// Compares the readings of a document, and says whether we have one.
fn compare(bytes: &[u8]) -> Result<bool, TestCaseError> {
    let go = go(bytes);
    let mut read_here = false;
    for declared in MEDIA_TYPES {
        let Ok(document) = read(bytes, &declared.into()) else { continue };
        read_here = true;
        let (kind, shape) = (&go["shape"]["value"], |part: &str| go["shape"]["value"][part] == true);
        prop_assert!(kind["mediaType"] == declared || kind["mediaType"] == "", "{kind}");
        match document {
            Document::Index(index) => {
                let seen = &go["index"]["value"];
                prop_assert!(shape("manifests") && !shape("layers") && !shape("config") && !shape("fsLayers"), "{kind}");
                prop_assert_eq!(named(index.manifests()), named_by_go(&seen["manifests"]));
                prop_assert_eq!(filled(&json!(index)), filled(seen));
            }
            Document::Manifest(manifest) => {
                let seen = &go["manifest"]["value"];
                prop_assert!(shape("layers") && shape("config") && !shape("manifests") && !shape("fsLayers"), "{kind}");
                prop_assert_eq!(named(manifest.layers()), named_by_go(&seen["layers"]));
                prop_assert_eq!(filled(&json!(manifest)), filled(seen));
            }
        }
    }
    if let Ok(config) = document::read_shared::<ImageConfiguration>(bytes) {
        read_here = true;
        let (here, seen) = (filled(&json!(config)), filled(&go["config"]["value"]));
        for part in ["architecture", "os", "variant", "config", "rootfs"] {
            prop_assert_eq!(&here[part], &seen[part], "{}", part);
        }
    }
    Ok(read_here)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_here_go_reads_the_same(document in documents()) {
        compare(&document.0)?;
    }
}

#[test]
fn the_documents_of_that_comparison_are_often_read_and_often_refused() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut read, mut refused, mut other) = (0, 0, 0);
    for _ in 0..600 {
        let Text(bytes) = documents().new_tree(&mut runner).unwrap().current();
        let is_read = compare(&bytes).unwrap();
        let plain = serde_json::from_slice::<Value>(&bytes).is_ok();
        *(if is_read {
            &mut read
        } else if plain {
            &mut other
        } else {
            &mut refused
        }) += 1;
    }
    assert!(read > 60 && refused > 20 && other > 60, "{read} {refused} {other}");
}

#[test]
fn documents_that_a_plain_reader_and_go_take_for_two_things_are_not_read() {
    let descriptor = |content: &[u8]| json!({"mediaType": MEDIA_TYPES[1], "digest": Digest::of(content).to_string(), "size": 1});
    let (one, other) = (descriptor(b"scanned"), descriptor(b"run"));
    for (document, plain, by_go) in [
        (format!(r#"{{"schemaVersion":2,"manifests":[{one}],"Manifests":[{other}]}}"#), &one, &other),
        (format!(r#"{{"schemaVersion":2,"manifests":[{one}],"manife\u017Fts":[{other}]}}"#), &one, &other),
        (
            format!(
                r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
                one.to_string().replace(r#""size""#, &format!(r#""Digest":{},"size""#, other["digest"]))
            ),
            &one,
            &other,
        ),
    ] {
        let index: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(index["manifests"][0]["digest"], plain["digest"], "{document}");
        assert_eq!(go(document.as_bytes())["index"]["value"]["manifests"][0]["digest"], by_go["digest"], "{document}");
        assert!(read(document.as_bytes(), &MEDIA_TYPES[0].into()).unwrap_err().is_ambiguous(), "{document}");
    }
}
