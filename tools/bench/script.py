"""The script that users would otherwise write, as well as they can: gitleaks, buildx, trivy and syft with their own caches, and
`docker push` or crane.

With an engine, the image is loaded into it, looked at there and pushed from there. With a buildkitd alone it is exported once
into a layout folder, which the scanners read and crane pushes.
"""

import json
import os
import shutil
import subprocess

from . import ROOT, WORK, measure

TOOLS = ROOT / "target/tools/bin"
DATABASE = WORK / "trivy"


def plugins(folder):
    """A folder of docker's configuration, with buildx."""
    plugin = folder / "cli-plugins/docker-buildx"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(ROOT / "target/tools/docker-cli-plugins/docker-buildx")
    return folder


def unpack_database():
    """The vulnerability database as trivy itself keeps it, for where no registry has it."""
    shutil.rmtree(DATABASE, ignore_errors=True)
    (DATABASE / "db").mkdir(parents=True)
    layout = ROOT / "target/trivy-db"
    blob = lambda descriptor: layout / "blobs" / descriptor["digest"].replace(":", "/")
    index = json.loads((layout / "index.json").read_text())
    layer = json.loads(blob(index["manifests"][0]).read_text())["layers"][0]
    subprocess.run(["tar", "-xzf", blob(layer), "-C", DATABASE / "db"], check=True)


class Script:
    name = "script"

    def __init__(self, builder, home):
        self.builder, self.home = builder, home
        self.forget()

    def forget(self):
        """As on a new machine: with the programs, and with nothing that they keep."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.variables = measure.environment(self.home, self.builder, TOOLS)
        self.variables["SYFT_CHECK_FOR_APP_UPDATE"] = "false"
        plugins(self.home / ".docker")
        if not self.builder.is_engine:
            # The workflow's step that sets up buildx.
            create = ["docker", "buildx", "create", "--name", "bench", "--driver", "remote", self.builder.address]
            subprocess.run(create, env=self.variables, check=True, stdout=subprocess.DEVNULL)

    def build(self, order):
        """What a build has in common, wherever it goes."""
        labels = [word for key, value in order.labels.items() for word in ("--label", f"{key}={value}")]
        builder = [] if self.builder.is_engine else ["--builder", "bench"]
        cache = []
        if order.remote_cache:
            reference = f"type=registry,ref={order.cache}"
            cache = ["--cache-from", reference, "--cache-to", f"{reference},mode=max"]
        # Its provenance would make it an index of two manifests; gp-deliver signs none of that here either.
        return ["docker", "buildx", "build", *builder, *cache, *labels, "--provenance=false", order.source]

    def deliver(self, order, measurement):
        image = f"{order.registry.address}/bench/script:latest"
        measurement.run("gitleaks dir", "gitleaks", "dir", order.source, "--no-banner")
        measurement.run("gitleaks git", "gitleaks", "git", order.source, "--no-banner")
        if self.builder.is_engine:
            self.through_the_engine(order, measurement, image)
        else:
            self.through_a_layout(order, measurement, image)

    def through_the_engine(self, order, measurement, image):
        measurement.run("buildx build --load", *self.build(order), "--tag", image, "--load")
        self.scan(order, measurement, trivy=[image], syft=f"docker:{image}")
        measurement.run("docker push", "docker", "push", "--quiet", image)

    def through_a_layout(self, order, measurement, image):
        layout = order.folder / "layout"
        shutil.rmtree(layout, ignore_errors=True)
        measurement.run("buildx build, to a layout", *self.build(order), "--output", f"type=oci,dest={layout},tar=false")
        self.scan(order, measurement, trivy=["--input", layout], syft=f"oci-dir:{layout}")
        measurement.run("crane push", "crane", "push", "--insecure", layout, image)

    def scan(self, order, measurement, trivy, syft):
        if order.hub:
            databases = ["--db-repository", order.database("trivy-db", 2), "--java-db-repository", order.database("trivy-java-db", 1)]
            databases += ["--cache-dir", self.home / "trivy"]
        else:
            databases = ["--cache-dir", DATABASE, "--skip-db-update", "--skip-java-db-update"]
        measurement.run(
            "trivy", "trivy", "image", *databases, "--offline-scan", "--skip-version-check", "--disable-telemetry",
            "--scanners", "vuln", "--format", "json", "--output", os.devnull, *trivy,
        )
        measurement.run("syft", "syft", "scan", syft, "-q", "-o", f"spdx-json={os.devnull}", "-o", f"cyclonedx-json={os.devnull}")

    def clean(self, order):
        """The engine's copy, which has the name of a registry that will be gone."""
        if self.builder.is_engine:
            image = f"{order.registry.address}/bench/script:latest"
            subprocess.run(["docker", "image", "rm", "--force", image], env=self.variables, capture_output=True)


class BuildAlone(Script):
    """The floor: the same build, which goes nowhere. No delivery of the same builder takes less."""

    name = "build alone"

    def deliver(self, order, measurement):
        measurement.run("buildx build, to nowhere", *self.build(order), "--output", "type=cacheonly")
