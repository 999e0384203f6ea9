//! What a builder says while it builds: messages of BuildKit's status stream.

use bollard_buildkit_proto::moby::buildkit::v1::StatusResponse;
use prost::Message as _;

use crate::buildkit::progress::{BuildEvent, MAX_WARNINGS, Progress};

/// What one line may have: its step's number, its end, and what stands where it is cut.
const LINE: usize = (4 << 10) + 256;

/// Follows a build: messages, each after its length as protocol buffers have it (Protocol Buffers, "Streaming Multiple
/// Messages").
pub fn build_progress(bytes: &[u8]) {
    let mut progress = Progress::default();
    let mut rest = bytes;
    let mut shown = 0;
    while let Ok(message) = StatusResponse::decode_length_delimited(&mut rest) {
        for event in progress.update(message) {
            let (BuildEvent::Line(text) | BuildEvent::Status(text)) = event;
            assert!(text.len() <= 3 * LINE, "a line of {} bytes", text.len());
            shown += text.len();
        }
        if rest.is_empty() {
            break;
        }
    }
    assert!(shown <= 64 * bytes.len() + LINE, "{shown} bytes are shown of {}", bytes.len());
    assert!(progress.checks().len() <= MAX_WARNINGS);
    if let Some(failed) = progress.failed() {
        let texts = [&failed.name, &failed.error].into_iter().chain(&failed.lines);
        assert!(texts.into_iter().all(|text| text.len() <= 3 * LINE), "a failure has an end");
        assert!(failed.lines.len() <= 64);
    }
}
