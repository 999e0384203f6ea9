"""Pictures of the figures: bars in SVG, readable on a light page and on a dark one."""

from xml.sax.saxutils import escape

from . import builders, cells, profile, situations, words

COLOURS = {
    "secrets": "#cc79a7", "build": "#0072b2", "vulnerabilities": "#e69f00", "SBOM": "#009e73", "publish": "#56b4e9", "rest": "#949494",
}
STYLE = """\
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.title { font-size: 13px; font-weight: 600 }
.quiet { fill: #59636e }
.axis { stroke: #59636e; stroke-width: 1; stroke-opacity: .4 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #9198a1 } }
"""
WIDTH, LEFT, RIGHT = 880, 220, 150
BAR, GAP = 13, 9


class Drawing:
    """Elements from top to bottom."""

    def __init__(self, title):
        self.title, self.parts, self.y = title, [], 0

    def text(self, x, y, text, kind="", anchor="start"):
        kind = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text x="{x:.0f}" y="{y:.0f}"{kind} text-anchor="{anchor}">{escape(text)}</text>')

    def bar(self, x, width, colour, told):
        self.parts.append(
            f'<rect x="{x:.1f}" y="{self.y}" width="{width:.1f}" height="{BAR}" fill="{colour}"><title>{escape(told)}</title></rect>'
        )

    def line(self, y, until):
        self.parts.append(f'<line class="axis" x1="{LEFT}" y1="{y}" x2="{LEFT}" y2="{until}"/>')

    def svg(self):
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.y}" viewBox="0 0 {WIDTH} {self.y}" role="img">\n'
            f"<title>{escape(self.title)}</title>\n<style>\n{STYLE}</style>\n{body}\n</svg>\n"
        )


def of_image(image, measured):
    """Two bars for each cell of an image: gp-deliver's time and the script's, each divided by what the time goes to."""
    drawing = Drawing(f"{image.title}: gp-deliver beside the script")
    longest = max((walls(cell)[side] for cell in measured if "cannot" not in cell for side in cells.SIDES), default=1)
    scale = (WIDTH - LEFT - RIGHT) / longest
    legend(drawing)
    for situation in situations.SITUATIONS:
        rows = [cell for cell in measured if cell["situation"] == situation.name]
        if rows:
            drawing.y += 24
            drawing.text(0, drawing.y, situation.title, "title")
            drawing.y += 10
            top = drawing.y
            for cell in rows:
                pair(drawing, cell, scale)
            drawing.line(top, drawing.y - GAP)
    return drawing.svg()


def legend(drawing):
    x = 0
    for part, colour in COLOURS.items():
        drawing.y = 4
        drawing.bar(x, BAR, colour, part)
        drawing.text(x + BAR + 5, 15, part)
        x += 40 + 7 * len(part)
    drawing.y = 20


def walls(cell):
    chosen = cell["rounds"][cells.middle(cell)]
    return {side: chosen[side]["wall_ms"] for side in cells.SIDES}


def pair(drawing, cell, scale):
    builder = next(kind.title for kind in builders.KINDS if kind.name == cell["builder"])
    if "cannot" in cell:
        drawing.text(LEFT - 8, drawing.y + 11, builder, anchor="end")
        drawing.text(LEFT + 6, drawing.y + 11, f"can't: {cell['cannot']}", "quiet")
        drawing.y += BAR + GAP
        return
    drawing.text(LEFT - 8, drawing.y + BAR + 5, builder, anchor="end")
    for side in cells.SIDES:
        wall, x = walls(cell)[side], LEFT
        for part, spent in profile.by_part(cell["profile"][side]["steps"], wall).items():
            if spent:
                drawing.bar(x, spent * scale, COLOURS[part], f"{side}: {part} {words.span(spent)}")
                x += spent * scale
        ratio = f", {cells.ratio(cell):.2f} of it" if side == "gp-deliver" else ""
        drawing.text(x + 6, drawing.y + 11, f"{side} {words.span(wall)}{ratio}", "quiet" if side == "script" else "")
        drawing.y += BAR + 1
    drawing.y += GAP - 1
