"""Measures gp-deliver beside the script that users would otherwise write.

Both do the same work on the same machine in the same run, in turns: scan the source for secrets, build an image of some
620 MB with 400 MB that do not compress, scan it, list it, and push it to a registry that has nothing of it. The build of
each round is new (another build argument), the base image is there. What counts is the median of the ratios.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import sys
import threading
import time

import push

ROOT = pathlib.Path.cwd()
TOOLS = ROOT / "target/tools/bin"
BINARY = ROOT / "target/release/gp-deliver"
RESULTS = ROOT / "target/bench/results.json"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))

DOCKERFILE = """\
FROM debian:bookworm-slim
ARG ROUND
RUN echo $ROUND > /round && head -c 400000000 /dev/urandom > /random && head -c 150000000 /dev/zero > /zeros
COPY . /app
"""

ENVIRONMENT = {
    "PATH": f"{TOOLS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": os.environ["HOME"],
}
if "DOCKER_HOST" in os.environ:
    ENVIRONMENT["DOCKER_HOST"] = os.environ["DOCKER_HOST"]


class Registry:
    """A registry with nothing in it, on this machine."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="gp-deliver-bench-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        config = pathlib.Path(self.folder.name) / "config.yml"
        storage = pathlib.Path(self.folder.name) / "data"
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {storage}}}}}\n"
            f"http: {{addr: '{self.address}'}}\n"
        )
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(["docker-registry", "serve", config], **quiet)
        host, port = self.address.split(":")
        while True:
            try:
                socket.create_connection((host, int(port))).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def source(folder):
    """A small source in git."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / ".dockerignore").write_text(".git\n")
    for number in range(200):
        (folder / f"file{number}.txt").write_text(f"line {number}\n" * 200)
    git = ["git", "-C", folder, "-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "bench"], check=True)


def run(*command, **options):
    """Runs a command and fails loudly."""
    done = subprocess.run([str(word) for word in command], env=ENVIRONMENT, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"bench: {command} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def the_script(source, database, registry, number):
    """What users would otherwise write; gives its wall time in seconds."""
    image = f"{registry.address}/bench/script:{number}"
    began = time.monotonic()
    run("gitleaks", "dir", source, "--no-banner")
    run("gitleaks", "git", source, "--no-banner")
    docker = ["docker", "--config", ROOT / "target/tools/docker-config"]
    run(*docker, "buildx", "build", "--load", "--build-arg", f"ROUND={number}-script", "--tag", image, source)
    run("trivy", "image", "--cache-dir", database, "--skip-db-update", "--skip-java-db-update", "--offline-scan",
        "--skip-version-check", "--disable-telemetry", "--scanners", "vuln", "--format", "json", "--output", os.devnull, image)
    run("syft", "scan", f"docker:{image}", "-q", "-o", f"spdx-json={os.devnull}", "-o", f"cyclonedx-json={os.devnull}")
    run("docker", "push", image)
    elapsed = time.monotonic() - began
    run("docker", "rmi", "--force", image)
    return elapsed


def resident_peak(pid):
    """The peak of one process's resident memory in bytes so far; 0 where there is none of that number."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


def children(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


def peak_memory(process):
    """The peak of gp-deliver's own resident memory in bytes: of the process that is started and of the one that works for it,
    without the programs that this one starts."""
    peaks = {}
    while process.poll() is None:
        for pid in [str(process.pid), *children(process.pid)]:
            peaks[pid] = max(peaks.get(pid, 0), resident_peak(pid))
        time.sleep(0.02)
    return sum(peaks.values())


def gp_deliver(source, registry, number, report, *flags):
    """The same by gp-deliver; gives its wall time in seconds and its peak memory in bytes."""
    command = [
        BINARY, "deliver", "--build-context", source, "--environment", "local", "--build-args", f"ROUND={number}-deliver",
        "--trivy-db-repository", "oci:target/trivy-db:2", "--trivy-java-db-repository", "oci:target/trivy-java-db:1",
        "--destination", f"{registry.address}/bench/deliver", "--report-dir", report, *flags,
    ]
    began = time.monotonic()
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = []
    reader = threading.Thread(target=lambda: said.append(process.stderr.read()))
    reader.start()
    peak = peak_memory(process)
    elapsed = time.monotonic() - began
    reader.join()
    if process.returncode != 0:
        raise SystemExit(f"bench: gp-deliver ended with {process.returncode}\n{said}")
    return elapsed, peak


def sandbox(folder):
    """What the sandbox costs a delivery, in milliseconds: the median difference of pairs, each with it and without it in
    turns, of a small image that is as new every time."""
    source(folder)
    (folder / "Dockerfile").write_text("FROM scratch\nARG ROUND\nCOPY . /app\n")

    def deliver(number, demand):
        with tempfile.TemporaryDirectory(prefix="gp-deliver-bench-") as work:
            began = time.monotonic()
            run(
                BINARY, "deliver", "--build-context", folder, "--environment", "local", "--sandbox", demand,
                "--labels", f"round={number}-{demand}", "--trivy-db-repository", "oci:target/trivy-db:2",
                "--trivy-java-db-repository", "oci:target/trivy-java-db:1",
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


def prepared():
    """A configuration folder with buildx, and the database as trivy itself keeps it."""
    plugins = ROOT / "target/tools/docker-config/cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    plugin = plugins / "docker-buildx"
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(ROOT / "target/tools/docker-cli-plugins/docker-buildx")
    database = ROOT / "target/bench/trivy"
    shutil.rmtree(database, ignore_errors=True)
    (database / "db").mkdir(parents=True)
    index = json.loads((ROOT / "target/trivy-db/index.json").read_text())
    blob = lambda descriptor: ROOT / "target/trivy-db/blobs" / descriptor["digest"].replace(":", "/")
    layer = json.loads(blob(index["manifests"][0]).read_text())["layers"][0]
    run("tar", "-xzf", blob(layer), "-C", database / "db")
    return database


def pushes(work):
    """The median times in seconds of three pushes in each way, and the peak memory in bytes."""
    push.source(work / "push")
    layout = work / "layout"
    run(BINARY, "deliver", "--build-context", work / "push", "--environment", "local", "--report-dir", work / "to-layout",
        "--trivy-db-repository", "oci:target/trivy-db:2", "--trivy-java-db-repository", "oci:target/trivy-java-db:1",
        "--destination", f"oci:{layout}")
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
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    database = prepared()
    with tempfile.TemporaryDirectory(prefix="gp-deliver-bench-") as work:
        work = pathlib.Path(work)
        source(work / "source")
        scripts, deliveries, peaks = [], [], []
        for number in range(ROUNDS):
            seed = f"{number}-{int(time.time())}"
            registry = Registry()
            scripts.append(the_script(work / "source", database, registry, seed))
            registry.close()
            registry = Registry()
            elapsed, peak = gp_deliver(work / "source", registry, seed, work / "report")
            registry.close()
            deliveries.append(elapsed)
            peaks.append(peak)
            print(f"round {number + 1} of {ROUNDS}: script {scripts[-1]:.1f} s, gp-deliver {elapsed:.1f} s", flush=True)
        ratio = statistics.median(ours / theirs for ours, theirs in zip(deliveries, scripts))
        memory = max(peaks) / 2**20
        planning = plan(work / "source")
        shut_in = sandbox(work / "small")
        cancelling = cancelled(work / "cancel")
        size = BINARY.stat().st_size / 2**20
        image_size, first_line = own_image()
        pushing, docker, copy, pushing_peak = pushes(work)
        signing = services()
    print()
    results = [
        result("script, wall time", round(statistics.median(scripts), 1), "s", "none: to compare with", True),
        result("gp-deliver, wall time", round(statistics.median(deliveries), 1), "s", "none: see the ratio", True),
        result("wall time, gp-deliver / script", round(ratio, 3), "ratio", "at most 0.5", ratio <= 0.5),
        result("push of 1 GiB in 20 layers", round(pushing, 2), "s", "none: see the ratios", True),
        result("push, docker push / gp-deliver", round(docker, 1), "ratio", "at least 2", docker >= 2),
        result("push, gp-deliver / plain copy", round(copy, 2), "ratio", "at most 1.2", copy <= 1.2),
        result("own peak memory, pushing", round(pushing_peak / 2**20, 1), "MiB", "at most 64", pushing_peak <= 64 * 2**20),
        result("own peak memory", round(memory, 1), "MiB", "at most 64", memory <= 64),
        result("gp-deliver plan", round(planning, 1), "ms", "at most 50", planning <= 50),
        result("sandbox, with it - without it", round(shut_in, 1), "ms", "at most 50", shut_in <= 50),
        result("SIGTERM to end", round(cancelling), "ms", "at most 2000", cancelling <= 2000),
        result("container start to first line", round(first_line), "ms", "at most 100", first_line <= 100),
        result("own image, compressed", round(image_size / 1e6, 1), "MB", "at most 120", image_size <= 120e6),
        result("binary, stripped", round(size, 1), "MiB", "at most 20", size <= 20),
    ]
    for found in signing:
        most, value = found["most"], found["value"]
        results.append(result(found["name"], value, found["unit"], f"at most {most:g}", value <= most))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten to {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
