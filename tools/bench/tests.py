"""What the figures are made into, tried on made-up ones: `PYTHONPATH=tools python3 -m unittest bench.tests`."""

import json
import sys
import unittest
import xml.etree.ElementTree

from . import cells, measure, page, profile, quick


class Nowhere:
    process = None


def took(wall, **others):
    return {"wall_ms": wall, "cpu_ms": wall, "builder_cpu_ms": 5, "largest_peak": 1 << 20, "sent": 10, "received": 2000, **others}


def cell(*walls, builder="buildkitd", situation="first", image="620mb", quiet=True):
    """With a pair of times for each round."""
    steps = [
        {"name": "build", "started_ms": 0, "elapsed_ms": 50},
        {"name": "sbom", "started_ms": 40, "elapsed_ms": 50, "detail": "a | b"},
    ]
    return {
        "builder": builder, "image": image, "situation": situation, "date": "2026-11-28", "commit": "abc", "quiet": quiet,
        "machine": {"processors": 2, "model": "x", "memory_gib": 8, "kernel": "6.1", "builder": "1", "tools": {"trivy": "1"}},
        "build_alone_ms": 10,
        "rounds": [{"gp-deliver": took(ours, own_peak=1 << 25), "script": took(theirs)} for ours, theirs in walls],
        "profile": {side: {"steps": steps, "programs": [{"name": "syft", "cpu_ms": 20}]} for side in cells.SIDES},
    }


class Figures(unittest.TestCase):
    def test_the_ratio_is_the_median_of_pairs_and_not_of_times(self):
        # The medians of the times are 100 and 200.
        measured = cell((100, 400), (300, 200), (50, 100))
        self.assertEqual(cells.ratio(measured), 0.5)
        self.assertEqual(cells.middle(measured), 2)

    def test_a_cell_that_is_measured_again_takes_the_place_of_the_one_before(self):
        first, second = cell((1, 2)), cell((1, 4))
        other = cell((1, 2), builder="graph-driver")
        self.assertEqual(cells.merge(cells.merge(cells.merge([], first), other), second), [other, second])

    def test_the_file_reads_back_the_same(self):
        measured = {"cells": [cell((100, 200)), {"cannot": "of a reason that is long " * 10}]}
        self.assertEqual(json.loads(cells.lines(measured)), measured)

    def test_the_parts_of_the_time_add_up_to_it(self):
        steps = [
            {"name": "preflight", "started_ms": 10, "elapsed_ms": 20},
            {"name": "secrets", "started_ms": 30, "elapsed_ms": 40},
            {"name": "build", "started_ms": 30, "elapsed_ms": 100},
            {"name": "sbom", "started_ms": 135, "elapsed_ms": 60},
            {"name": "vulnerabilities", "started_ms": 135, "elapsed_ms": 10},
            {"name": "publish", "started_ms": 195, "elapsed_ms": 3},
        ]
        path = profile.critical(steps, 200)
        expected = [
            ("rest", 10), ("preflight", 20), ("build", 100), ("rest", 5), ("sbom", 60), ("publish", 3), ("rest", 2),
        ]
        self.assertEqual(path, expected)
        self.assertEqual(profile.by_part(steps, 200), {
            "secrets": 0, "build": 100, "vulnerabilities": 0, "SBOM": 60, "publish": 3, "rest": 37,
        })


class Page(unittest.TestCase):
    def test_a_preliminary_figure_says_so(self):
        self.assertIn("**Preliminary:** 1 of 2 cells", page.text([cell((1, 2), quiet=False), cell((1, 2), situation="label")]))
        self.assertNotIn("reliminary", page.text([cell((1, 2))]).split("## How it is measured")[0])

    def test_a_goal_that_is_missed_says_so(self):
        self.assertIn("goal 0.25)", page.text([cell((25, 100))]))
        self.assertIn("goal 0.25: **missed**)", page.text([cell((26, 100))]))

    def test_what_cannot_be_measured_says_why(self):
        cannot = {"builder": "graph-driver", "image": "620mb", "situation": "empty", "cannot": "it has no export"}
        made = page.files([cell((1, 2)), cannot])
        self.assertIn("can't: it has no export", made["performance.md"])
        self.assertIn("can't: it has no export", made["performance/620mb.svg"])

    def test_text_of_others_breaks_no_table_and_no_picture(self):
        made = page.files([cell((100, 200))])
        self.assertIn("a \\| b", made["performance.md"])
        for name, content in made.items():
            if name.endswith(".svg"):
                xml.etree.ElementTree.fromstring(content)


class Quick(unittest.TestCase):
    def test_only_a_ratio_that_is_half_as_much_again_is_told_as_worse(self):
        known = cell((50, 100))
        self.assertEqual(quick.judged(cell((75, 100)), known)[1], False)
        told, worse = quick.judged(cell((76, 100)), known)
        self.assertTrue(worse)
        self.assertIn("REGRESSION? It was 0.50 on 2026-11-28", told)

    def test_a_cell_that_was_never_measured_is_no_regression(self):
        self.assertEqual(quick.judged(cell((75, 100)), None)[1], False)


class Measurement(unittest.TestCase):
    def test_the_processor_time_is_that_of_all_processes_below(self):
        # The one below it takes 300 ms of a processor, however long that may last.
        work = "import time\nwhile time.process_time() < 0.3: pass"
        above = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}], check=True)"
        measurement = measure.Measurement(Nowhere, None, {})
        measurement.run("above", sys.executable, "-c", above)
        measured = measurement.end()
        self.assertGreaterEqual(measured["cpu_ms"], 300)
        self.assertEqual([step["name"] for step in measured["steps"]], ["above"])

    def test_a_command_that_fails_says_what_it_said(self):
        measurement = measure.Measurement(Nowhere, None, {})
        with self.assertRaisesRegex(measure.Failed, "(?s)ended with 3.*no such thing"):
            measurement.run("fails", sys.executable, "-c", "import sys; print('no such thing'); sys.exit(3)")


if __name__ == "__main__":
    unittest.main()
