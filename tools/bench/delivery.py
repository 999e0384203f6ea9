"""The same by gp-deliver."""

import json
import os
import pathlib
import shutil

from . import ROOT, measure

BINARY = pathlib.Path(os.environ.get("GP_DELIVER_BENCH_BINARY", ROOT / "target/release/gp-deliver"))
TOOLS = ROOT / "target/tools/bin"


def found():
    """Ends where there is no program to measure, before anything else is done."""
    if not BINARY.exists():
        raise SystemExit(f"bench: there is no {BINARY}; the targets of the Makefile build it")


class Delivery:
    name = "gp-deliver"

    def __init__(self, builder, home):
        self.builder, self.home = builder, home
        self.forget()

    def forget(self):
        """As on a new machine."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.variables = measure.environment(self.home, self.builder, TOOLS)

    def deliver(self, order, measurement):
        report = order.folder / "report"
        shutil.rmtree(report, ignore_errors=True)
        builder = [] if self.builder.is_engine else ["--buildkit-host", self.builder.address]
        cache = []
        if order.remote_cache:
            cache = ["--builder-cache", "own", "--cache", "registry", "--cache-repository", order.cache]
        labels = "\n".join(f"{key}={value}" for key, value in order.labels.items())
        measurement.run(
            "gp-deliver", BINARY, "deliver", "--build-context", order.source, "--environment", "local", *builder, *cache,
            "--labels", labels,
            "--trivy-db-repository", order.database("trivy-db", 2),
            "--trivy-java-db-repository", order.database("trivy-java-db", 1),
            "--destination", f"{order.registry.address}/bench/deliver", "--report-dir", report,
        )
        measurement.steps = stages(report)
        measurement.has_own_peak = True

    def clean(self, order):
        pass


# Stages whose detail says how much there was to do; the others' names addresses of this machine.
TELLING = {"secrets", "build", "sbom", "vulnerabilities", "upload"}


def stages(report):
    """What its record says of its stages, as steps."""
    record = json.loads((report / "record.json").read_text())
    steps = []
    for stage in record["stages"]:
        if stage["outcome"]["is"] == "skipped":
            continue
        step = {key: stage[key] for key in ("name", "started_ms", "elapsed_ms")}
        if stage["waited_ms"]:
            step |= {"waited_ms": stage["waited_ms"], "waited_for": stage["waited_for"]}
        if stage["name"] in TELLING and stage["detail"]:
            step["detail"] = stage["detail"]
        steps.append(step)
    return steps
