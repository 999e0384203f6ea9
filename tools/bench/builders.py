"""The builders: three that are started for a measurement, in a folder of their own, and the engine that is there."""

import dataclasses
import json
import os
import subprocess

from . import ROOT


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    title: str
    # Why it can't write a build cache to a registry, where it can't.
    no_cache: str = None


KINDS = [
    Kind("graph-driver", "Docker, graph driver", "an engine with a graph driver can't write a build cache to a registry"),
    Kind("containerd", "Docker, containerd store"),
    Kind("buildkitd", "buildkitd"),
]


def command(*words):
    """What a script of the project prints on its last line, in words."""
    done = subprocess.run([ROOT / "scripts/bench-builder", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split("\n")[-2].split() if done.stdout else []


class Own:
    """A builder of ours, which can be as on a new machine."""

    def __init__(self, kind):
        self.kind = kind
        self.address = self.process = None

    def fresh(self):
        """Has it begin again with nothing."""
        address, process = command("up", self.kind.name)
        self.address, self.process = address, int(process)

    @property
    def is_engine(self):
        return self.kind.name != "buildkitd"

    def variables(self):
        return {"DOCKER_HOST": self.address} if self.is_engine else {}

    def version(self):
        if not self.is_engine:
            program = ROOT / "target/tools/bin/buildkitd"
            return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
        return engine_info(self.variables())["ServerVersion"]


class Here:
    """The engine that is there. It is somebody's, so nothing is taken away from it but images that were built here;
    what it keeps of builds is left to it."""

    process = None
    is_engine = True

    def __init__(self):
        self.address = os.environ.get("DOCKER_HOST")
        status = dict(engine_info(self.variables())["DriverStatus"] or [])
        containerd = status.get("driver-type", "").startswith("io.containerd.snapshotter")
        self.kind = next(kind for kind in KINDS if kind.name == ("containerd" if containerd else "graph-driver"))

    def variables(self):
        return {"DOCKER_HOST": self.address} if self.address else {}

    def fresh(self):
        pass


def engine_info(variables):
    info = ["docker", "info", "--format", "{{json .}}"]
    done = subprocess.run(info, env={**os.environ, **variables}, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
