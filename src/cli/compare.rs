//! The command `compare`.

use clap::{Arg, ArgMatches, Command};

use super::switch;
use crate::compare::Request;

const A: &str = "a";
const B: &str = "b";
const AFTER: &str = "\
EXIT CODES:
  0  equal, byte for byte   1  an image could not be read, or is not what its digests say   2  wrong arguments   3  different";

/// The command as clap knows it.
pub(super) fn command() -> Command {
    let image =
        |name: &'static str, value: &'static str, help: &'static str| Arg::new(name).value_name(value).required(true).help(help);
    Command::new("compare")
        .about("Say what differs between two images: fields of their documents, layers, and the files in them")
        .after_help(AFTER)
        .arg(image(A, "A", "An image: HOST[:PORT]/NAME:TAG or NAME@DIGEST, or a layout folder: oci:PATH, oci:PATH:TAG"))
        .arg(image(B, "B", "The other, in the same way"))
        .arg(switch("json", "Print it as JSON"))
}

/// What is asked for.
pub(super) fn request(matches: &ArgMatches) -> Request {
    let image = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    Request { images: [image(A), image(B)], json: matches.get_flag("json") }
}
