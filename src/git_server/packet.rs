//! Lines with their length before them (gitprotocol-common(5), "pkt-line Format").

use super::error::Error;

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// Content.
    Data(&'a [u8]),
    /// The end of a section.
    Delimiter,
    /// The end of a message.
    Flush,
}

/// Adds a line.
pub(super) fn line(message: &mut Vec<u8>, content: &str) {
    message.extend_from_slice(format!("{:04x}{content}", content.len() + 4).as_bytes());
}

/// The packets of an answer, one after the other.
pub(super) struct Packets<'a>(pub(super) &'a [u8]);

impl<'a> Packets<'a> {
    /// The next; none at the end.
    ///
    /// # Errors
    /// It is cut short, or has no length.
    pub(super) fn next(&mut self) -> Result<Option<Packet<'a>>, Error> {
        const BROKEN: Error = Error::Malformed("a packet is cut short or has no length");
        if self.0.is_empty() {
            return Ok(None);
        }
        let (length, rest) = self.0.split_at_checked(4).ok_or(BROKEN)?;
        let is_hex = length.iter().all(u8::is_ascii_hexdigit);
        let length =
            std::str::from_utf8(length).ok().filter(|_| is_hex).and_then(|length| usize::from_str_radix(length, 16).ok());
        let (packet, rest) = match length {
            Some(0 | 2) => (Packet::Flush, rest),
            Some(1) => (Packet::Delimiter, rest),
            Some(length @ 4..) => {
                let (content, rest) = rest.split_at_checked(length - 4).ok_or(BROKEN)?;
                (Packet::Data(content), rest)
            }
            _ => return Err(BROKEN),
        };
        self.0 = rest;
        Ok(Some(packet))
    }

    /// The lines up to the end of a section or of a message, without their line ends.
    ///
    /// # Errors
    /// The message is cut short, or one of them is no text.
    pub(super) fn lines(&mut self) -> Result<Vec<&'a str>, Error> {
        let mut lines = Vec::new();
        while let Some(packet) = self.next()? {
            let Packet::Data(content) = packet else { return Ok(lines) };
            let line = std::str::from_utf8(content).map_err(|_| Error::Malformed("a line is no text"))?;
            lines.push(line.strip_suffix('\n').unwrap_or(line));
        }
        Err(Error::Malformed("it has no end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_as_they_are_written_and_what_is_cut_is_an_error() {
        let mut message = Vec::new();
        line(&mut message, "command=fetch\n");
        message.extend_from_slice(b"0001");
        line(&mut message, "");
        message.extend_from_slice(b"0000");
        let mut packets = Packets(&message);
        assert_eq!(packets.lines().unwrap(), ["command=fetch"]);
        assert_eq!(packets.lines().unwrap(), [""]);
        assert_eq!(packets.next().unwrap(), None);
        for broken in [&b"0005"[..], b"000", b"0003", b"+005a", b"zzzz", b"0006a"] {
            assert!(Packets(broken).next().is_err(), "{broken:?}");
        }
        assert!(Packets(b"0005a").lines().is_err());
    }
}
