//! A repository of any git server, read and written by git's own protocol over https (gitprotocol-http(5), gitprotocol-v2(5),
//! gitprotocol-pack(5)), without a clone and without git.
//!
//! git is not asked, since it would need the network and a token: no program gets either. What is spoken of the protocol is
//! little: a branch is listed, the commits and trees behind it are fetched without the files, a few files by their ids, and a
//! branch is moved from the commit that was read to one that is sent. All of it goes through the HTTP of this program, so a token
//! is a header of ours and in no argument, variable, address or configuration; nothing that a repository holds is run, and no
//! configuration of anyone's counts. Every object is hashed as it is read, and everything is bounded.

mod address;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod history;
mod object;
mod pack;
mod packet;
mod remote;
mod server;

pub(crate) use address::Address;
pub(crate) use error::Error;
pub(crate) use object::Entry;
pub(crate) use remote::{Commit, Remote};
