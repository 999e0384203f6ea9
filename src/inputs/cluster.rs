//! What the inputs about the repository that a cluster is brought to are read as.

use super::value::{Fault, Value, Word};
use crate::github::{AppId, InstallationId};
use crate::gitops::{Mode, Place, RepositoryName};

impl Word for RepositoryName {
    const EXPECTED: &'static str = "OWNER/NAME of a repository at GitHub is expected, or the https address of one at another git server, without a \
                                    password: https://[USER@]HOST/PATH";
}

impl Word for Mode {
    const EXPECTED: &'static str = "auto, push or pull-request is expected";
}

impl Word for Place {
    const EXPECTED: &'static str = "a path from the root of the repository is expected, such as apps/*/values.yaml, or a path and the way to \
                                    the value: apps/web/values.yaml#web.image";
}

impl Word for AppId {
    const EXPECTED: &'static str =
        "the client ID of a GitHub App is expected, such as Iv23liAbCdEfGhIjKlMn, or its App ID, a number";
}

impl Word for InstallationId {
    const EXPECTED: &'static str =
        "the number of an installation is expected, which stands at the end of the address of its settings";
}

/// A branch, by its name alone (git-check-ref-format(1)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch(pub(crate) String);

impl Value for Branch {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let name = text.trim();
        let locked = |part: &str| part.strip_suffix(".lock").is_some();
        let odd = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with('.') || locked(part);
        let sign = |sign: char| sign.is_control() || " ~^:?*[\\".contains(sign);
        let is_ref = name.starts_with("refs/");
        if is_ref
            || name.starts_with('-')
            || name.contains("..")
            || name.contains("@{")
            || name.contains(sign)
            || name.split('/').any(odd)
        {
            return Err(Fault::new(name, "the name of a branch is expected, such as main"));
        }
        Ok(Self(name.to_owned()))
    }
}
