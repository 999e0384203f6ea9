"""The cells that have been measured: docs/performance.json."""

import json
import statistics

from . import ROOT, builders, images, situations

FILE = ROOT / "docs/performance.json"
SIDES = ("gp-deliver", "script")
# What a line of the file may hold.
WIDTH = 160
# At most this much of the script's time: for an engine with a graph driver, and for the others.
GOALS = {"first": (0.40, 0.25), "changed": (0.30, 0.10), "label": (0.25, 0.05), "empty": (None, 0.50)}
MEMORY_GOAL = 64 << 20


def load():
    return json.loads(FILE.read_text())["cells"] if FILE.exists() else []


def key(cell):
    return cell["builder"], cell["image"], cell["situation"]


def merge(cells, cell):
    """With this cell in place of an older one, in the order of the tables."""
    kept = [other for other in cells if key(other) != key(cell)]
    names = [[each.name for each in table] for table in (images.IMAGES, builders.KINDS, situations.SITUATIONS)]
    place = lambda cell: [table.index(cell[word]) for table, word in zip(names, ("image", "builder", "situation"))]
    return sorted([*kept, cell], key=place)


def save(cells):
    FILE.write_text(lines({"version": 1, "cells": cells}) + "\n")


def lines(value, indent=""):
    """JSON in which whatever fits on a line is on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= WIDTH or not isinstance(value, (dict, list)):
        return flat
    inner = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(name)}: {lines(each, inner)}" for name, each in value.items()]
    else:
        parts = [lines(each, inner) for each in value]
    begin, end = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return f"{begin}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{end}"


def ratios(cell):
    """gp-deliver's time as a part of the script's, of each pair."""
    return [pair["gp-deliver"]["wall_ms"] / pair["script"]["wall_ms"] for pair in cell["rounds"]]


def ratio(cell):
    return statistics.median(ratios(cell))


def middle(cell):
    """The number of the round whose ratio is nearest to the median."""
    found = ratios(cell)
    return min(range(len(found)), key=lambda number: abs(found[number] - ratio(cell)))


def median(cell, side, figure):
    """Of one figure of a side; none where it was not measured."""
    values = [pair[side][figure] for pair in cell["rounds"] if figure in pair[side]]
    return statistics.median(values) if values else None


def goal(cell):
    return GOALS[cell["situation"]][0 if cell["builder"] == "graph-driver" else 1]
