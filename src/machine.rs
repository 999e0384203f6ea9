//! What the machine has for programs: processors and memory, within the limits of the container.

use std::fs;
use std::path::{Path, PathBuf};

/// How many processors this process may use, by its affinity and by the quota of its container (cgroups(7)).
#[must_use]
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How many bytes of memory are there for new programs: what the kernel can give without swapping, or less where a control
/// group has a limit. `None` where neither says so.
#[must_use]
pub(crate) fn free_memory() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = groups(Path::new("/sys/fs/cgroup"), &own);
    let left = groups.iter().filter_map(|group| left_in(group));
    let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory_in(&text, "MemAvailable:"));
    left.chain(available).min()
}

/// How many bytes of memory the machine has. `None` where the kernel does not say so.
#[must_use]
pub(crate) fn total_memory() -> Option<u64> {
    memory_in(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// How many bytes of memory a process has that are no file's (`proc_pid_status(5)`). `None` where it is gone.
#[must_use]
pub(crate) fn memory_of(process: u32) -> Option<u64> {
    memory_in(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, "RssAnon:")
}

/// The value of a line of `proc_meminfo(5)` or `proc_pid_status(5)`, in bytes.
fn memory_in(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The folders of the control groups that this process is in, its own and those around it, by what `/proc/self/cgroup` says.
/// In a container the path may be that of the host: then the container's own group is what is mounted.
fn groups(mounted: &Path, own: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for line in own.lines() {
        // `ID:CONTROLLERS:PATH`, with nothing for the controllers in the second version.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let root = match controllers {
            "" => mounted.to_owned(),
            list if list.split(',').any(|controller| controller == "memory") => mounted.join("memory"),
            _ => continue,
        };
        let path = Path::new(path.trim_start_matches('/'));
        folders.extend(path.ancestors().map(|path| root.join(path)));
    }
    folders
}

/// What a control group has left, in bytes: what its cache of files takes can be had.
fn left_in(group: &Path) -> Option<u64> {
    let text = |name: &str| fs::read_to_string(group.join(name)).ok();
    let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
    // `max`, and in the first version a number beyond all memory, is no limit.
    let limit = number("memory.max").or_else(|| number("memory.limit_in_bytes")).filter(|limit| *limit < 1 << 60)?;
    let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    let cached = text("memory.stat").and_then(|stat| {
        let value = |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        value("total_inactive_file ").or_else(|| value("inactive_file "))
    });
    Some(limit.saturating_sub(used.saturating_sub(cached.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn write(folder: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(folder).unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
    }

    #[test]
    fn a_limit_of_either_version_counts_and_that_of_a_group_around_it() {
        let mounted = tempfile::tempdir().unwrap();
        let at = |path: &str| mounted.path().join(path);
        let limited = |own: &str| groups(mounted.path(), own).iter().filter_map(|group| left_in(group)).min();
        assert_eq!(limited("0::/\n"), None);
        let stat = "anon 1\ninactive_file 1073741824\n";
        write(&at("job/step"), &[("memory.max", "4294967296\n"), ("memory.current", "2147483648\n"), ("memory.stat", stat)]);
        assert_eq!(limited("0::/job/step\n"), Some(3 * GIB));
        write(&at("job"), &[("memory.max", "2147483648\n"), ("memory.current", "1073741824\n")]);
        assert_eq!(limited("0::/job/step\n"), Some(GIB));
        write(&at("job"), &[("memory.max", "max\n")]);
        assert_eq!(limited("0::/job/step\n"), Some(3 * GIB));
        let first = [("memory.limit_in_bytes", "3221225472\n"), ("memory.usage_in_bytes", "1073741824\n")];
        write(&at("memory/docker/id"), &first);
        assert_eq!(limited("5:cpu,cpuacct:/docker/id\n4:memory:/docker/id\n"), Some(2 * GIB));
        // In the container, where the path is that of the host and its own group is the root.
        write(&at("memory"), &first);
        assert_eq!(limited("4:memory:/elsewhere\n"), Some(2 * GIB));
        write(&at("memory"), &[("memory.limit_in_bytes", "9223372036854771712\n")]);
        assert_eq!(limited("4:memory:/elsewhere\n"), None);
    }

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(memory_in("MemTotal:  8 kB\nMemAvailable:    1048576 kB\n", "MemAvailable:"), Some(GIB));
        assert_eq!(memory_in("MemTotal:  8 kB\n", "MemAvailable:"), None);
        assert_eq!(memory_in("MemTotal:       16384 kB\nMemFree: 1 kB\n", "MemTotal:"), Some(16 << 20));
        assert_eq!(memory_in("MemFree: 1 kB\n", "MemTotal:"), None);
        assert!(free_memory().is_some_and(|bytes| bytes > 0));
    }
}
