//! A comparison for people.

use std::fmt::{self, Display};

use super::fields::{self, Field};
use super::files::{self, Files};
use super::{Comparison, Named, OfLayer, OfPlatform};
use crate::oci::{Digest, Platform};
use crate::text;

impl Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, Named { image, digest }) in [("A", &self.a), ("B", &self.b)] {
            writeln!(f, "{name}  {}  {digest}", text::words(image))?;
        }
        if self.equal {
            return writeln!(f, "equal: the same image, byte for byte");
        }
        writeln!(f, "different")?;
        rows(f, "index", &self.index)?;
        for (platforms, word) in [(&self.only_a, "only in A"), (&self.only_b, "only in B")] {
            platforms.iter().try_for_each(|platform: &Platform| writeln!(f, "  {platform}  {word}"))?;
        }
        self.platforms.iter().try_for_each(|platform| platform.fmt(f))?;
        if self.is_of_form() {
            writeln!(f, "  nothing but how their documents are written")?;
        }
        Ok(())
    }
}

impl Comparison {
    /// Whether nothing that a document says is different.
    fn is_of_form(&self) -> bool {
        let says_the_same = |one: &OfPlatform| one.manifest.is_empty() && one.config.is_empty() && one.layers.is_empty();
        let alone = self.only_a.is_empty() && self.only_b.is_empty();
        alone && self.index.is_empty() && self.platforms.iter().all(says_the_same)
    }
}

impl Display for OfPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.platform)?;
        rows(f, "manifest", &self.manifest)?;
        rows(f, "config", &self.config)?;
        self.layers.iter().try_for_each(|layer| layer.fmt(f))
    }
}

impl Display for OfLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = |digest: Option<Digest>| digest.map_or_else(|| "none".to_owned(), |digest| digest.short());
        write!(f, "  layer {}  {} → {}", self.number, blob(self.a), blob(self.b))?;
        match &self.files {
            Some(Files { named, count, cut }) => {
                writeln!(f, ": {}", text::count(*count, "file"))?;
                for file in named {
                    let what: Vec<_> = file.what.iter().map(|what| what.word()).collect();
                    writeln!(f, "    {}  {}", file.path, what.join(", "))?;
                }
                let more = count.saturating_sub(named.len() as u64);
                if more > 0 {
                    writeln!(f, "    and {more} more; at most {} are named", files::NAMED)?;
                }
                if *cut {
                    writeln!(f, "    too much is different to tell all of it apart")?;
                }
                if *count == 0 {
                    writeln!(f, "    the same files in another order or form")?;
                }
                Ok(())
            }
            None if self.same_content => writeln!(f, ": the same content, packed in another way"),
            None => writeln!(f),
        }
    }
}

fn rows(f: &mut fmt::Formatter<'_>, of: &str, all: &[Field]) -> fmt::Result {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    for Field { way, a, b } in all {
        writeln!(f, "  {of} {way}  {} → {}", shown(a), shown(b))?;
    }
    if all.len() >= fields::NAMED { writeln!(f, "  … at most {} fields are named", fields::NAMED) } else { Ok(()) }
}
