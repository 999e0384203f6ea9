"""The images that are delivered.

Each has an argument ROUND that all its own layers depend on, so that a round can be as new to everyone (by a value in its
Dockerfile: one that the build gives may be another each time, and no commit says when it was changed), and a small file that
its last layer copies, so that a round can change nothing else. Bytes that do not compress stand for programs and libraries,
zeros for what compresses well.
"""

import dataclasses
import shutil
import subprocess

from . import ROOT

MIB = 1 << 20
# The file of the last layer, and one that no image has.
CHANGED, BESIDE = "changed.txt", "beside.txt"
GIT = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"]


@dataclasses.dataclass(frozen=True)
class Image:
    name: str
    title: str
    dockerfile: str
    # A folder of the project that is the source besides.
    context: str = None
    # The situations that are measured of it unless others are asked for; all where there are none.
    only: tuple = ()

    def write(self, folder, seed=None):
        """The source of it in git, of a round."""
        if self.context:
            shutil.copytree(ROOT / self.context, folder)
        else:
            (folder / "source").mkdir(parents=True)
            for number in range(200):
                (folder / f"source/file{number}.txt").write_text(f"line {number}\n" * 200)
            (folder / ".dockerignore").write_text(".git\n")
        round_of = f"ARG ROUND={seed}\n" if seed else "ARG ROUND\n"
        (folder / "Dockerfile").write_text(self.dockerfile.replace("ARG ROUND\n", round_of))
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", folder], check=True)
        change(folder, "at first")


def change(folder, text, name=CHANGED):
    """Changes a file, in a commit; gives its id."""
    (folder / name).write_text(f"{text}\n")
    git = ["git", "-C", folder, *GIT]
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", text], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def bytes_in(layers, random, zeros):
    """So many layers of so many MiB each."""
    steps = (
        f"RUN echo $ROUND >/round{number} && head -c {random * MIB} /dev/urandom >/random{number}"
        f" && head -c {zeros * MIB} /dev/zero >/zeros{number}\n"
        for number in range(layers)
    )
    return f"FROM debian:bookworm-slim\nARG ROUND\n{''.join(steps)}COPY source /app\nCOPY {CHANGED} /{CHANGED}\n"


def demo():
    """The demo's own Dockerfile, with the argument and the file."""
    lines = (ROOT / "fixtures/contexts/hello/Dockerfile").read_text().splitlines(keepends=True)
    first = lines.index("WORKDIR /opt/hello\n") + 1
    return "".join([*lines[:first], "ARG ROUND\nRUN echo $ROUND >/round\n", *lines[first:], f"COPY {CHANGED} ./\n"])


IMAGES = [
    Image("demo", "the demo app", demo(), "fixtures/contexts/hello"),
    # What `make bench-quick` compares with.
    Image("small", "140 MB", bytes_in(1, 40, 20), only=("first", "changed")),
    Image("620mb", "620 MB", bytes_in(1, 381, 143)),
    Image("2gib", "2 GiB in 30 layers", bytes_in(30, 48, 18)),
]
