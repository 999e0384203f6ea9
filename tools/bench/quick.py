"""A few cells on the engine that is there, beside the figures of the page.

One pair of each, so a ratio may well be a third more than on a quiet machine: only one that is half as much again is told as a
regression. It is told and nothing else: the machine may be another one, and busy. What ends it is a side that fails.
"""

import os
import pathlib
import tempfile
import time

from . import WORK, builders, cells, delivery, images, matrix, measure, script, situations, words

IMAGES = ["demo", "small"]
SITUATIONS = ["first", "changed"]
MARGIN = 1.5


def judged(measured, known):
    """What is told of a cell, and whether it is worse than it was."""
    ours, theirs = (cells.median(measured, side, "wall_ms") for side in cells.SIDES)
    said = f"{cells.ratio(measured):.2f} of the script's time ({words.span(ours)} of {words.span(theirs)})"
    if known is None or "cannot" in known:
        return f"{said}; not measured before on this kind of builder", False
    before = cells.ratio(known)
    of = f"{before:.2f} on {known['date']} at {known['commit']}{'' if known['quiet'] else ', preliminary'}"
    if cells.ratio(measured) > before * MARGIN:
        return f"{said}; REGRESSION? It was {of}", True
    return f"{said}; it was {of}", False


def named(table, names):
    return [each for each in table if each.name in names]


def main():
    delivery.found()
    WORK.mkdir(parents=True, exist_ok=True)
    script.unpack_database()
    began = time.monotonic()
    builder = builders.Here()
    committed = {cells.key(cell): cell for cell in cells.load()}
    lines = []
    for image in named(images.IMAGES, IMAGES):
        for situation in named(situations.SITUATIONS, SITUATIONS):
            with tempfile.TemporaryDirectory(prefix="cell-", dir=WORK) as work:
                try:
                    pair = matrix.Cell(builder, image, situation, None, pathlib.Path(work)).pair()
                except measure.Failed as failure:
                    raise SystemExit(f"bench: {failure}") from None
            cell = {"builder": builder.kind.name, "image": image.name, "situation": situation.name, "rounds": [pair]}
            told, is_worse = judged(cell, committed.get(cells.key(cell)))
            lines.append((f"{image.title}, {situation.title}", told))
            print(f"{lines[-1][0]}: {told}", flush=True)
            if is_worse and "GITHUB_ACTIONS" in os.environ:
                print(f"::warning title=A delivery takes longer::{lines[-1][0]}: {told}", flush=True)
    print(f"{builder.kind.title}; {time.monotonic() - began:.0f} s", flush=True)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(summary, "a") as page:
            page.write(f"### A delivery beside its script, {builder.kind.title}\n\n")
            page.writelines(f"- {name}: {told}\n" for name, told in lines)
