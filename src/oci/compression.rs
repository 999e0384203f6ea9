//! Layers, compressed: in parallel, in bounded memory, and so that equal content gives equal bytes.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;

use libdeflater::{CompressionLvl, Compressor};
use oci_spec::image::{Descriptor, MediaType};
use serde::{Deserialize, Serialize};

use super::Digest;
use super::hashed::Hashed;
use super::layout::{self, BlobWriter, Layout, descriptor};

/// How layers are stored and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    /// Every engine reads it.
    Gzip,
    /// Smaller and faster; engines before Docker 23 can't pull it.
    Zstd,
}

/// A gzip layer is a sequence of members, each of this many bytes of content, compressed in parallel. RFC 1952, section 2.2,
/// allows that, and every reader follows it. The cut does not depend on the machine, so neither do the bytes.
const MEMBER_BYTES: usize = 1 << 20;

/// libdeflate at its first level makes smaller files than zlib at its first, twice as fast.
const GZIP_LEVEL: i32 = 1;

/// Random, encrypted or compressed content does not get smaller, and takes longest to compress: a member whose samples stay
/// above this share of their size is stored (RFC 1951, section 3.2.4).
const WORTHWHILE_PERCENT: usize = 97;

/// How many samples of a member are tried, and how many bytes each has.
const SAMPLES: usize = 4;
const SAMPLE_BYTES: usize = 8 << 10;

/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;

/// zstd's output is the same for any number of workers from one; two keep memory low.
const ZSTD_WORKERS: u32 = 2;

/// How much content one zstd worker takes at a time, in bytes.
const ZSTD_JOB_BYTES: u32 = 2 << 20;

impl Compression {
    /// The media type of such a layer (image-spec, `layer.md`).
    #[must_use]
    pub(crate) fn media_type(self) -> MediaType {
        match self {
            Self::Gzip => MediaType::ImageLayerGzip,
            Self::Zstd => MediaType::ImageLayerZstd,
        }
    }

    /// Writes the uncompressed layer `content` into `layout`, compressed, and returns its descriptor and its diff ID.
    ///
    /// # Errors
    /// The content can't be read, or the blob can't be written.
    pub(crate) fn write_layer(self, content: impl Read, layout: &Layout) -> Result<(Descriptor, Digest), layout::Error> {
        let mut content = Hashed::new(content);
        let mut blob = layout.writer()?;
        let written = match self {
            Self::Gzip => gzip(&mut content, &mut blob),
            Self::Zstd => zstd(&mut content, &mut blob),
        };
        written.map_err(|source| layout::Error::Io { path: layout.root().to_owned(), source })?;
        let (digest, size) = blob.finish()?;
        Ok((descriptor(self.media_type(), digest, size), content.so_far().0))
    }

    /// `gzip` or `zstd`.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Compression {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Gzip, Self::Zstd].into_iter().find(|compression| compression.name() == text).ok_or(())
    }
}

/// A block of content, and where its compressed member goes.
type Job = (Vec<u8>, mpsc::SyncSender<Vec<u8>>);

fn gzip(content: &mut impl Read, blob: &mut (impl Write + Send)) -> io::Result<()> {
    let workers = thread::available_parallelism().map_or(1, |count| count.get().min(8));
    let (jobs, queue) = crossbeam_channel::bounded::<Job>(workers);
    // The members in the order of their blocks, whichever worker is done first.
    let (order, members) = mpsc::sync_channel::<mpsc::Receiver<Vec<u8>>>(workers * 2);
    thread::scope(|scope| {
        for _ in 0..workers {
            let queue = queue.clone();
            scope.spawn(move || compress_members(&queue));
        }
        let writer =
            scope.spawn(move || members.iter().try_for_each(|member| blob.write_all(&member.recv().map_err(io::Error::other)?)));
        let read = feed(content, &jobs, &order);
        drop((jobs, order));
        let written = writer.join().unwrap_or_else(|_| Err(io::Error::other("the layer's writer stopped")));
        written.and(read)
    })
}

fn feed(
    content: &mut impl Read,
    jobs: &crossbeam_channel::Sender<Job>,
    order: &mpsc::SyncSender<mpsc::Receiver<Vec<u8>>>,
) -> io::Result<()> {
    let mut first = true;
    loop {
        let mut block = Vec::with_capacity(MEMBER_BYTES);
        content.take(MEMBER_BYTES as u64).read_to_end(&mut block)?;
        // An empty layer is one empty member: an empty file is not gzip.
        if block.is_empty() && !first {
            return Ok(());
        }
        first = false;
        let (sender, receiver) = mpsc::sync_channel(1);
        // Either is closed only when the writer failed, and its error is the one to report.
        if order.send(receiver).is_err() || jobs.send((block, sender)).is_err() {
            return Ok(());
        }
    }
}

fn compress_members(queue: &crossbeam_channel::Receiver<Job>) {
    let level = |level| Compressor::new(CompressionLvl::new(level).unwrap_or_default());
    let (mut smaller, mut stored) = (level(GZIP_LEVEL), level(0));
    for (block, sender) in queue {
        let compressor = if is_worthwhile(&block, &mut smaller) { &mut smaller } else { &mut stored };
        let mut member = vec![0; compressor.gzip_compress_bound(block.len())];
        if let Ok(size) = compressor.gzip_compress(&block, &mut member) {
            member.truncate(size);
            // Nobody waits for it when the writer failed.
            let _ = sender.send(member);
        }
    }
}

/// Whether samples of a block get smaller. It goes by the content alone, so that equal layers stay equal.
fn is_worthwhile(block: &[u8], compressor: &mut Compressor) -> bool {
    if block.len() < SAMPLES * SAMPLE_BYTES {
        return true;
    }
    let stride = block.len() / SAMPLES;
    let samples: Vec<u8> = block.chunks(stride).take(SAMPLES).flat_map(|chunk| &chunk[..SAMPLE_BYTES]).copied().collect();
    let mut compressed = vec![0; compressor.deflate_compress_bound(samples.len())];
    let size = compressor.deflate_compress(&samples, &mut compressed).unwrap_or(samples.len());
    size * 100 < samples.len() * WORTHWHILE_PERCENT
}

fn zstd(content: &mut impl Read, blob: &mut BlobWriter) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(blob, ZSTD_LEVEL)?;
    encoder.multithread(ZSTD_WORKERS)?;
    encoder.set_parameter(zstd::zstd_safe::CParameter::JobSize(ZSTD_JOB_BYTES))?;
    encoder.include_checksum(true)?;
    io::copy(content, &mut encoder)?;
    encoder.finish().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::layout::digest_of;
    use proptest::prelude::*;

    fn written(compression: Compression, content: &[u8]) -> (Digest, Digest, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        let (descriptor, diff_id) = compression.write_layer(content, &layout).unwrap();
        let digest = digest_of(&descriptor).unwrap();
        (digest, diff_id, std::fs::read(layout.blob(&digest)).unwrap())
    }

    fn read_back(compression: Compression, blob: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        match compression {
            Compression::Gzip => flate2::read::MultiGzDecoder::new(blob).read_to_end(&mut content),
            Compression::Zstd => zstd::Decoder::new(blob).unwrap().read_to_end(&mut content),
        }
        .unwrap();
        content
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()[6]
        };
        (0..length).map(|_| next() & 15).collect()
    }

    #[test]
    fn a_layer_of_any_length_reads_back_as_it_was() {
        for compression in [Compression::Gzip, Compression::Zstd] {
            for length in [0, 1, MEMBER_BYTES - 1, MEMBER_BYTES, MEMBER_BYTES + 1, 5 * MEMBER_BYTES + 7] {
                let content = noise(length);
                let (_, diff_id, blob) = written(compression, &content);
                assert_eq!(read_back(compression, &blob), content, "{compression} {length}");
                assert_eq!(diff_id, Digest::of(&content));
            }
        }
    }

    #[test]
    fn content_that_does_not_get_smaller_is_stored_and_reads_back() {
        let mut state = 7_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        let random: Vec<u8> = (0..3 * MEMBER_BYTES).map(|_| next()).collect();
        let (_, _, blob) = written(Compression::Gzip, &random);
        assert_eq!(read_back(Compression::Gzip, &blob), random);
        assert!(blob.len() < random.len() + random.len() / 1000, "it grows by {} bytes", blob.len() - random.len());
        let (_, _, blob) = written(Compression::Gzip, &noise(3 * MEMBER_BYTES));
        assert!(blob.len() < 2 * MEMBER_BYTES, "what gets smaller is made smaller");
    }

    #[test]
    fn the_same_layer_gives_the_same_digest_however_it_arrives() {
        struct Dribble<'a>(&'a [u8]);
        impl Read for Dribble<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let count = self.0.len().min(buffer.len()).min(4097);
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
        let content = noise(7 * MEMBER_BYTES + 3);
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        for compression in [Compression::Gzip, Compression::Zstd] {
            let whole = compression.write_layer(&content[..], &layout).unwrap();
            let pieces = compression.write_layer(Dribble(&content), &layout).unwrap();
            assert_eq!(whole, pieces, "{compression}");
        }
    }

    #[test]
    fn content_that_breaks_off_is_an_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        for compression in [Compression::Gzip, Compression::Zstd] {
            assert!(compression.write_layer(Broken, &layout).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn any_content_reads_back(content in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let (_, _, blob) = written(Compression::Gzip, &content);
            prop_assert_eq!(read_back(Compression::Gzip, &blob), content);
        }
    }
}
