//! What is found of a secret, and what is left alone.

#![expect(clippy::format_collect, reason = "the forms of short texts, as one reads them")]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

const SECRET: &str = "Sup3r/S3cret+Value~42";

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn spread(text: &str, gap: &str) -> String {
    text.chars().flat_map(|character| [character.to_string(), gap.to_owned()]).collect()
}

#[track_caller]
fn is_hidden(shown: &str, secret: &str) {
    let redacted = redact(shown);
    assert!(redacted.contains("***"), "{shown:?} of {secret:?} stays {redacted:?}");
    // A digit, a sign of padding, and what stood around it may be left.
    let left = redacted.replace("***", "");
    assert!(
        left.chars().filter(|character| character.is_alphanumeric()).count() <= 10,
        "{shown:?} of {secret:?} leaves {left:?}"
    );
}

#[test]
fn each_form_of_a_secret_is_hidden() {
    for secret in [SECRET, "it's \"$HOME\" & <more> \\ `x`", "pässwörd-of-ours", "a very long passphrase, of several words"] {
        remember(secret);
        let json = serde_json::to_string(secret).unwrap();
        let percent: String = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
        for shown in [
            secret.to_owned(),
            secret.to_uppercase(),
            secret.to_lowercase(),
            secret.chars().rev().collect(),
            spread(secret, " "),
            spread(secret, "\u{301}"),
            spread(secret, "<U+200B>"),
            spread(secret, "\u{fe0f}\t"),
            spread(secret, "\n"),
            STANDARD.encode(secret),
            STANDARD_NO_PAD.encode(secret),
            URL_SAFE.encode(secret),
            URL_SAFE_NO_PAD.encode(format!("{secret}\n")),
            hex(secret),
            hex(secret).to_uppercase(),
            spread(&hex(secret), " "),
            secret.bytes().map(|byte| format!("\\x{byte:02X}")).collect(),
            secret.bytes().map(|byte| format!("%{byte:02x}")).collect(),
            secret.bytes().map(|byte| format!("\\{byte:03o}")).collect(),
            secret.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
            secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
            json.clone(),
            json.replace('/', "\\/"),
            percent.clone(),
            percent.to_lowercase(),
            percent.replace("%2D", "-").replace("%7E", "~"),
            secret.chars().map(|character| format!("&#{};", u32::from(character))).collect(),
            secret.chars().map(|character| format!("&#x{:X};", u32::from(character))).collect(),
            secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;"),
            secret.replace('\'', "'\\''"),
        ] {
            is_hidden(&shown, secret);
        }
        // Within a longer text, at each place that base64 knows.
        for before in ["", "a", "ab", "abc"] {
            let encoded = STANDARD.encode(format!("{before}{secret}{before}"));
            is_hidden(&encoded, secret);
        }
    }
}

#[test]
fn base32_is_known_wherever_the_secret_stands() {
    remember(SECRET);
    // By coreutils: printf 'xSup3r/S3cret+Value~42' | base32, and so on.
    for encoded in [
        "KN2XAM3SF5JTGY3SMV2CWVTBNR2WK7RUGI======",
        "PBJXK4BTOIXVGM3DOJSXIK2WMFWHKZL6GQZA====",
        "PB4FG5LQGNZC6UZTMNZGK5BLKZQWY5LFPY2DE===",
    ] {
        is_hidden(encoded, SECRET);
    }
}

#[test]
fn a_dump_and_lines_of_base64_are_hidden() {
    let secret = "Zq8".repeat(60);
    remember(&secret);
    let encoded = STANDARD.encode(&secret);
    for length in [76, 64] {
        for line in encoded.as_bytes().chunks(length) {
            is_hidden(std::str::from_utf8(line).unwrap(), &secret);
        }
    }
    for (number, line) in secret.as_bytes().chunks(16).enumerate() {
        let text = std::str::from_utf8(line).unwrap();
        if line.len() == 16 {
            let dump = format!("{:08x}  {} |{text}|", number * 16, spread(&hex(text), " "));
            assert_eq!(redact(&dump).matches("***").count(), 2, "{}", redact(&dump));
        }
    }
}

#[test]
fn each_line_of_a_secret_is_one_and_so_is_the_whole() {
    let key = "-----BEGIN KEY-----\nabcdefghij\nab\nKLMNOPQRST\n-----END KEY-----\n";
    remember(key);
    assert_eq!(redact("x abcdefghij y -----END KEY----- ab"), "x *** y *** ab");
    for whole in [key.to_owned(), key.replace('\n', "\r\n"), key.replace('\n', "\\n"), key.replace('\n', " ")] {
        assert!(!redact(&whole).contains("KLMN"), "{whole:?}");
    }
    for whole in [key.to_owned(), key.replace('\n', "\r\n")] {
        is_hidden(&STANDARD.encode(whole), key);
    }
}

#[test]
fn what_is_secret_in_a_file_is_secret_by_itself() {
    let file = "{\n  \"type\": \"service_account\",\n  \"private_key\": \"-----BEGIN\\nMIIEvQIBADAN\\n-----END\\n\",\n  \"token_uri\": \"https://oauth2.example/token\"\n}\n";
    remember_structured(file.as_bytes());
    assert_eq!(redact("MIIEvQIBADAN"), "***");
    assert_eq!(redact("https://oauth2.example/token"), "https://oauth2.example/token");
    assert_eq!(redact("{ [ ], }"), "{ [ ], }");
}

#[test]
fn bytes_that_are_no_text_are_known_in_their_forms() {
    let bytes: Vec<u8> = (0..24).map(|n: u8| n.wrapping_mul(37) ^ 0xa5).collect();
    remember_structured(&bytes);
    is_hidden(&STANDARD.encode(&bytes), "bytes");
    is_hidden(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), "bytes");
}

#[test]
fn short_secrets_do_not_spoil_the_log() {
    assert_eq!(remember("abc"), Known::TooShort);
    assert_eq!(remember(" \n"), Known::TooShort);
    assert_eq!(remember("test"), Known::Masked);
    assert_eq!(redact("a contest, the latest: TEST te st abc"), "a con***, the la***: TEST te st abc");
    // What nobody sees hides nothing.
    assert_eq!(redact("t<U+200B>e\u{301}st"), "***");
}

#[test]
fn secrets_that_overlap_are_hidden_with_all_that_they_have() {
    remember("abcdefghij");
    remember("ghijklmnop");
    remember("cdef");
    assert_eq!(redact("xabcdefghijklmnopx cdef"), "x***x ***");
}

#[test]
fn a_secret_of_another_script_is_known_as_it_is() {
    remember("пароль-пароль");
    assert_eq!(redact("то пароль-пароль и -"), "то *** и -");
}

#[test]
fn the_credentials_of_any_address_are_hidden() {
    assert_eq!(
        redact("cloning https://me:pw@h.example/x and ssh://git@h.example"),
        "cloning https://***@h.example/x and ssh://git@h.example"
    );
}

#[test]
fn what_a_cut_text_ends_with_is_hidden_where_a_secret_begins_so() {
    remember(SECRET);
    assert_eq!(redact_cut("a line that ends with Sup3r/S3c"), "a line that ends with ***");
    assert_eq!(redact_cut("a line that ends with Sup"), "a line that ends with Sup");
    let encoded = STANDARD.encode(SECRET);
    assert_eq!(redact_cut(&encoded[..9]), "***");
}

#[test]
fn what_everyone_knows_is_no_secret() {
    publish("0123456789abcdef0123456789abcdef01234567");
    assert_eq!(remember("0123456789abcdef0123456789abcdef01234567\n"), Known::Public);
    assert_eq!(redact("commit 0123456789abcdef0123456789abcdef01234567"), "commit 0123456789abcdef0123456789abcdef01234567");
}

#[test]
fn a_stranger_who_issues_a_token_does_not_choose_our_words() {
    for token in ["CVE-2020-14343", "sha256:", "a sentence of thirty-two characters or more"] {
        assert_eq!(remember_issued(token), Known::TooShort);
        assert_eq!(redact(token), token);
    }
    let token = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.e30.x";
    remember_issued(token);
    assert_eq!(redact(token), "***");
}

#[test]
fn the_runner_hears_of_each_line_once() {
    thread_local!(static HEARD: std::cell::RefCell<Vec<String>> = std::cell::RefCell::default());
    remember("known-before");
    tell(|line| HEARD.with(|heard| heard.borrow_mut().push(line.to_owned())));
    for _ in 0..2 {
        remember("known-before");
        remember("{\n  one line\n  another line\r\n}");
        remember_structured(b"PASSWORD=hunter22");
    }
    assert_eq!(
        HEARD.with(std::cell::RefCell::take),
        ["known-before", "one line", "another line", "PASSWORD=hunter22", "hunter22"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_it_panic(secret in ".{0,40}", text in ".{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        known::forget();
        remember(&secret);
        remember_structured(&bytes);
        for text in [&*text, &format!("{text}{secret}{text}"), &String::from_utf8_lossy(&bytes)] {
            redact(text);
            redact_cut(text);
        }
    }

    #[test]
    fn a_secret_is_in_no_text_once_it_is_known(secret in "[a-zA-Z0-9+/=._-]{8,60}", before in ".{0,20}", after in ".{0,20}") {
        known::forget();
        remember(&secret);
        let text = format!("{before}{secret}{after}");
        prop_assert!(!redact(&text).contains(&secret));
        prop_assert_eq!(redact(&redact(&text)).into_owned(), redact(&text).into_owned());
    }

    #[test]
    fn text_without_secrets_stays_as_it_is(text in "[a-zA-Z0-9 .,_é\u{301}-]{0,80}") {
        known::forget();
        remember(SECRET);
        prop_assert_eq!(&redact(&text), &text);
    }
}
