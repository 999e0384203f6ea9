//! What Amazon ECR's own scan found in an image: waited for, read to the end, held against what trivy found and against what
//! the project lets through, and told.

mod command;
mod merge;
mod subject;
mod table;
pub(crate) mod wait;

pub(crate) use command::{Request, client_of, find};
pub(crate) use merge::{Judge, merged, unread};
pub(crate) use subject::{Subject, subjects};
pub(crate) use wait::{Looked, wait};
