"""docs/performance.md and its pictures, made from docs/performance.json."""

import pathlib

from . import ROOT, cells, images, picture, situations, table

INTRODUCTION = """\
# What a delivery costs

<!-- Made by `scripts/bench render` from performance.json; what is changed here by hand is lost. -->

`gp-deliver` beside the script that one would otherwise write (gitleaks, buildx, trivy, syft, `docker push` or crane), on one machine, in turns. The figure in bold is the part of the script's time that a delivery takes, the median of pairs: 0.50 is half of it. In brackets are the median times of both. [How it is measured](#how-it-is-measured) says what each side does.
"""

REASONS = """\
### syft

Most of what a delivery waits for once the image is there is syft. Of 2.4 s of a processor that it takes for the image of 620 MB (version 1.52 on two processors, by samples of its stacks), a third goes into unpacking the layers to its temporary folder, a third into making 200 licenses an automaton, which it does anew at each start and for which it looks through the texts of Debian's packages, and a twentieth into freeing memory. All catalogers of packages together take 0.2 s. So none is left out by what another scanner has seen: that would win less than it could cost, a package that is in no SBOM. syft and trivy free memory less often than Go would by itself (`GOGC=400`), which takes an eighth off their time and adds 150 MB to what they hold.

### Dates

With a buildkitd, and with Docker's containerd store, the files of an image's own layers are dated, each layer by the last commit that changed what it is made from, so that two machines come to the same image (`reproducible`, on by default). Another commit leaves the others as they are. The files are dated here and not by the builder, whose exporter knows one date for all: with it, each commit sent all of an image's own layers anew, 400 MB of the image of 620 MB.

"""

MEASURED = """\
## How it is measured

`make bench-matrix` measures all of this anew, `scripts/bench matrix --builder … --image … --situation …` a part of it; `make bench-quick` compares a few cells with this page in 3 minutes.

- **A round** is a pair: both sides deliver as much, one after the other, and the next round begins with the other one. Each side has a registry, a source in git, and a home folder of its own; what it builds has random bytes that the other side's has not, so neither profits from the other.
- **The builders** are started for a cell with nothing in them, and are nobody else's. Before a round that is measured, each side has delivered the demo app once (not on an empty machine): the base image, the vulnerability database and what the programs keep are there.
- **The script** runs `gitleaks dir`, `gitleaks git`, `docker buildx build`, `trivy image`, `syft scan` (SPDX and CycloneDX), and pushes. With an engine it builds with `--load`, scans the engine's image and uses `docker push`. With a buildkitd alone it exports once to a layout folder, scans that, and pushes with `crane`. trivy and syft keep their caches between rounds. With a remote cache it has `--cache-from` and `--cache-to type=registry,mode=max`; `gp-deliver` has `cache: registry`.
- **The time** is the wall clock's, from the start of the first program to the end of the last.
- **Own processor time** and **the largest process** are what the kernel says of processes when they end (`wait4`), with the programs that they started. **The builder's** processor time is the difference of `/proc/PID/stat` of its daemon and all below it. **Own peak memory** is that of gp-deliver's two processes together, without the scanners.
- **Bytes** are counted by the kernel's packet filter on the loopback, between all programs and the registries: the destination, the build cache, and where base images and databases come from.
- **The build alone** is `docker buildx build` of the same change, to nowhere. No delivery that builds there takes less.

What it does not show: the registry is on the same machine, so a slow line adds to both sides what it takes for the bytes of the table. The vulnerability database is the small one of the project's tests; a real one is much larger, and an empty machine fetches it, for both sides. Nothing is signed.

"""


def paragraph(*lines):
    return "\n".join(lines) + "\n\n"


def of_image(image, measured):
    rows = [cell for cell in measured if cell["image"] == image.name]
    return rows, [cell for cell in rows if "cannot" not in cell]


def preliminary(measured):
    noisy = [cell for cell in measured if not cell.get("quiet", True)]
    if not noisy:
        return ""
    count = f"{len(noisy)} of {len(measured)} cells were" if len(measured) > 1 else "The only cell was"
    return paragraph(f"> **Preliminary:** {count} measured while the machine had other work; such figures say little.")


def where_it_goes(image, rows):
    text = ""
    for cell in rows:
        title = f"{image.title}, {table.TITLES[cell['builder']]}, {table.TITLES[cell['situation']]}"
        text += f"<details>\n<summary>{title}</summary>\n\n{table.stages(cell)}\n"
        text += paragraph(f"Processors: {table.programs(cell, 'gp-deliver')}.")
        text += f"{table.commands(cell)}\n"
        text += paragraph(f"Processors: {table.programs(cell, 'script')}.") + "</details>\n\n"
    return text


def machines(measured):
    """What was measured where, each machine once."""
    lines = {}
    for cell in measured:
        if "cannot" in cell:
            continue
        at = cell["machine"]
        tools = ", ".join(f"{tool} {version}" for tool, version in at["tools"].items())
        line = f"{at['processors']} processors ({at['model']}), {at['memory_gib']} GiB of memory, Linux {at['kernel']}; {tools}"
        builder = f"{table.TITLES[cell['builder']]}: {at['builder']}"
        lines.setdefault(line, dict())[builder] = True
    return "".join(f"- {line}; {'; '.join(found)}\n" for line, found in lines.items())


def text(measured):
    shown = [(image, *of_image(image, measured)) for image in images.IMAGES]
    shown = [each for each in shown if each[1]]
    page = f"{INTRODUCTION}\n{preliminary(measured)}## How long it takes\n\n"
    page += "".join(f"- **{situation.title}**: {situation.says}\n" for situation in situations.SITUATIONS) + "\n"
    for image, rows, _ in shown:
        page += f"### {image.title[0].upper()}{image.title[1:]}\n\n{table.ratios(rows)}\n"
    page += "## In pictures\n\n" + paragraph("One round of each cell, the one in the middle; each bar is divided by what its end waits for.")
    for image, _, figures in shown:
        if figures:
            page += paragraph(f"**{image.title[0].upper()}{image.title[1:]}**", "", f"![{image.title}](performance/{image.name}.svg)")
    page += "## What it takes of the machine\n\n" + paragraph("`gp-deliver` / the script.")
    for image, _, figures in shown:
        if figures:
            page += f"### {image.title[0].upper()}{image.title[1:]}, in figures\n\n{table.machine(figures)}\n"
    page += "## Where the time goes\n\n" + paragraph(
        "Stages run side by side, so their times add up to more than the whole; what the end waits for adds up to it."
        " Processor time of programs is sampled, so that of very short ones is missing."
    )
    for image, _, figures in shown:
        page += where_it_goes(image, figures)
    page += "## The floor\n\n" + paragraph(
        "What is left where everything but the build is free: the build alone, and what the script's time would then be divided by."
    )
    for image, _, figures in shown:
        if figures:
            page += f"### {image.title[0].upper()}{image.title[1:]}, at least\n\n{table.floors(figures)}\n"
    return page + REASONS + MEASURED + paragraph("Measured on:", "", machines(measured).rstrip())


def files(measured):
    """Each file of the page by its path in docs."""
    made = {"performance.md": text(measured).rstrip() + "\n"}
    for image in images.IMAGES:
        rows, figures = of_image(image, measured)
        if figures:
            made[f"performance/{image.name}.svg"] = picture.of_image(image, rows)
    return made


def write(to=None):
    folder = pathlib.Path(to) if to else ROOT / "docs"
    made = files(cells.load())
    for name, content in made.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    for picture_file in (folder / "performance").glob("*.svg"):
        if f"performance/{picture_file.name}" not in made:
            picture_file.unlink()
