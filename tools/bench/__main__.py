"""scripts/bench [figures | matrix … | quick | render …]"""

import argparse
import signal
import sys

from . import builders, images, situations


def names(table):
    return [each.name for each in table]


def parser():
    about = "Measures gp-deliver beside the script that users would otherwise write."
    top = argparse.ArgumentParser(prog="scripts/bench", description=about)
    commands = top.add_subparsers(dest="command")
    commands.add_parser("figures", help="single figures, each with a goal (the default)")
    matrix = commands.add_parser("matrix", help="builders × images × situations, into docs/performance.json and the page")
    matrix.add_argument("--builder", action="append", choices=names(builders.KINDS), help="only this one (repeatable)")
    matrix.add_argument("--image", action="append", choices=names(images.IMAGES), help="only this one (repeatable)")
    matrix.add_argument("--situation", action="append", choices=names(situations.SITUATIONS), help="only this one (repeatable)")
    matrix.add_argument("--rounds", type=int, default=3, help="pairs of each cell (default: 3)")
    matrix.add_argument("--quiet-machine", action="store_true", help="nothing else runs here: the figures are no preliminary ones")
    commands.add_parser("quick", help="a few cells on the engine that is there, beside the figures of the page: under 3 minutes")
    render = commands.add_parser("render", help="the page and its pictures, from docs/performance.json")
    render.add_argument("--to", metavar="FOLDER", help="a folder in place of docs")
    return top


def main():
    options = parser().parse_args()
    # So that what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Each imports only what it needs: the page is made where nothing is installed.
    if options.command == "matrix":
        from . import matrix, page

        try:
            matrix.main(options)
        finally:
            page.write()
    elif options.command == "quick":
        from . import quick

        quick.main()
    elif options.command == "render":
        from . import page

        page.write(options.to)
    else:
        from . import figures

        figures.main()


main()
