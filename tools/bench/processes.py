"""What the kernel says of processes: their children, processor time and peak of memory."""

import os
import pathlib

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def read(pid, name):
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""


def children(pid):
    return [int(child) for child in read(pid, f"task/{pid}/children").split()]


def descendants(pid):
    """It and all below it that are alive. A process's children may have been started by any of its threads."""
    found, seen = [pid], 0
    while seen < len(found):
        try:
            threads = os.listdir(f"/proc/{found[seen]}/task")
        except OSError:
            threads = []
        for thread in threads:
            found += [int(child) for child in read(found[seen], f"task/{thread}/children").split()]
        seen += 1
    return found


def name(pid):
    """The program, by its path: what a process calls itself is cut short."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
    except OSError:
        return ""


def processor_ms(pid, with_ended=False):
    """Its processor time, and that of those of its children that have ended."""
    fields = read(pid, "stat").rpartition(")")[2].split()
    if not fields:
        return 0
    return sum(map(int, fields[11:15 if with_ended else 13])) * TICK_MS


def resident_peak(pid):
    """The peak of its resident memory in bytes so far; 0 where there is no such process."""
    lines = read(pid, "status").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def tree_ms(pid):
    """The processor time of a daemon with all that it has started, in milliseconds."""
    return sum(processor_ms(each, with_ended=True) for each in descendants(pid))
