//! The programs of others that the doubles and their strangers are made of.

use std::path::{Path, PathBuf};

/// Who installs a program.
#[derive(Clone, Copy)]
pub enum Installer {
    /// `scripts/tools`
    Tools,
    /// `scripts/moto`
    Moto,
    /// `scripts/validators`
    Validators,
}

impl Installer {
    /// The variable of `scripts/test-parts env` that names the folder, the folder below `target/tools`, and the script.
    fn place(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Tools => ("GP_DELIVER_TEST_TOOLS", "bin", "scripts/tools"),
            Self::Moto => ("GP_DELIVER_TEST_MOTO", "moto/bin", "scripts/moto"),
            Self::Validators => ("GP_DELIVER_TEST_VALIDATORS", "validators/bin", "scripts/validators"),
        }
    }
}

/// The root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// Where a program is: in the folder that the variable names, or where its script puts it.
///
/// # Panics
/// Where it is not there.
pub fn program(installer: Installer, name: &str) -> PathBuf {
    let (variable, folder, script) = installer.place();
    let given = std::env::var_os(variable).map(PathBuf::from);
    let path = given.unwrap_or_else(|| workspace().join("target/tools").join(folder)).join(name);
    assert!(path.exists(), "{} is not there: {script} installs it", path.display());
    path
}
