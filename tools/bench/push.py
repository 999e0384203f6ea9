"""Measures how fast an image of 1 GiB in 20 layers goes to a registry that has nothing of it.

Three ways, in one run: gp-deliver's own publishing (the time of its two stages, from the record), `docker push` of the same
image, and the plainest copy there is of the same compressed blobs: one POST and one PUT each by curl, four at a time.
"""

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from . import script

LAYERS = 20
LAYER_BYTES = (1 << 30) // LAYERS
PARALLEL = 4


def source(folder):
    """A small context whose image has layers that do not compress."""
    folder.mkdir()
    layers = "".join(f"RUN head -c {LAYER_BYTES} /dev/urandom > /layer{number}\n" for number in range(LAYERS))
    (folder / "Dockerfile").write_text(f"FROM debian:bookworm-slim\n{layers}")


def gp_deliver(bench, folder, registry, report):
    """Delivers; gives how long publishing took in seconds, and the peak memory in bytes."""
    # Without an SBOM, for which the tags would wait.
    _, peak = bench.gp_deliver(folder, registry, "push", report, "--tags", "v1", "--sbom-formats", ",")
    record = json.loads((report / "record.json").read_text())
    elapsed = {stage["name"]: stage["elapsed_ms"] for stage in record["stages"]}
    # The content, and then its tags.
    return (elapsed["upload"] + elapsed["publish"]) / 1000, peak


def docker_push(bench, folder, registry):
    """Builds with Docker; gives how long `docker push` took in seconds."""
    image = f"{registry.address}/bench/push:v1"
    docker = ["docker", "--config", script.plugins(bench.WORK / "docker")]
    bench.run(*docker, "buildx", "build", "--load", "--tag", image, folder)
    began = time.monotonic()
    bench.run("docker", "push", image)
    elapsed = time.monotonic() - began
    bench.run("docker", "rmi", "--force", image)
    return elapsed


def plain_copy(registry, layout):
    """Copies the blobs of a layout; gives how long it took in seconds."""
    base = f"http://{registry.address}/v2/bench/copy/blobs/uploads/"
    blobs = sorted((layout / "blobs/sha256").iterdir(), key=lambda blob: -blob.stat().st_size)

    def copy(blob):
        curl = ["curl", "--silent", "--fail", "--header", "Expect:"]
        head = subprocess.run([*curl, "--request", "POST", "--dump-header", "-", base], check=True, capture_output=True, text=True)
        location = next(line.split(": ", 1)[1] for line in head.stdout.splitlines() if line.lower().startswith("location: "))
        url = f"{location}&digest=sha256:{blob.name}"
        put = ["--header", "Content-Type: application/octet-stream", "--upload-file", blob, "--output", os.devnull, url]
        subprocess.run([*curl, *put], check=True)

    began = time.monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(copy, blobs))
    return time.monotonic() - began
