"""What a side of a round takes: time, processors, memory, bytes.

The processor time and the peak of memory of a command are the kernel's own account at its end (`wait4`), with all processes that
it has waited for: nothing is sampled. While a command runs, its processes are looked at ten times a second, to say which of
them the time is of; oftener would itself take a part of the processors.
"""

import os
import pathlib
import subprocess
import tempfile
import threading
import time

from . import processes

LOOKS = 0.1


class Failed(Exception):
    """A command of a side failed: there is nothing to measure."""


class Watch(threading.Thread):
    """Looks at the processes below one while it runs."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.ended = threading.Event()
        self.names, self.times, self.peaks = {}, {}, {}

    def run(self):
        while not self.ended.wait(LOOKS):
            self.look()

    def look(self):
        own = {self.pid, *processes.children(self.pid)}
        for pid in processes.descendants(self.pid):
            # Between fork and exec it has the name of the one that started it.
            self.names[pid] = processes.name(pid) or self.names.get(pid, "")
            self.times[pid] = max(self.times.get(pid, 0), processes.processor_ms(pid))
            if pid in own:
                self.peaks[pid] = max(self.peaks.get(pid, 0), processes.resident_peak(pid))

    def end(self):
        self.ended.set()
        self.join()

    def by_program(self):
        """The processor time of each program in milliseconds, those with the most first."""
        sums = {}
        for pid, spent in self.times.items():
            sums[self.names[pid]] = sums.get(self.names[pid], 0) + spent
        return sorted(((name, spent) for name, spent in sums.items() if name and spent), key=lambda pair: -pair[1])

    def own_peak(self):
        """Of the program that was started: of its process and of the one that works for it, which is the same program."""
        program = self.names.get(self.pid)
        return sum(peak for pid, peak in self.peaks.items() if self.names[pid] == program)


class Measurement:
    """Of one side of one round, from when it is made."""

    def __init__(self, builder, traffic, variables):
        self.builder, self.traffic, self.variables = builder, traffic, variables
        self.steps, self.programs = [], {}
        self.cpu_ms = self.largest = self.own_peak = 0
        # Whether one program does it all, so that its own peak says something.
        self.has_own_peak = False
        self.bytes_before = traffic.counted() if traffic else None
        self.builder_before = self.builder_ms()
        self.began = time.monotonic()

    def builder_ms(self):
        return processes.tree_ms(self.builder.process) if self.builder.process else None

    def run(self, name, *command):
        """Runs a command to its end; what it prints is shown only where it fails."""
        started = time.monotonic()
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [str(word) for word in command], env=self.variables, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
            watch = Watch(process.pid)
            watch.start()
            try:
                _, status, used = os.wait4(process.pid, 0)
            except BaseException:
                # Called off, and nobody else would end it.
                process.kill()
                raise
            ended = time.monotonic()
            # Popen would wait for it once more.
            process.returncode = os.waitstatus_to_exitcode(status)
            watch.end()
            if process.returncode != 0:
                said.seek(0)
                words = " ".join(map(str, command))
                raise Failed(f"{words} ended with {process.returncode}:\n{said.read().decode(errors='replace')[-4000:]}")
        self.cpu_ms += (used.ru_utime + used.ru_stime) * 1000
        self.largest = max(self.largest, used.ru_maxrss * 1024)
        self.own_peak = max(self.own_peak, watch.own_peak())
        for program, spent in watch.by_program():
            self.programs[program] = self.programs.get(program, 0) + spent
        self.steps.append({"name": name, "started_ms": ms(started - self.began), "elapsed_ms": ms(ended - started)})

    def end(self):
        """What it took, as the figures have it."""
        took = {"wall_ms": ms(time.monotonic() - self.began), "cpu_ms": round(self.cpu_ms)}
        if self.builder_before is not None:
            took["builder_cpu_ms"] = round(self.builder_ms() - self.builder_before)
        took["largest_peak"] = self.largest
        if self.has_own_peak:
            took["own_peak"] = self.own_peak
        if self.traffic:
            sent, received = self.traffic.counted()
            took |= {"sent": sent - self.bytes_before[0], "received": received - self.bytes_before[1]}
        took["steps"] = self.steps
        took["programs"] = [
            {"name": name, "cpu_ms": round(spent)} for name, spent in sorted(self.programs.items(), key=lambda pair: -pair[1])
        ]
        return took


def ms(seconds):
    return round(seconds * 1000)


def environment(home, builder, tools):
    """The variables of a side: a home of its own, so that what it keeps between runs is its own too."""
    home = pathlib.Path(home)
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{tools}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        **builder.variables(),
    }
