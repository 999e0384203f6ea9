"""Tables of the figures, in Markdown."""

from . import builders, cells, profile, situations, words

TITLES = {each.name: each.title for table in (builders.KINDS, situations.SITUATIONS) for each in table}


def table(head, rows):
    lines = [head, ["---"] * len(head), *([field.replace("|", "\\|") for field in row] for row in rows)]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def ratio(cell):
    """The figure that counts, with its goal."""
    if cell is None:
        return "not measured yet"
    if "cannot" in cell:
        return f"can't: {cell['cannot']}"
    times = f"{words.span(cells.median(cell, 'gp-deliver', 'wall_ms'))} of {words.span(cells.median(cell, 'script', 'wall_ms'))}"
    goal = cells.goal(cell)
    # Of a small image most of the time is the programs' own start, so there is no goal.
    if goal is None or cell["image"] in ("demo", "small"):
        held = ""
    else:
        held = f"; goal {goal:.2f}{'' if cells.ratio(cell) <= goal else ': **missed**'}"
    return f"**{cells.ratio(cell):.2f}** ({times}{held})"


def ratios(measured):
    """Of one image: a row for each situation, a column for each builder."""
    found = {(cell["situation"], cell["builder"]): cell for cell in measured}
    names = [kind.name for kind in builders.KINDS]
    rows = [
        [situation.title, *(ratio(found.get((situation.name, name))) for name in names)]
        for situation in situations.SITUATIONS
        if any((situation.name, name) in found for name in names)
    ]
    return table(["", *(kind.title for kind in builders.KINDS)], rows)


def both(cell, figure, write):
    """A figure of gp-deliver and of the script, in one field."""
    sides = [cells.median(cell, side, figure) for side in cells.SIDES]
    return " / ".join("not measured" if value is None else write(value) for value in sides)


def machine(measured):
    """Of one image: what each cell takes of the machine."""
    rows = []
    for cell in measured:
        if "cannot" in cell:
            continue
        rows.append([
            TITLES[cell["builder"]], TITLES[cell["situation"]],
            both(cell, "cpu_ms", words.span), both(cell, "builder_cpu_ms", words.span),
            words.mebibytes(max(pair["gp-deliver"]["own_peak"] for pair in cell["rounds"])),
            both(cell, "largest_peak", words.mebibytes), both(cell, "sent", words.size), both(cell, "received", words.size),
            f"{cell['date']}, `{cell['commit']}`{'' if cell['quiet'] else ', preliminary'}",
        ])
    head = [
        "builder", "situation", "own processor time", "the builder's",
        f"own peak memory, goal {words.mebibytes(cells.MEMORY_GOAL)}", "largest process", "sent", "received", "measured",
    ]
    return table(head, rows)


def stages(cell):
    """gp-deliver's stages of the round that is shown, and what each has to do with the end."""
    steps, wall = cell["profile"]["gp-deliver"]["steps"], cell["rounds"][cells.middle(cell)]["gp-deliver"]["wall_ms"]
    path = dict(profile.critical(steps, wall))
    rows = []
    for step in steps:
        waited = f"{words.span(step['waited_ms'])} for {', '.join(step['waited_for'])}" if "waited_ms" in step else ""
        critical = words.span(path[step["name"]]) if step["name"] in path else ""
        rows.append([
            step["name"], words.span(step["started_ms"]), words.span(step["elapsed_ms"]), critical, waited, step.get("detail", ""),
        ])
    return table(["stage", "begins", "takes", "of it the end waits for", "waited before", "what it did"], rows)


def commands(cell):
    rows = [[step["name"], words.span(step["elapsed_ms"])] for step in cell["profile"]["script"]["steps"]]
    return table(["the script's command", "takes"], rows)


def programs(cell, side):
    """The processor time of each program, and the builder's."""
    told = [f"{each['name']} {words.span(each['cpu_ms'])}" for each in cell["profile"][side]["programs"] if each["cpu_ms"] >= 10]
    builder = cell["rounds"][cells.middle(cell)][side].get("builder_cpu_ms")
    return ", ".join([*told, *([f"the builder {words.span(builder)}"] if builder is not None else [])])


def floors(measured):
    """How far each cell is from a delivery that only builds."""
    rows = []
    for cell in measured:
        if "cannot" in cell:
            continue
        chosen = cell["rounds"][cells.middle(cell)]["gp-deliver"]["wall_ms"]
        parts = profile.by_part(cell["profile"]["gp-deliver"]["steps"], chosen)
        largest = sorted(((part, spent) for part, spent in parts.items() if spent), key=lambda pair: -pair[1])[:3]
        rows.append([
            TITLES[cell["builder"]], TITLES[cell["situation"]], words.span(cells.median(cell, "gp-deliver", "wall_ms")),
            words.span(cell["build_alone_ms"]), f"{cell['build_alone_ms'] / cells.median(cell, 'script', 'wall_ms'):.2f}",
            ", ".join(f"{part} {words.span(spent)}" for part, spent in largest),
        ])
    head = ["builder", "situation", "gp-deliver", "the build alone", "the least ratio that leaves", "the end waits longest for"]
    return table(head, rows)
