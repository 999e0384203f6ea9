//! What all our HTTP has in common, whoever answers: how a client is made, who is shown credentials, how connections end,
//! how slow they may be, which answers pass, and how often a request is repeated. Knows nothing of registries, GitHub or AWS
//! but their budgets of repeats.

mod address;
mod carrier;
mod client;
mod confidential;
mod error;
mod pace;
mod proxies;
mod retry;
mod status;

pub(crate) use address::{Unfit, is_confidential};
pub(crate) use carrier::Carrier;
pub(crate) use client::{CONNECT_TIMEOUT, ClientBuilder};
pub(crate) use confidential::Confidential;
pub(crate) use error::TransportError;
pub(crate) use error::{causes, chain};
pub(crate) use pace::{Pace, Watch};
pub(crate) use proxies::Proxies;
#[cfg(test)]
pub(crate) use retry::SEED;
pub(crate) use retry::{Failure, RetryPolicy, retry_after};
pub(crate) use status::is_temporary;
