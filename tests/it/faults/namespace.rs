//! A delivery in a mount namespace of its own: with a disk that is small, or a clock that jumps.

use std::fs;
use std::path::Path;
use std::process::Command;

use doubles::clock::Clock;

use crate::support::{Delivery, Ended, Source, run};

/// The delivery, started by a script in the namespace: `"$@"` is the delivery, `$0` a path. What is in its environment is said by
/// env(1): a shell drops variables with a `-` in their names.
fn within(deliver: &Command, folder: &Path, script: &str, path: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", script]).arg(path).arg("env");
    for (name, value) in deliver.get_envs() {
        let mut pair = name.to_owned();
        pair.push("=");
        pair.push(value.unwrap_or_default());
        command.arg(pair);
    }
    command.arg(deliver.get_program()).args(deliver.get_args()).env_clear();
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir(folder);
    command
}

/// With a disk of so many megabytes in a folder beside the source. The files that are in it at the end are there afterwards too.
pub fn with_small_disk(source: &Source, delivery: &Delivery, folder: &str, megabytes: u32) -> Ended {
    let (small, kept) = (source.beside(folder), source.beside("kept"));
    for folder in [&small, &kept] {
        fs::create_dir_all(folder).unwrap();
    }
    let script = format!(
        r#"mount -t tmpfs -o size={megabytes}m tmpfs "$0" && "$@"; code=$?
           find "$0" -maxdepth 1 -type f -exec cp '{{}}' '{}' ';'; exit $code"#,
        kept.display()
    );
    let ended = within(&delivery.command(), &source.beside(""), &script, &small).output().unwrap().into();
    run(Command::new("cp").arg("--recursive").arg(kept.join(".")).arg(small));
    ended
}

/// With a clock of its own. No program is shut in: it would be kept from the clock.
pub fn with_clock(source: &Source, delivery: &Delivery) -> (Command, Clock) {
    clocked(&source.beside(""), &delivery.clone().flag("--sandbox", "off").command())
}

/// The same for any command, in a folder that it gets `clock/` in.
pub fn clocked(surroundings: &Path, command: &Command) -> (Command, Clock) {
    let folder = surroundings.join("clock");
    fs::create_dir_all(folder.join("etc")).unwrap();
    let clock = Clock::in_folder(&folder);
    // All of `/etc` by links, and the one file that the loader of programs reads (ld.so(8)).
    let script = format!(
        r#"mount --bind /etc "$0" && mount -t tmpfs tmpfs /etc && ln -s "$0"/* /etc/ && rm -f /etc/ld.so.preload &&
           echo '{}' >/etc/ld.so.preload && exec "$@""#,
        clock.library().display()
    );
    (within(command, surroundings, &script, &folder.join("etc")), clock)
}
