"""Single figures, each with a goal: pushing, planning, the sandbox, cancelling, the image, signing.

What whole deliveries take beside a script is in the matrix.
"""

import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from . import ROOT, WORK, builders, images, measure, push, script
from .delivery import BINARY, found
from .registry import Registry

RESULTS = WORK / "results.json"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
ENVIRONMENT = {
    "PATH": f"{script.TOOLS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": os.environ["HOME"],
}
if "DOCKER_HOST" in os.environ:
    ENVIRONMENT["DOCKER_HOST"] = os.environ["DOCKER_HOST"]
DATABASES = ["--trivy-db-repository", "oci:target/trivy-db:2", "--trivy-java-db-repository", "oci:target/trivy-java-db:1"]
SMALL = images.Image("tiny", "files alone", "FROM scratch\nARG ROUND\nCOPY . /app\n")


def run(*command, **options):
    """Runs a command and fails loudly."""
    done = subprocess.run([str(word) for word in command], env=ENVIRONMENT, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"bench: {command} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def gp_deliver(source, registry, seed, report, *flags):
    """A delivery; gives its wall time in seconds and its peak memory in bytes."""
    measurement = measure.Measurement(builders.Here(), None, ENVIRONMENT)
    measurement.run(
        "gp-deliver", BINARY, "deliver", "--build-context", source, "--environment", "local", "--build-args", f"ROUND={seed}",
        *DATABASES, "--destination", f"{registry.address}/bench/deliver", "--report-dir", report, *flags,
    )
    return measurement.end()["wall_ms"] / 1000, measurement.own_peak


def sandbox(folder):
    """What the sandbox costs a delivery, in milliseconds: the median difference of pairs, each with it and without it in
    turns, of a small image that is as new every time."""
    SMALL.write(folder)

    def deliver(number, demand):
        with tempfile.TemporaryDirectory(prefix="gp-deliver-bench-") as work:
            began = time.monotonic()
            run(
                BINARY, "deliver", "--build-context", folder, "--environment", "local", "--sandbox", demand,
                "--labels", f"round={number}-{demand}", *DATABASES,
                "--destination", f"oci:{work}/image", "--report-dir", f"{work}/report",
            )
            return (time.monotonic() - began) * 1000

    deliver("warm", "auto")
    differences = []
    # A delivery takes up to 100 ms more or less than the one before: fewer pairs tell nothing.
    for number in range(31):
        order = ["require", "off"] if number % 2 else ["off", "require"]
        times = {demand: deliver(number, demand) for demand in order}
        differences.append(times["require"] - times["off"])
    return statistics.median(differences)


def plan(source):
    """The median wall time of `gp-deliver plan` in milliseconds."""
    times = []
    for _ in range(21):
        began = time.monotonic()
        run(BINARY, "plan", "--build-context", source)
        times.append((time.monotonic() - began) * 1000)
    return statistics.median(times)


def own_image():
    """The compressed size in bytes of the project's own image, and the median time in milliseconds from the start of a
    container of it to the first line of its log; the engine's clock has both."""
    registry = Registry()
    image = f"{registry.address}/gp-deliver:latest"
    run("scripts/image", "--prebuilt", "--to", f"{registry.address}/gp-deliver")
    size = json.loads((ROOT / "target/image-report/record.json").read_text())["image"]["size"]
    run("docker", "pull", "--quiet", image)
    registry.close()
    seconds = lambda text: float(text.strip().rstrip("Z").rsplit(":", 1)[1])
    times = []
    for _ in range(9):
        container = run("docker", "create", image, "deliver", "--environment", "none").stdout.strip()
        # It ends at once: there is no such environment.
        subprocess.run(["docker", "start", "--attach", container], env=ENVIRONMENT, capture_output=True)
        started = run("docker", "inspect", "--format", "{{.State.StartedAt}}", container).stdout
        said = run("docker", "logs", "--timestamps", container).stderr
        times.append((seconds(said.split(" ", 1)[0]) - seconds(started)) % 60 * 1000)
        run("docker", "rm", container)
    run("docker", "image", "rm", image)
    return size, statistics.median(times)


def cancelled(folder):
    """The wall time in milliseconds from SIGTERM in the middle of a build to the end."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM debian:bookworm-slim\nRUN echo {time.time()} begun && sleep 60\n")
    command = [BINARY, "deliver", "--build-context", folder, "--report-dir", folder.parent / "cancelled",
               "--trivy-db-repository", "oci:target/trivy-db:2"]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.rstrip().endswith(" begun"):
            break
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.stderr.read()
    process.wait()
    return (time.monotonic() - began) * 1000


def pushes(work):
    """The median times in seconds of three pushes in each way, and the peak memory in bytes."""
    push.source(work / "push")
    layout = work / "layout"
    run(BINARY, "deliver", "--build-context", work / "push", "--environment", "local", "--report-dir", work / "to-layout",
        *DATABASES, "--destination", f"oci:{layout}")
    ours, dockers, copies, peaks = [], [], [], []
    for number in range(ROUNDS):
        registry = Registry()
        elapsed, peak = push.gp_deliver(sys.modules[__name__], work / "push", registry, work / "push-report")
        ours.append(elapsed)
        peaks.append(peak)
        registry.close()
        registry = Registry()
        dockers.append(push.docker_push(sys.modules[__name__], work / "push", registry))
        registry.close()
        registry = Registry()
        copies.append(push.plain_copy(registry, layout))
        registry.close()
        print(f"push {number + 1} of {ROUNDS}: gp-deliver {ours[-1]:.2f} s, docker push {dockers[-1]:.2f} s, "
              f"plain copy {copies[-1]:.2f} s", flush=True)
    docker = statistics.median(theirs / our for our, theirs in zip(ours, dockers))
    copy = statistics.median(our / theirs for our, theirs in zip(ours, copies))
    return statistics.median(ours), docker, copy, max(peaks)


def services():
    """What signing, `verify`, a promotion and a lifecycle preview take against services on this machine, by a test that writes it
    down. The services are those of the tests, and run only meanwhile, unless they do already."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    starts = subprocess.run(["scripts/test-parts", "env"], **quiet).returncode != 0
    if starts:
        for command in (["scripts/prepare", "test"], ["cargo", "build", "--locked"], ["scripts/test-parts", "up"]):
            subprocess.run(command, check=True)
    try:
        test = 'eval "$(scripts/test-parts env)" && cargo test --locked --test it -- --include-ignored figures::'
        subprocess.run(["bash", "-c", test], check=True, env={**os.environ, "GP_DELIVER_TEST_BINARY": str(BINARY)})
    finally:
        if starts:
            subprocess.run(["scripts/test-parts", "down"], check=True)
    return json.loads((ROOT / "target/bench/figures.json").read_text())


def result(name, value, unit, goal, holds):
    print(f"  {name:<34} {value:>10} {unit:<8} goal {goal:<22} {'holds' if holds else 'MISSED'}", flush=True)
    return {"name": name, "value": value, "unit": unit, "goal": goal, "holds": holds}


def main():
    found()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gp-deliver-bench-") as work:
        work = pathlib.Path(work)
        SMALL.write(work / "source")
        planning = plan(work / "source")
        shut_in = sandbox(work / "small")
        cancelling = cancelled(work / "cancel")
        size = BINARY.stat().st_size / 2**20
        image_size, first_line = own_image()
        pushing, docker, copy, pushing_peak = pushes(work)
        signing = services()
    print()
    results = [
        result("push of 1 GiB in 20 layers", round(pushing, 2), "s", "none: see the ratios", True),
        result("push, docker push / gp-deliver", round(docker, 1), "ratio", "at least 2", docker >= 2),
        result("push, gp-deliver / plain copy", round(copy, 2), "ratio", "at most 1.2", copy <= 1.2),
        result("own peak memory, pushing", round(pushing_peak / 2**20, 1), "MiB", "at most 64", pushing_peak <= 64 * 2**20),
        result("gp-deliver plan", round(planning, 1), "ms", "at most 50", planning <= 50),
        result("sandbox, with it - without it", round(shut_in, 1), "ms", "at most 50", shut_in <= 50),
        result("SIGTERM to end", round(cancelling), "ms", "at most 2000", cancelling <= 2000),
        result("container start to first line", round(first_line), "ms", "at most 100", first_line <= 100),
        result("own image, compressed", round(image_size / 1e6, 1), "MB", "at most 120", image_size <= 120e6),
        result("binary, stripped", round(size, 1), "MiB", "at most 20", size <= 20),
    ]
    for figure in signing:
        most, value = figure["most"], figure["value"]
        results.append(result(figure["name"], value, figure["unit"], f"at most {most:g}", value <= most))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten to {RESULTS.relative_to(ROOT)}")
