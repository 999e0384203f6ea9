"""What figures were measured on, and with what."""

import datetime
import os
import pathlib
import subprocess

from . import ROOT


def said(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def of(builder):
    """This machine, with a builder and the tools."""
    memory = next(line for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    models = [line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    tools = ("buildx", "trivy", "syft", "gitleaks", "crane")
    return {
        "processors": len(os.sched_getaffinity(0)),
        "model": models[0].partition(":")[2].strip() if models else os.uname().machine,
        "memory_gib": round(int(memory.split()[1]) / 2**20),
        "kernel": os.uname().release.split("-")[0],
        "builder": builder.version(),
        "tools": {tool: said("scripts/tools", "--pinned", tool) for tool in tools},
    }


def commit():
    """Of the sources, which are those of the program unless it is named from elsewhere."""
    return os.environ.get("GP_DELIVER_BENCH_COMMIT") or said("git", "rev-parse", "--short=12", "HEAD")


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
