//! The content of a layer whose files have a date in place of the time at which they were made.
//!
//! A layer is a tar archive (image-spec, `layer.md`). The time of a file is in its header, and where seconds do not say all of it
//! in records before that (pax(1), "pax Extended Header"). These are changed, and the checksums and lengths that go with them; not a
//! byte besides.

use std::io::{self, ErrorKind, Read};

use tar::{EntryType, Header};

/// The blocks of an archive, in bytes.
const BLOCK: usize = 512;

/// The most bytes of the records before a file.
const MAX_RECORDS: u64 = 1 << 20;

/// Of how many changes it is kept what was there before.
const MOST_CHANGES: usize = 100_000;

/// The records that are a time.
const TIMES: [&[u8]; 4] = [b"mtime", b"atime", b"ctime", b"LIBARCHIVE.creationtime"];

/// The place of the time in a header.
const MTIME: usize = 136;

/// What is changed of a header: the time, and the checksum behind it.
const CHANGED: usize = 20;

/// What a time before 1970 begins with.
const NEGATIVE: u8 = 0xff;

/// What times become, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dates {
    /// What later ones become.
    pub(crate) date: u64,
    /// Those up to this stay; no later than the date.
    pub(crate) kept: u64,
}

/// A reader of a layer's content, dated.
#[derive(Debug)]
pub(crate) struct Dated<R> {
    content: R,
    dates: Dates,
    /// What comes before more is read, and how much of it is given.
    ready: Vec<u8>,
    given: usize,
    /// How many bytes come next that stay as they are.
    passing: u64,
    /// The size of the next file, where a record says it.
    size: Option<u64>,
    /// Whether the archive is at its end: what follows fills it up.
    at_end: bool,
    /// How many bytes have been given, but for those that are ready.
    place: u64,
    /// What was changed so far; absent where that is more than the time in headers.
    changes: Option<Changes>,
}

/// What was changed of content when it was dated, so that the content before can be told from the content after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes(Vec<(u64, [u8; CHANGED])>);

/// A reader of dated content that gives it as it was before.
#[derive(Debug)]
pub(crate) struct Undone<'a, R> {
    content: R,
    changes: &'a [(u64, [u8; CHANGED])],
    place: u64,
}

impl<R: Read> Dated<R> {
    /// Dates the content.
    #[must_use]
    pub(crate) fn new(content: R, dates: Dates) -> Self {
        Self {
            content,
            dates,
            ready: Vec::new(),
            given: 0,
            passing: 0,
            size: None,
            at_end: false,
            place: 0,
            changes: Some(Changes::default()),
        }
    }

    /// What was changed, where that is nothing but times in headers.
    #[must_use]
    pub(crate) fn changes(self) -> Option<Changes> {
        self.changes
    }

    /// Reads up to the next file's content.
    fn header(&mut self) -> io::Result<()> {
        let mut header = Header::new_old();
        let read = fill(&mut self.content, header.as_mut_bytes())?;
        if read < BLOCK || header.as_bytes().iter().all(|byte| *byte == 0) {
            self.at_end = true;
            self.give(header.as_bytes()[..read].to_vec());
            return Ok(());
        }
        let mut checked = header.clone();
        checked.set_cksum();
        if checked.cksum()? != header.cksum()? {
            return Err(invalid("the checksum of a header is another"));
        }
        let kind = header.entry_type();
        if matches!(kind, EntryType::XHeader | EntryType::XGlobalHeader) {
            return self.records(header);
        }
        self.clamp(&mut header);
        let mut ready = header.as_bytes().to_vec();
        if kind == EntryType::GNUSparse {
            self.sparse(&mut ready)?;
        }
        // What is only a name has a size of its own.
        let size = if is_name(kind) { None } else { self.size.take() };
        let size = size.map_or_else(|| header.entry_size(), Ok)?;
        if has_no_content(kind) && size > 0 {
            return Err(invalid("what has no content has a size"));
        }
        self.passing = padded(size);
        self.give(ready);
        self.place = self.place.saturating_add(self.passing);
        Ok(())
    }

    /// Reads the records before a file.
    fn records(&mut self, mut header: Header) -> io::Result<()> {
        let size = header.entry_size()?;
        if size > MAX_RECORDS {
            return Err(invalid("the records before a file are too long"));
        }
        let mut blocks = vec![0; usize::try_from(padded(size)).unwrap_or_default()];
        self.content.read_exact(&mut blocks)?;
        let records = &blocks[..usize::try_from(size).unwrap_or_default()];
        let dated = self.dated(records, header.entry_type())?;
        if dated != records {
            self.changes = None;
            header.set_size(dated.len() as u64);
            seal(&mut header);
            blocks = dated;
            blocks.resize(usize::try_from(padded(blocks.len() as u64)).unwrap_or_default(), 0);
        }
        self.clamp(&mut header);
        self.give([header.as_bytes().as_slice(), &blocks].concat());
        Ok(())
    }

    fn dated(&mut self, mut records: &[u8], kind: EntryType) -> io::Result<Vec<u8>> {
        let mut dated = Vec::with_capacity(records.len());
        while !records.is_empty() {
            let (name, value, rest) = record(records).ok_or_else(|| invalid("a record before a file is none"))?;
            let whole = &records[..records.len() - rest.len()];
            match std::str::from_utf8(value) {
                Ok(time) if TIMES.contains(&name) && is_other(time, self.dates) => {
                    dated.extend(written(name, self.dates.date.to_string().as_bytes()));
                }
                Ok(size) if name == b"size" && kind == EntryType::XHeader => {
                    self.size = Some(size.parse().map_err(|_| invalid("a size is no number"))?);
                    dated.extend(whole);
                }
                _ => dated.extend(whole),
            }
            records = rest;
        }
        Ok(dated)
    }

    /// The blocks that say where a file has content (GNU tar, "Old GNU Format").
    fn sparse(&mut self, ready: &mut Vec<u8>) -> io::Result<()> {
        let mut continues = ready[482] != 0;
        while continues {
            let mut block = [0; BLOCK];
            self.content.read_exact(&mut block)?;
            ready.extend(block);
            if ready.len() as u64 > MAX_RECORDS {
                return Err(invalid("a file has content in too many places"));
            }
            continues = block[504] != 0;
        }
        Ok(())
    }

    fn clamp(&mut self, header: &mut Header) {
        let is_early = header.as_bytes()[MTIME] == NEGATIVE;
        // What is no number says nothing of when it was.
        let Dates { date, kept } = self.dates;
        if !is_early && header.mtime().is_ok_and(|time| time > kept && time != date) {
            if self.changes.as_ref().is_some_and(|Changes(changes)| changes.len() >= MOST_CHANGES) {
                self.changes = None;
            }
            if let Some(Changes(changes)) = &mut self.changes {
                let mut before = [0; CHANGED];
                before.copy_from_slice(&header.as_bytes()[MTIME..MTIME + CHANGED]);
                changes.push((self.place + MTIME as u64, before));
            }
            header.set_mtime(date);
            seal(header);
        }
    }

    fn give(&mut self, ready: Vec<u8>) {
        self.place += ready.len() as u64;
        (self.ready, self.given) = (ready, 0);
    }
}

impl<R: Read> Read for Dated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.given < self.ready.len() {
                let count = (&self.ready[self.given..]).read(buffer)?;
                self.given += count;
                return Ok(count);
            }
            if self.passing > 0 {
                let most = usize::try_from(self.passing).unwrap_or(usize::MAX).min(buffer.len());
                let count = self.content.read(&mut buffer[..most])?;
                self.passing -= count as u64;
                return if count == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(count) };
            }
            if self.at_end {
                return self.content.read(buffer);
            }
            self.header()?;
        }
    }
}

impl Changes {
    /// As bytes: of each change the place, with its least byte first, and what was there.
    #[must_use]
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(place, before)| place.to_le_bytes().into_iter().chain(*before)).collect()
    }

    /// Reads them back; `None` where they are none.
    #[must_use]
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let each = bytes.chunks_exact(8 + CHANGED);
        let is_whole = each.remainder().is_empty();
        let changes = each.map(|change| Some((u64::from_le_bytes(change[..8].try_into().ok()?), change[8..].try_into().ok()?)));
        changes.collect::<Option<_>>().filter(|_| is_whole).map(Self)
    }
}

impl<'a, R> Undone<'a, R> {
    /// Undoes these changes of the content.
    #[must_use]
    pub(crate) fn new(content: R, Changes(changes): &'a Changes) -> Self {
        Self { content, changes, place: 0 }
    }
}

impl<R: Read> Read for Undone<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        let (from, to) = (self.place, self.place + count as u64);
        while let Some((place, before)) = self.changes.first() {
            if *place >= to {
                break;
            }
            for (at, byte) in (*place..).zip(before) {
                if (from..to).contains(&at) {
                    buffer[usize::try_from(at - from).unwrap_or_default()] = *byte;
                }
            }
            if place.saturating_add(CHANGED as u64) > to {
                break;
            }
            self.changes = &self.changes[1..];
        }
        self.place = to;
        Ok(count)
    }
}

/// Sets the checksum in the form in which Go and GNU tar write it, so that a header that is changed is the one that would have been
/// written.
fn seal(header: &mut Header) {
    header.set_cksum();
    if let Ok(sum) = header.cksum() {
        header.as_old_mut().cksum.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

/// Reads a block, or what is left.
fn fill(content: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < block.len() {
        match content.read(&mut block[read..]) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// The name and the value of the first record, and what follows it: `LENGTH NAME=VALUE\n`.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let digits = records.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&records[..digits]).ok()?.parse().ok()?;
    let (said, rest) = (records.get(digits + 1..length)?, records.get(length..)?);
    let said = said.strip_suffix(b"\n")?;
    let sign = said.iter().position(|byte| *byte == b'=')?;
    Some((&said[..sign], &said[sign + 1..], rest))
}

/// A record. Its length counts its own digits.
fn written(name: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = name.len() + value.len() + 3;
    let most = rest.to_string().len() + 1;
    let length = (1..=most).map(|digits| rest + digits).find(|length| length.to_string().len() + rest == *length).unwrap_or(rest);
    [length.to_string().as_bytes(), b" ", name, b"=", value, b"\n"].concat()
}

/// Whether a time of a record, in seconds with a fraction, becomes another.
fn is_other(time: &str, Dates { date, kept }: Dates) -> bool {
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    let is_fraction = fraction.bytes().any(|digit| digit != b'0');
    // One before 1970 is no such number.
    let is_later = |seconds: u64| seconds > kept || (seconds == kept && is_fraction);
    seconds.parse().is_ok_and(|seconds| is_later(seconds) && (seconds != date || is_fraction))
}

/// Whether it only says the name of what follows.
fn is_name(kind: EntryType) -> bool {
    matches!(kind, EntryType::GNULongName | EntryType::GNULongLink)
}

/// Whether nothing follows the header. Some readers pass over a size there, and others over content.
fn has_no_content(kind: EntryType) -> bool {
    kind.is_hard_link()
        || kind.is_symlink()
        || kind.is_dir()
        || kind.is_fifo()
        || kind.is_character_special()
        || kind.is_block_special()
}

fn padded(size: u64) -> u64 {
    size.saturating_add(BLOCK as u64 - 1) / BLOCK as u64 * BLOCK as u64
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tar::{Archive, Builder};

    use super::*;

    const DATE: u64 = 1_700_000_000;
    const DATES: Dates = Dates { date: DATE, kept: DATE };

    fn dated(content: &[u8]) -> io::Result<Vec<u8>> {
        let mut dated = Vec::new();
        Dated::new(content, DATES).read_to_end(&mut dated).map(|_| dated)
    }

    fn file(builder: &mut Builder<Vec<u8>>, name: &str, time: u64, content: &[u8]) {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o640);
        header.set_mtime(time);
        builder.append_data(&mut header, name, content).unwrap();
    }

    /// The names, times and contents of an archive.
    fn read(content: &[u8]) -> Vec<(String, u64, Vec<u8>)> {
        let mut archive = Archive::new(content);
        let entries = archive.entries().unwrap().map(|entry| {
            let (mut entry, mut bytes) = (entry.unwrap(), Vec::new());
            let (path, time) = (entry.path().unwrap().display().to_string(), entry.header().mtime().unwrap());
            entry.read_to_end(&mut bytes).unwrap();
            (path, time, bytes)
        });
        entries.collect()
    }

    #[test]
    fn what_is_later_gets_the_date_and_all_else_stays() {
        let mut builder = Builder::new(Vec::new());
        let long = "a/".repeat(120) + "name";
        for (name, time, content) in
            [("young", DATE + 1, &b"1"[..]), ("old", 5, b""), (&long, u64::MAX >> 2, &[7; 1000]), ("same", DATE, &[1; 512])]
        {
            file(&mut builder, name, time, content);
        }
        let mut link = Header::new_gnu();
        link.set_entry_type(EntryType::Symlink);
        link.set_size(0);
        link.set_mtime(DATE + 9);
        builder.append_link(&mut link, "link", "young").unwrap();
        let content = builder.into_inner().unwrap();
        let dated = dated(&content).unwrap();
        let expected = read(&content).into_iter().map(|(name, time, bytes)| (name, time.min(DATE), bytes)).collect::<Vec<_>>();
        assert_eq!((read(&dated), dated.len()), (expected, content.len()));
        assert_eq!(super::tests::dated(&dated).unwrap(), dated);
        // Only times and checksums are others.
        let differ =
            content.iter().zip(&dated).enumerate().filter(|(_, (one, other))| one != other).map(|(place, _)| place % BLOCK);
        assert!(differ.into_iter().all(|place| (MTIME..156).contains(&place)));
    }

    #[test]
    fn a_time_in_a_record_is_dated_too_and_a_size_there_is_gone_by() {
        let mut builder = Builder::new(Vec::new());
        let records =
            [("mtime", "1700000000.000000001"), ("atime", "1.5"), ("path", "other"), ("ctime", "1800000000"), ("size", "700")];
        builder.append_pax_extensions(records.map(|(name, value)| (name, value.as_bytes()))).unwrap();
        let mut header = Header::new_ustar();
        header.set_path("name").unwrap();
        header.set_size(0);
        header.set_mtime(DATE + 5);
        header.set_cksum();
        builder.append(&header, &[][..]).unwrap();
        let mut content = builder.into_inner().unwrap();
        content.truncate(content.len() - 2 * BLOCK);
        content.extend([3; 1024]);
        content.extend([0; 2 * BLOCK]);
        let dated = dated(&content).unwrap();
        let mut read = Archive::new(&*dated);
        let mut entries = read.entries().unwrap();
        let mut entry = entries.next().unwrap().unwrap();
        let pairs = entry.pax_extensions().unwrap().unwrap().map(|pair| pair.unwrap());
        let pairs: Vec<_> = pairs.map(|pair| (pair.key().unwrap().to_owned(), pair.value().unwrap().to_owned())).collect();
        let expected = [("mtime", "1700000000"), ("atime", "1.5"), ("path", "other"), ("ctime", "1700000000"), ("size", "700")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!((entry.header().mtime().unwrap(), entry.path().unwrap().display().to_string()), (DATE, "other".to_owned()));
        assert!(entries.next().is_none());
        let mut reader = Dated::new(&*content, DATES);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!(reader.changes(), None, "records have other lengths");
    }

    #[test]
    fn a_header_that_is_changed_is_the_one_that_has_the_date_from_the_beginning() {
        // As Go's `archive/tar` writes it.
        let header = |time: &str, sum: &str| {
            let mut block = [0; BLOCK];
            for (at, text) in
                [(0, "a"), (100, "0000644\0"), (124, "00000000000\0"), (136, time), (148, sum), (156, "0"), (257, "ustar\x0000")]
            {
                block[at..at + text.len()].copy_from_slice(text.as_bytes());
            }
            block
        };
        let sealed = |time: &str| {
            let sum: u32 = header(time, "        ").iter().map(|byte| u32::from(*byte)).sum();
            header(time, &format!("{sum:06o}\0 "))
        };
        let time = |seconds: u64| format!("{seconds:011o}\0");
        assert_eq!(dated(&sealed(&time(DATE + 99))).unwrap(), sealed(&time(DATE)));
        assert_eq!(dated(&sealed(&time(DATE))).unwrap(), sealed(&time(DATE)));
    }

    #[test]
    fn what_is_no_archive_of_a_builders_is_refused() {
        let mut builder = Builder::new(Vec::new());
        file(&mut builder, "a", DATE + 1, &[1; 600]);
        let content = builder.into_inner().unwrap();
        let mut broken = content.clone();
        broken[0] ^= 1;
        assert_eq!(dated(&broken).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(dated(&content[..BLOCK + 10]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        let mut link = Header::new_gnu();
        link.set_path("link").unwrap();
        link.set_entry_type(EntryType::Link);
        link.set_size(5);
        link.set_cksum();
        assert_eq!(dated(link.as_bytes()).unwrap_err().kind(), ErrorKind::InvalidData);
        for records in ["5 a\n", "9 mtime=1", "x mtime=1\n", "99 mtime=1\n"] {
            let mut header = Header::new_ustar();
            header.set_path("x").unwrap();
            header.set_entry_type(EntryType::XHeader);
            header.set_size(records.len() as u64);
            header.set_cksum();
            let mut content = [header.as_bytes().as_slice(), records.as_bytes()].concat();
            content.resize(2 * BLOCK, 0);
            assert_eq!(dated(&content).unwrap_err().kind(), ErrorKind::InvalidData, "{records}");
        }
        // Nothing at all, or no more than what fills an archive up, is as it is.
        for empty in [&[][..], &[0; 1024], &[0; 100]] {
            assert_eq!(dated(empty).unwrap(), empty);
        }
    }

    #[test]
    fn changes_that_are_none_change_nothing_or_what_they_say() {
        assert_eq!(Changes::of_bytes(&[0; 27]), None);
        assert_eq!(Changes::of_bytes(&[]), Some(Changes::default()));
        let read = |places: &[u64]| {
            let changes = Changes(places.iter().map(|place| (*place, [1; CHANGED])).collect());
            let mut undone = Vec::new();
            Undone::new(&[0; 30][..], &changes).read_to_end(&mut undone).unwrap();
            undone.into_iter().map(usize::from).sum::<usize>()
        };
        // Not in order, one over another, beyond the end.
        for (places, changed) in [(&[][..], 0), (&[5], 20), (&[20], 10), (&[u64::MAX], 0), (&[5, 0], 25), (&[u64::MAX, 0], 0)] {
            assert_eq!(read(places), changed, "{places:?}");
        }
    }

    #[test]
    fn what_is_later_than_what_stays_has_the_date_whether_it_was_before_or_after() {
        let mut builder = Builder::new(Vec::new());
        for (name, time) in [("a", 5), ("b", 6), ("c", DATE), ("d", DATE + 1)] {
            file(&mut builder, name, time, b"");
        }
        let content = builder.into_inner().unwrap();
        let mut dated = Vec::new();
        Dated::new(&*content, Dates { date: DATE, kept: 5 }).read_to_end(&mut dated).unwrap();
        assert_eq!(read(&dated).into_iter().map(|(_, time, _)| time).collect::<Vec<_>>(), [5, DATE, DATE, DATE]);
        let others = ["5.0", "5.1", "6", "1700000000", "1700000000.5"].map(|time| is_other(time, Dates { date: DATE, kept: 5 }));
        assert_eq!(others, [false, true, true, false, true]);
    }

    #[test]
    fn a_time_before_1970_stays() {
        let mut header = Header::new_gnu();
        header.set_path("a").unwrap();
        header.set_size(0);
        header.as_mut_bytes()[MTIME..MTIME + 12].fill(0xff);
        header.set_cksum();
        assert_eq!(dated(header.as_bytes()).unwrap(), header.as_bytes());
        for stays in ["-1.5", "soon", "1700000000.000", "5"] {
            assert!(!is_other(stays, DATES), "{stays}");
        }
    }

    #[test]
    fn a_record_has_the_length_that_counts_its_own_digits() {
        for (value, expected) in [("1", "11 mtime=1\n"), (&"1".repeat(90), &format!("101 mtime={}\n", "1".repeat(90)))] {
            assert_eq!(written(b"mtime", value.as_bytes()), expected.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn files_come_out_as_they_went_in_but_for_their_times(files in prop::collection::vec(("[a-z]{1,9}", any::<u32>(), 0..2000usize), 0..8), step in 1..700usize) {
            let mut builder = Builder::new(Vec::new());
            for (name, time, size) in &files {
                file(&mut builder, name, u64::from(*time), &vec![b'x'; *size]);
            }
            let content = builder.into_inner().unwrap();
            let (mut reader, mut dated, mut piece) = (Dated::new(&*content, DATES), Vec::new(), vec![0; step]);
            while let count @ 1.. = reader.read(&mut piece).unwrap() {
                dated.extend(&piece[..count]);
            }
            let expected: Vec<_> = files.into_iter().map(|(name, time, size)| (name, u64::from(time).min(DATE), vec![b'x'; size])).collect();
            prop_assert_eq!(read(&dated), expected);
            // And back, by what is kept of it.
            let changes = Changes::of_bytes(&reader.changes().unwrap().to_bytes()).unwrap();
            let (mut undone, mut before) = (Undone::new(&*dated, &changes), Vec::<u8>::new());
            while let count @ 1.. = undone.read(&mut piece).unwrap() {
                before.extend(&piece[..count]);
            }
            prop_assert_eq!(before, content);
        }
    }
}
