//! An SSH agent that does not do as an agent should (draft-miller-ssh-agent).

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How it answers when it is asked for its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It has none, and says so.
    Well,
    /// Not at all.
    Hung,
    /// The connection ends.
    Cut,
    /// With the length of a message that nobody would send.
    Wrong,
    /// With the first half of a message.
    Truncated,
    /// It is gone; its socket is still there.
    Refused,
}

/// An agent; it goes on as long as the test does.
pub struct Agent {
    asked: mpsc::Receiver<()>,
}

const NO_KEYS: [u8; 9] = [0, 0, 0, 5, 12, 0, 0, 0, 0];

impl Agent {
    /// An agent at a socket.
    pub fn at(socket: &Path, manner: Manner) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let (sender, asked) = mpsc::channel();
        if manner != Manner::Refused {
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let (stream, sender) = (stream.unwrap(), sender.clone());
                    // Whoever has gone is answered no more.
                    thread::spawn(move || answer(stream, manner, &sender).ok());
                }
            });
        }
        Self { asked }
    }

    /// Waits until it is asked.
    pub fn is_asked(&self) {
        self.asked.recv_timeout(Duration::from_mins(2)).unwrap();
    }
}

fn answer(mut stream: UnixStream, manner: Manner, asked: &mpsc::Sender<()>) -> std::io::Result<()> {
    let mut message = [0; 5];
    loop {
        stream.read_exact(&mut message)?;
        // A test that has gone on no longer cares.
        let _ = asked.send(());
        match manner {
            Manner::Well => stream.write_all(&NO_KEYS)?,
            Manner::Hung => {}
            Manner::Cut | Manner::Refused => return Ok(()),
            Manner::Wrong => stream.write_all(&[0xff; 9])?,
            Manner::Truncated => return stream.write_all(&NO_KEYS[..4]),
        }
    }
}
