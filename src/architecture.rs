//! The rooms of `docs/architecture.md` are those of the code, and nothing goes in circles.
//!
//! A room is a module of the crate's root with all its files, or the program itself (`main`). A room knows another when one
//! of its files names it in a `use` or in a path (`crate::oci::Tag`), be it for a type, a function or a constant. Tests do
//! not count: neither what is under `#[cfg(test)]` nor the files that are a module there.
//!
//! Within a room, modules side by side may not know each other in circles; each counts with all that is inside it. What a
//! module and those inside it share does not count: they are one thing in several files. A re-export (`pub use
//! error::Error`) is looked through: whoever names `super::Error` knows `error.rs`. `mod error;` is no knowing, and neither
//! is `use super::error`: what counts is what is then named in it. What a macro is given is read word by word.

mod module;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use self::module::{Module, root};

const PAGE: &str = "docs/architecture.md";
/// The room of the program, which sees the library from outside.
const MAIN: &str = "main";
const LIBRARY: &str = "gp_deliver";

/// Read once for all tests.
static SOURCES: LazyLock<Sources> = LazyLock::new(Sources::read);

/// A module's or an item's name from the root of the crate: `["oci", "layout", "Error"]`.
type Name = Vec<String>;

/// The product's modules.
struct Sources(BTreeMap<Name, Module>);

impl Sources {
    fn read() -> Self {
        let mut sources = Self(BTreeMap::new());
        let mut library = Module::read("src/lib.rs");
        assert!(library.imports.is_empty() && library.named.is_empty(), "src/lib.rs has modules and nothing else");
        for room in std::mem::take(&mut library.children) {
            sources.add(vec![room], "src");
        }
        sources.0.insert(vec![MAIN.to_owned()], Module::read("src/main.rs"));
        sources
    }

    /// Adds a module whose file is in `folder`, and those inside it.
    fn add(&mut self, name: Name, folder: &str) {
        let stem = format!("{folder}/{}", name[name.len() - 1]);
        let file = [format!("{stem}.rs"), format!("{stem}/mod.rs")].into_iter().find(|file| root().join(file).exists());
        let module = Module::read(&file.unwrap_or_else(|| panic!("{stem} has no file")));
        for child in &module.children {
            self.add(name.iter().chain([child]).cloned().collect(), &stem);
        }
        self.0.insert(name, module);
    }

    fn rooms(&self) -> BTreeSet<&str> {
        self.0.keys().map(|name| name[0].as_str()).collect()
    }

    /// A path as it is written in `module`, from the root of the crate; none where it leads to another crate.
    fn absolute(&self, module: &Name, path: &[String]) -> Option<Name> {
        let rest = |from: usize| path[from..].iter();
        match path[0].as_str() {
            "crate" | LIBRARY => Some(rest(1).cloned().collect()),
            "self" => Some(module.iter().chain(rest(1)).cloned().collect()),
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                let above = module.len().checked_sub(up)?;
                Some(module[..above].iter().chain(rest(up)).cloned().collect())
            }
            first => {
                let here = &self.0[module];
                if here.children.iter().any(|child| child == first) {
                    return Some(module.iter().chain(rest(0)).cloned().collect());
                }
                let import = here.imports.get(first).filter(|import| import.path != path)?;
                let imported = self.absolute(module, &import.path)?;
                Some(imported.iter().chain(rest(1)).cloned().collect())
            }
        }
    }

    /// The module that has what `name` names, behind all re-exports; `name` itself where it is a module.
    fn home(&self, name: &[String]) -> Option<Name> {
        let length = (1..=name.len()).rev().find(|length| self.0.contains_key(&name[..*length]))?;
        let module: Name = name[..length].to_vec();
        let Some(item) = name.get(length) else { return Some(module) };
        let here = &self.0[&module];
        if let Some(import) = here.imports.get(item) {
            let behind = self.absolute(&module, &import.path)?;
            return self.home(&behind.iter().chain(&name[length + 1..]).cloned().collect::<Vec<_>>());
        }
        Some(module)
    }

    /// What a module names in the crate, from the root: as it is written, and from the root.
    fn references<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = (String, Name)> + 'a {
        let module = &self.0[name];
        // A re-export alone is no use of what it hands on, and a module that is brought in is used by a path.
        let imports = module.imports.iter().filter(|(word, import)| !import.is_reexport || module.named.contains(*word));
        let imports = imports.map(|(_, import)| &import.path);
        let paths = imports.chain(&module.globs).chain(&module.paths);
        paths.filter_map(|path| Some((path.join("::"), self.absolute(name, path)?)))
    }

    /// Where JSON is read, and by which words.
    fn readers_of_json(&self) -> Vec<String> {
        let mut readers = Vec::new();
        for (name, module) in self.0.iter().filter(|(name, _)| name[0] != "document") {
            let paths = module.imports.values().map(|import| &import.path).chain(&module.paths);
            let paths = paths.filter(|path| reads_json(&module.spelled_out(path)));
            let globs = module.globs.iter().filter(|path| module.spelled_out(path)[0] == "serde_json");
            let paths = paths.chain(globs).map(|path| path.join("::"));
            // reqwest's; it hands the bytes to serde_json itself.
            let called = module.called.iter().filter(|method| *method == "json").map(|method| format!(".{method}()"));
            readers.extend(paths.chain(called).map(|words| format!("{} names {words}", name.join("::"))));
        }
        readers
    }

    /// Which modules open files or folders by a path, and by which words.
    fn openers(&self) -> BTreeMap<String, Vec<String>> {
        let mut openers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, module) in self.0.iter().filter(|(name, _)| name[0] != "beneath") {
            let imports = module.imports.values().map(|import| &import.path);
            let paths = imports.chain(&module.paths).filter(|path| opens(&module.spelled_out(path)));
            let globs = module.globs.iter().filter(|path| module.spelled_out(path).iter().any(|part| part == "fs"));
            let words = paths.chain(globs).map(|path| path.join("::"));
            let called = module.called.iter().filter(|method| *method == "read_dir").map(|method| format!(".{method}()"));
            let words: Vec<_> = words.chain(called).collect();
            if !words.is_empty() {
                openers.insert(name.join("::"), words);
            }
        }
        openers
    }

    /// Where text leaves the process past `sink`, and by which words.
    fn ways_out(&self) -> Vec<String> {
        // What speaks to gp-deliver itself.
        let modules = self.0.iter().filter(|(name, _)| !["sink", "process"].contains(&&*name[0]));
        let ways = modules.flat_map(|(name, module)| {
            let named = module.named.iter().map(std::slice::from_ref).map(<[_]>::to_vec);
            let paths =
                module.imports.values().map(|import| import.path.clone()).chain(module.paths.iter().cloned()).chain(named);
            let ways = paths.filter(move |path| leads_out(&name[0], &module.spelled_out(path)));
            ways.map(move |path| (name.join("::"), path.join("::")))
        });
        ways.filter(|way| !DRAWN_OR_CLEAN.iter().any(|(module, words)| (*module, *words) == (&*way.0, &*way.1)))
            .map(|(module, words)| format!("{module} names {words}"))
            .collect()
    }

    /// Which rooms a room knows, each with a place.
    fn known_rooms(&self) -> Graph<'_> {
        let mut known = Graph::new();
        for (name, module) in &self.0 {
            let of_room = known.entry(&name[0]).or_default();
            let handed_on = module.imports.values().filter(|import| import.is_reexport);
            let handed_on = handed_on.filter_map(|import| Some((import.path.join("::"), self.absolute(name, &import.path)?)));
            for (written, target) in self.references(name).chain(handed_on) {
                let Some((room, _)) = target.first().and_then(|room| self.0.get_key_value(&vec![room.clone()])) else { continue };
                if room[0] != name[0] {
                    of_room.entry(&room[0]).or_insert_with(|| format!("{} names {written}", module.file));
                }
            }
        }
        known
    }

    /// Which of the modules beside it a module knows, in whichever room, each with what it names there.
    fn known_neighbours(&self) -> Graph<'_> {
        let mut known = Graph::new();
        for (name, module) in &self.0 {
            for (written, target) in self.references(name) {
                let Some(home) = self.home(&target).filter(|home| *home != target && home[0] == name[0]) else { continue };
                let shared = name.iter().zip(&home).take_while(|(one, other)| one == other).count();
                // A module and those inside it are one thing.
                let (Some((from, _)), Some((to, _))) = (self.within(name, shared), self.within(&home, shared)) else { continue };
                let of_module = known.entry(&*self.0[from].file).or_default();
                of_module.entry(&*self.0[to].file).or_insert_with(|| format!("{} names {written}", module.file));
            }
        }
        known
    }

    /// The module one below the first `depth` parts of a name.
    fn within(&self, name: &Name, depth: usize) -> Option<(&Name, &Module)> {
        self.0.get_key_value(name.get(..=depth)?)
    }
}

/// Who knows whom, and by which words.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, String>>;

/// The circles of a graph: for each, a shortest way round, as the words by which each knows the next.
fn circles(graph: &Graph<'_>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for start in graph.keys() {
        let Some(way) = way_back(graph, start) else { continue };
        if !way.iter().any(|node| seen.contains(node)) {
            found.push(way.iter().zip(way.iter().cycle().skip(1)).map(|(from, to)| graph[from][to].clone()).collect());
        }
        seen.extend(way);
    }
    found
}

/// The nodes of a shortest way from `start` back to it.
fn way_back<'a>(graph: &Graph<'a>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in graph.get(way[way.len() - 1]).into_iter().flat_map(BTreeMap::keys) {
                if *next == start {
                    return Some(way);
                }
                if seen.insert(*next) {
                    longer.push(way.iter().chain([next]).copied().collect());
                }
            }
        }
        ways = longer;
    }
    None
}

/// Whether a path leads to what reads JSON or YAML: `serde_json`'s own, or the readers that the types of `oci_spec` have. (A `.parse()`
/// into a `serde_json::Value` can't be told by its words.)
fn reads_json(path: &[String]) -> bool {
    let reader = path.iter().any(|part| ["from_slice", "from_str", "from_reader", "from_value", "from_file"].contains(&&**part));
    match path[0].as_str() {
        "serde_json" => reader || path.iter().any(|part| ["de", "Deserializer", "StreamDeserializer"].contains(&&**part)),
        "oci_spec" => reader,
        "serde_yaml" => true,
        _ => false,
    }
}

/// Whether a path leads to what opens a file or a folder to read it.
fn opens(path: &[String]) -> bool {
    let has = |words: &[&str]| path.iter().any(|part| words.contains(&&**part));
    match path[0].as_str() {
        "std" | "tokio" if path.get(1).is_some_and(|part| part == "fs") => {
            has(&["read", "read_to_string", "read_dir", "copy"])
                || has(&["open", "options", "open_buffered"])
                || has(&["OpenOptions"])
        }
        "rustix" => has(&["open", "openat", "openat2", "Dir"]),
        "walkdir" | "glob" => path[1..].iter().any(|part| ["WalkDir", "glob", "glob_with"].contains(&&**part)),
        _ => false,
    }
}

/// What leads out and has passed `sink` before: lines that are drawn, files that are made of what only `sink` makes, and one
/// that is read.
const DRAWN_OR_CLEAN: [(&str, &str); 4] = [
    ("report::console", "ProgressDrawTarget::stderr"),
    ("report::folder", "OpenOptions::new"),
    ("report::claimed", "fs::OpenOptions::new"),
    ("report::claimed", "OpenOptionsExt"),
];

/// Whether a path in `room` leads to one of the process's outputs, or, where reports are made, to a file.
fn leads_out(room: &str, path: &[String]) -> bool {
    let is = |words: &[&str]| path.last().is_some_and(|last| words.contains(&&**last));
    let output = is(&["stdout", "stderr", "Stdout", "Stderr", "println", "print", "eprintln", "eprint", "dbg"]);
    let file = path.iter().any(|part| ["OpenOptions", "File"].contains(&&**part))
        && is(&["new", "create", "create_new", "options"])
        || path.ends_with(&["fs".to_owned(), "write".to_owned()]);
    output || file && ["report", "record", "github", "diagnosis", "setup", "run", "main"].contains(&room)
}

/// A row of the page's table.
struct Row {
    room: String,
    may_know: BTreeSet<String>,
}

/// The table of rooms, from the top down.
fn rows(page: &str) -> Vec<Row> {
    let (_, section) = page.split_once("\n## Rooms\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let table = section.lines().filter(|line| line.starts_with("| `"));
    let rows = table.map(|line| match line.split('|').map(str::trim).collect::<Vec<_>>()[..] {
        ["", room, _, may_know, ""] => {
            let may_know = may_know.split(", ").filter(|room| *room != "nothing");
            Row { room: in_backticks(room, line), may_know: may_know.map(|room| in_backticks(room, line)).collect() }
        }
        _ => panic!("{PAGE}: three columns are expected: {line}"),
    });
    rows.collect()
}

fn in_backticks(name: &str, line: &str) -> String {
    let inside = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
    inside.unwrap_or_else(|| panic!("{PAGE}: rooms in backticks and commas are expected, or `nothing`: {line}")).to_owned()
}

/// What is not as the table says, each with what to change.
fn faults(rows: &[Row], rooms: &BTreeSet<&str>, known: &Graph<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let place = |room: &str| rows.iter().position(|row| row.room == room);
    for room in rooms {
        match rows.iter().filter(|row| row.room == *room).count() {
            0 => faults.push(format!("`{room}` is a room without a row: add one")),
            1 => {}
            _ => faults.push(format!("`{room}` has several rows: leave one")),
        }
    }
    for row in rows {
        let Row { room, may_know } = row;
        let Some(used) = known.get(room.as_str()) else {
            faults.push(format!("`{room}` has a row and is no room: take the row out"));
            continue;
        };
        for (other, place) in used.iter().filter(|(other, _)| !may_know.contains(**other)) {
            faults.push(format!("`{room}` may not know `{other}`: {place}. Do without it, or allow it in the row of `{room}`"));
        }
        for other in may_know.iter().filter(|other| !used.contains_key(other.as_str())) {
            faults.push(format!("`{room}` may know `{other}` and does not: take `{other}` out of its row"));
        }
        for other in may_know.iter().filter(|other| place(other) <= place(room)) {
            faults.push(format!("`{room}` may know `{other}`, which is not below it: move a row, or do without `{other}`"));
        }
    }
    faults
}

#[test]
fn a_room_knows_the_rooms_that_the_page_says_and_all_of_them_are_below_it() {
    let (rooms, known) = (SOURCES.rooms(), SOURCES.known_rooms());
    assert!(rooms.len() > 25 && SOURCES.0.len() > 150, "{rooms:?}");
    let rows = rows(&std::fs::read_to_string(root().join(PAGE)).unwrap());
    let faults = faults(&rows, &rooms, &known);
    assert!(faults.is_empty(), "{PAGE}, \"Rooms\":\n{}", faults.join("\n"));
}

#[test]
fn rooms_do_not_know_each_other_in_circles() {
    let circles: Vec<_> = circles(&SOURCES.known_rooms()).iter().map(|circle| circle.join("\n")).collect();
    assert!(circles.is_empty(), "move what they share into a room below them:\n{}", circles.join("\n\n"));
}

#[test]
fn modules_of_a_room_do_not_know_each_other_in_circles() {
    let known = SOURCES.known_neighbours();
    assert!(known.values().map(BTreeMap::len).sum::<usize>() > 100, "{known:?}");
    let circles: Vec<_> = circles(&known).iter().map(|circle| circle.join("\n")).collect();
    assert!(circles.is_empty(), "move what they share into a module of its own:\n{}", circles.join("\n\n"));
}

#[test]
fn json_is_read_in_the_one_room_that_refuses_what_has_two_readings() {
    let readers = SOURCES.readers_of_json();
    assert!(readers.is_empty(), "read it by `crate::document`:\n{}", readers.join("\n"));
    for (text, found) in [
        ("fn f() { serde_json::from_slice::<T>(b) }", true),
        ("use serde_json::from_str; fn f() { from_str(b) }", true),
        ("use serde_json as json; fn f() { json::from_reader(b) }", true),
        ("fn f() { T::deserialize(&mut serde_json::Deserializer::from_slice(b)) }", true),
        ("use serde_json::*;", true),
        ("use serde_json::de::*;", true),
        ("use oci_spec::image::ImageIndex; fn f() { ImageIndex::from_reader(b) }", true),
        ("fn f() { response.json() }", true),
        ("fn f() { serde_yaml::from_str(text) }", true),
        ("use serde_json::json; fn f() { json!({}); serde_json::to_vec(v); \"a\".parse() }", false),
        ("#[cfg(test)] mod tests { fn f() { serde_json::from_slice(b) } }", false),
        ("use http::HeaderValue; fn f() { HeaderValue::from_str(b) }", false),
    ] {
        assert_eq!(!made_up(&[("a", text)]).readers_of_json().is_empty(), found, "{text}");
        assert!(made_up(&[("document", text)]).readers_of_json().is_empty(), "{text}");
    }
}

/// Who opens what by a path of its own making, and why that needs no [`crate::beneath`]. What the source names is not among it.
const OPENERS: &[(&str, &str)] = &[
    ("buildkit::blob_folder::intake", "new files in a folder that was opened beneath its root"),
    ("buildkit::cache_folder::lock", "locks in a folder that was opened beneath its root"),
    ("buildkit::cache_folder::place", "new files in a folder that was opened beneath its root"),
    ("buildkit::endpoint", "the user's certificates for an engine"),
    ("buildkit::session::secrets", "the user's files of build secrets"),
    ("buildkit::tls", "the user's certificates for an engine"),
    ("config::docker", "the configuration of the user's Docker client"),
    ("config::dockerfile", "names of files, for a message"),
    ("git::view", "the names in a repository's own folder, which no commit has"),
    ("github::event", "the runner's file of the event"),
    ("keeper", "nothing at all: /dev/null"),
    ("keeper::scratch", "folders of ours among temporary files, by their owner and their lock"),
    ("kubernetes::service_account", "files that the kubelet writes, in a folder that the user names"),
    ("layer_store::folder", "the cache, which belongs to whoever runs this, without links"),
    ("layer_store::room", "the cache, which belongs to whoever runs this"),
    ("machine", "what Linux says of the machine, of processes and of control groups"),
    ("matrix", "names of folders; whether they are the repository's is looked at beneath its root"),
    ("oci::layer", "blobs of a layout of ours"),
    ("oci::layout", "a layout of ours"),
    ("oci::registry::credentials::store", "the configuration of the user's Docker client"),
    ("oci::registry::payload", "blobs of a layout of ours"),
    ("ownership", "whether a folder that is written to is ours, or empty"),
    ("pipeline::doctor", "the user's file of a trust policy"),
    ("process::elf", "the program that is started, for the interpreter it names"),
    ("process::identity", "the system's users"),
    ("process::limits", "what Linux says of processes"),
    ("process::report", "what a scanner wrote in a folder of ours, without links, bounded"),
    ("process::script", "the program that is started, for the interpreter that its first line names"),
    ("process::scratch", "a folder of ours that a program wrote to"),
    ("process::stand_in", "a pipe of ours"),
    ("process::supervisor", "what Linux says of processes"),
    ("process::watch", "a folder of ours that a program writes to"),
    ("publish::folder", "a layout that is ours by its mark"),
    ("report::claimed", "another job's report, without links, bounded"),
    ("report::folder", "the report's folder, which is ours by its mark, and the runner's files"),
    ("scan::database::arriving", "an archive that a mirror sent, in a folder of ours"),
    ("scan::database::cache", "the cache, which belongs to whoever runs this"),
    ("scan::database::digests", "the cache, which belongs to whoever runs this"),
    ("scan::database::mirror", "a blob of a layout that the user names"),
    ("scan::layers", "names of files, for contents that are then read beneath the root"),
    ("staging", "folders of ours in the report's"),
    ("user_cache", "the cache, which belongs to whoever runs this"),
];

#[test]
fn what_the_source_names_is_opened_beneath_its_root() {
    let (mut openers, mut idle) = (SOURCES.openers(), Vec::new());
    for (module, why) in OPENERS.iter().copied() {
        assert!(!why.is_empty(), "{module}: say why it needs no root");
        if openers.remove(module).is_none() {
            idle.push(module);
        }
    }
    assert!(idle.is_empty(), "these open nothing: take their rows out: {idle:?}; and {openers:#?}");
    assert!(openers.is_empty(), "open it by `crate::beneath`, or add a row with the reason: {openers:#?}");
    for (text, found) in [
        ("fn f() { std::fs::read(p) }", true),
        ("use std::fs; fn f() { fs::read_to_string(p) }", true),
        ("use std::fs::File; fn f() { File::open(p) }", true),
        ("use std::fs::{self, File}; fn f() { map(File::open) }", true),
        ("use std::fs::OpenOptions as O; fn f() { O::new() }", true),
        ("use std::fs::*; fn f() { read(p) }", true),
        ("use std::fs::read_dir; fn f() { read_dir(p) }", true),
        ("fn f() { path.read_dir() }", true),
        ("use tokio::fs; async fn f() { fs::File::open(p).await }", true),
        ("fn f() { rustix::fs::openat(a, b, c, d) }", true),
        ("use walkdir::WalkDir; fn f() { WalkDir::new(p) }", true),
        ("use std::fs; fn f() { fs::write(p, t); fs::create_dir(p); fs::metadata(p) }", false),
        ("use std::fs::File; fn f(file: File) {}", false),
        ("#[cfg(test)] mod tests { fn f() { std::fs::read(p) } }", false),
    ] {
        assert_eq!(!made_up(&[("a", text)]).openers().is_empty(), found, "{text}");
    }
}

#[test]
fn text_leaves_by_the_one_room_that_takes_the_secrets_out() {
    let ways = SOURCES.ways_out();
    assert!(ways.is_empty(), "write it by `crate::sink`:\n{}", ways.join("\n"));
    for (text, found) in [
        ("fn f() { println!(\"x\") }", true),
        ("fn f() { eprint!(\"x\") }", true),
        ("fn f() { writeln!(std::io::stderr(), \"x\") }", true),
        ("use std::io; fn f() { io::stdout().lock() }", true),
        ("use std::io::stdout as out; fn f() { out() }", true),
        ("fn f() { std::fs::write(a, b) }", true),
        ("use std::fs::File; fn f() { File::create(a) }", true),
        ("use std::fs::OpenOptions; fn f() { OpenOptions::new() }", true),
        ("fn f() { crate::sink::say(s, t) }", false),
        ("fn f(run: Run) { run.stderr() }", false),
        ("use std::fs; fn f() { fs::read(a); write!(f, \"x\") }", false),
        ("#[cfg(test)] mod tests { fn f() { println!(\"x\") } }", false),
    ] {
        assert_eq!(!made_up(&[("report", text)]).ways_out().is_empty(), found, "{text}");
        assert!(made_up(&[("sink", text)]).ways_out().is_empty(), "{text}");
    }
}

/// Sources that are made up: each module's name, and its text.
fn made_up(modules: &[(&str, &str)]) -> Sources {
    let module = |(name, text): &(&str, &str)| {
        let path = name.split("::").map(str::to_owned).collect();
        (path, Module::parse(&format!("{name}.rs"), text))
    };
    Sources(modules.iter().map(module).collect())
}

#[test]
fn a_room_knows_what_its_code_names_and_not_what_its_tests_do() {
    for (text, known) in [
        ("use crate::b::Thing;", true),
        ("use crate::{a::Other, b};", true),
        ("pub use crate::b::Thing as Other;", true),
        ("fn f() -> super::b::Thing { todo!() }", true),
        ("impl crate::b::Thing {}", true),
        ("fn f() { print!(\"{}\", crate::b::thing()) }", true),
        ("// crate::b\nconst TEXT: &str = \"crate::b\";", false),
        ("#[cfg(test)] mod tests { use crate::b::Thing; }", false),
        ("#[cfg(test)] use crate::b::Thing;", false),
        ("struct S { #[cfg(test)] thing: crate::b::Thing }", false),
        ("use other::b::Thing;", false),
    ] {
        let sources = made_up(&[("a", text), ("b", "pub struct Thing;")]);
        assert_eq!(sources.known_rooms()["a"].contains_key("b"), known, "{text}");
    }
}

#[test]
fn modules_side_by_side_are_seen_through_what_is_above_and_inside_them() {
    let one = "use super::Two; pub struct One;";
    for (root, two, circle) in [
        // By the re-exports of the module around them.
        ("mod one; mod two; pub use one::One; pub use two::Two;", "use super::One; pub struct Two;", true),
        ("mod one; mod two; pub use one::One; pub use two::Two;", "use super::one; fn f(_: one::One) {} pub struct Two;", true),
        ("mod one; mod two; pub use one::One; pub use two::Two;", "use super::one; pub struct Two;", false),
        ("mod one; mod two; pub use one::One; pub use two::Two;", "#[cfg(test)] mod tests { use super::super::One; }", false),
        // The module around them has it itself.
        ("mod one; mod two; pub use one::One; pub struct Two; fn f(_: One) {}", "use super::One;", false),
    ] {
        let sources = made_up(&[("a", root), ("a::one", one), ("a::two", two)]);
        assert_eq!(!circles(&sources.known_neighbours()).is_empty(), circle, "{root}\n{two}");
    }
    let inside = [
        ("a", "mod one; mod two;"),
        ("a::one", "mod part;"),
        ("a::one::part", "use crate::a::two::Two; pub struct Part;"),
        ("a::two", "use super::one::part::Part; pub struct Two;"),
    ];
    assert_eq!(
        circles(&made_up(&inside).known_neighbours()),
        [["a::one::part.rs names crate::a::two::Two", "a::two.rs names super::one::part::Part"]]
    );
}

#[test]
fn each_fault_of_the_table_is_told() {
    let sources = made_up(&[("a", "use crate::b::Thing;"), ("b", "pub struct Thing;"), ("c", "")]);
    let told = |table: &str| {
        let page = format!("# Page\n\n## Rooms\n\n| room | what it is for | may know |\n|---|---|---|\n{table}\n## Next\n");
        faults(&rows(&page), &sources.rooms(), &sources.known_rooms())
    };
    let a = "| `a` | | `b` |\n";
    let (b, c) = ("| `b` | | nothing |\n", "| `c` | | nothing |\n");
    assert_eq!(told(&format!("{a}{b}{c}")), Vec::<String>::new());
    for (table, fault) in [
        (format!("{a}{b}"), "`c` is a room without a row"),
        (format!("{a}{b}{c}{c}"), "`c` has several rows"),
        (format!("{a}{b}{c}| `d` | | nothing |\n"), "`d` has a row and is no room"),
        (format!("| `a` | | nothing |\n{b}{c}"), "`a` may not know `b`: a.rs names crate::b::Thing."),
        (format!("| `a` | | `b`, `c` |\n{b}{c}"), "`a` may know `c` and does not"),
        (format!("{b}{a}{c}"), "`a` may know `b`, which is not below it"),
    ] {
        let told = told(&table);
        assert!(told.len() == 1 && told[0].starts_with(fault), "{table}{told:?}");
    }
}
