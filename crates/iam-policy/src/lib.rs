#![doc = include_str!("../README.md")]

pub mod github;
pub mod trust;

mod account;
mod arn;
mod claims;
mod condition;
mod denial;
mod document;
mod element;
mod operator;
mod partition;
mod pattern;
mod principal;
mod statement;

pub use account::{AccountId, InvalidAccountId};
pub use arn::{InvalidRoleArn, RoleArn};
pub use claims::Claims;
pub use condition::Condition;
pub use denial::{Denial, DenialReason, PolicyKind};
pub use document::{Document, ParseError, Version};
pub use partition::Partition;
pub use principal::{NamedPrincipals, Principals};
pub use statement::{Effect, Scope, Statement};
