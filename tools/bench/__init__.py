"""What a delivery costs, beside the script that users would otherwise write.

`figures` has single figures, each with a goal. `matrix` measures cells (a builder, an image, a situation) and keeps them in
docs/performance.json, of which `page` makes docs/performance.md and its pictures. `quick` compares a few cells with those.
"""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "target/bench"
