//! Each target over its corpus, and over changes of it: the same ones each time.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A target, and how many changed inputs it is given: those that write files take longer.
struct Target {
    name: &'static str,
    read: fn(&[u8]),
    changes: usize,
}

macro_rules! targets {
    ($($name:ident: $changes:literal;)+) => {
        [$(Target { name: stringify!($name), read: super::$name, changes: $changes }),+]
    };
}

const TARGETS: [Target; 22] = targets! {
    build_progress: 1000;
    dockerfile: 1000;
    dockerignore: 300;
    engine_archive: 100;
    event: 500;
    git_pack: 500;
    gitleaks_lists: 300;
    gitleaks_report: 1000;
    gitops_edit: 500;
    inputs: 500;
    json: 1000;
    layer: 200;
    layout: 200;
    lifecycle_policy: 500;
    manifest: 1000;
    record: 300;
    references: 1000;
    sbom: 500;
    tag_templates: 1000;
    trivy_lists: 300;
    trivy_report: 500;
    yaml: 500;
};

/// The most bytes of a file of the corpus.
const MAX_SEED: usize = 16 << 10;
/// The most bytes of an input.
const MAX_INPUT: usize = 32 << 10;

/// What means something to one reader or another.
const WORDS: [&[u8]; 54] = [
    b"\n~~~~\n",
    b"\n",
    b"\r\n",
    b"\0",
    b"\t",
    b" ",
    b"\"",
    b"'",
    b"\\",
    b"\\u0000",
    b"\\u001b[2J",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[",
    b"{}",
    b"null",
    b"-1",
    b"0",
    b"1e999",
    b"4294967296",
    b"9007199254740993",
    b"18446744073709551615",
    b"${a:-",
    b"$a",
    b"`",
    b"#",
    b"# escape=`\n",
    b"<<EOF\n",
    b"FROM a\n",
    b":",
    b"::",
    b"##[",
    b"/",
    b"../",
    b"*",
    b"**/",
    b"!",
    b"?",
    b"@",
    b"sha256:",
    b"&a ",
    b"*a",
    b"- ",
    b"|",
    b"](",
    b"\xff",
    b"\xc3\x28",
    b"\xef\xbb\xbf",
    "\u{202e}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{212a}ſ".as_bytes(),
];

/// Chance that is the same each time (Marsaglia, "Xorshift RNGs").
struct Chance(u64);

impl Chance {
    fn of(name: &str) -> Self {
        // FNV-1a.
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit.max(1)
    }

    /// Some bytes of an input.
    fn stretch(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(input.len() + 1);
        let most = [4, 64, input.len()][self.below(3)];
        start..input.len().min(start + self.below(most + 1))
    }
}

fn changed(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut input = corpus[chance.below(corpus.len())].clone();
    for _ in 0..=chance.below(4) {
        change(&mut input, corpus, chance);
    }
    input.truncate(MAX_INPUT);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(input.len() + 1);
    match chance.below(7) {
        0 if at < input.len() => input[at] ^= 1 << chance.below(8),
        1 => {
            let stretch = chance.stretch(input);
            input.drain(stretch);
        }
        2 => {
            let (stretch, times) = (chance.stretch(input), 1 << chance.below(12));
            let repeated = input[stretch].repeat(times);
            input.splice(at..at, repeated.into_iter().take(MAX_INPUT));
        }
        3 => {
            let other = &corpus[chance.below(corpus.len())];
            let (ours, theirs) = (chance.stretch(input), chance.stretch(other));
            input.splice(ours, other[theirs].iter().copied());
        }
        4 => {
            let stretch = chance.stretch(input);
            input.splice(stretch, WORDS[chance.below(WORDS.len())].iter().copied());
        }
        _ => {
            input.splice(at..at, WORDS[chance.below(WORDS.len())].iter().copied());
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder().join("corpus").join(name)).unwrap_or_else(|error| panic!("{name} has no corpus: {error}"));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// What breaks a target first, with the input that does.
fn broken(target: &Target, times: usize) -> Option<String> {
    let (corpus, mut chance) = (corpus(target.name), Chance::of(target.name));
    let seeds = corpus.iter().cloned().enumerate().map(|(number, seed)| (format!("file {number} of its corpus"), seed));
    let changes = (0..target.changes * times).map(|number| (format!("change {number}"), changed(&corpus, &mut chance)));
    let mut inputs = seeds.chain(changes);
    inputs.find_map(|(what, input)| {
        panic::catch_unwind(AssertUnwindSafe(|| (target.read)(&input))).err()?;
        Some(format!("{} breaks by {what}: b\"{}\"", target.name, input.escape_ascii()))
    })
}

#[test]
fn no_input_breaks_what_is_promised_of_what_reads_it() {
    let times = std::env::var("GP_DELIVER_CHANGES").map_or(1, |times| times.parse::<usize>().unwrap());
    let next = AtomicUsize::new(0);
    let work = || {
        let mine = std::iter::from_fn(|| TARGETS.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.filter_map(|target| broken(target, times)).collect::<Vec<_>>()
    };
    let broken: Vec<_> = std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(broken.is_empty(), "why is told above:\n{}", broken.join("\n"));
}

#[test]
fn each_target_has_its_program_and_its_corpus() {
    let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let listed = |folder: PathBuf| -> BTreeSet<String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(listed(folder().join("fuzz_targets")), names);
    assert_eq!(listed(folder().join("corpus")), names);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for name in &names {
        let program = fs::read_to_string(folder().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        let expected = format!(
            "#![no_main]\n\nuse gp_deliver::fuzzing::{name};\n\nlibfuzzer_sys::fuzz_target!(|bytes: &[u8]| {name}(bytes));\n"
        );
        assert_eq!(program, expected, "fuzz/fuzz_targets/{name}.rs");
        let binary = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&binary), "fuzz/Cargo.toml has no program {name}");
        let corpus = corpus(name);
        assert!(!corpus.is_empty() && corpus.iter().all(|seed| seed.len() <= MAX_SEED), "{name}");
    }
}

#[test]
fn changes_are_the_same_each_time_and_of_every_kind() {
    let corpus = [b"abc".to_vec(), b"FROM scratch\nRUN x\n".to_vec()];
    let inputs = |chance: &mut Chance| (0..500).map(|_| changed(&corpus, chance)).collect::<Vec<_>>();
    let (one, other) = (inputs(&mut Chance::of("json")), inputs(&mut Chance::of("json")));
    assert_eq!(one, other);
    assert_ne!(one, inputs(&mut Chance::of("yaml")));
    assert!(one.iter().collect::<BTreeSet<_>>().len() > 450);
    assert!(one.iter().any(|input| input.len() > 10_000) && one.iter().any(|input| input.len() < 3));
}
