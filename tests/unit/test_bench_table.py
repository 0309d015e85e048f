"""From the documents of a run to lines and tables."""

from pathlib import Path
from typing import Any

from docutils.core import publish_doctree
from twisted.trial.unittest import SynchronousTestCase

from bench import series, table
from bench.measured import Measured, against, row

MACHINE = {
    "processor": "a processor",
    "cores": 2,
    "kernel": "6",
    "python": "3.11",
    "twisted": "26.10",
}


def fanout(turns: int, *sizes: tuple[int, dict[str, float]]) -> dict[str, Any]:
    """A document with these sizes and the `last` of each peer."""
    found = []
    for conns, lasts in sizes:
        measured = {
            name: [Measured([last], last / 2, 20.0, 5.0, 1.0, 0, deliver_us=9, poll_us=11)]
            for name, last in lasts.items()
        }
        ratios = {
            name: {key: value._asdict() for key, value in of.items()}
            for name, of in against(measured, "nchan").items()
        }
        found.append(
            {
                "conns": conns,
                "peers": {name: row(of) for name, of in measured.items()},
                "against": ratios,
            }
        )
    about = {
        "benchmark": "fanout",
        "machine": MACHINE,
        "generator": "C",
        "rounds": 10,
        "turns": turns,
    }
    return about | {"reference": "nchan", "sizes": found, "unevenness": {}}


class SeriesTests(SynchronousTestCase):
    """Lines."""

    def test_last(self) -> None:
        """The points of all fan-out documents, in order; the one with more turns wins."""
        documents = {
            "fanout": fanout(3, (5000, {"nchan": 60.0, "feedd": 70.0})),
            "series": fanout(1, (1000, {"feedd": 15.0}), (5000, {"feedd": 99.0})),
            "rate": {"benchmark": "rate"},
        }
        self.assertEqual(
            series.last_of(documents),
            {"feedd": [(1000, 15.0), (5000, 70.0)], "nchan": [(5000, 60.0)]},
        )

    def test_latencies(self) -> None:
        """A rate at which something was lost is left out."""
        rows = [
            {"rate": 10, "sent": 50, "missing": 0, "p50_ms": 2.0},
            {"rate": 99, "sent": 50, "missing": 1, "p50_ms": 2.0},
        ]
        self.assertEqual(
            series.latencies({"peers": {"nchan": rows}}, "p50_ms"), {"nchan": [(10, 2.0)]}
        )

    def test_memory(self) -> None:
        """MiB that the process has grown by."""
        rows = [
            {"name": "nchan", "polls": 100, "before_kib": 1024, "parked_kib": 3072, "kib": 20.48}
        ]
        self.assertEqual(series.memory({"rows": rows}), {"nchan": [(100, 2.0)]})

    def test_ranked(self) -> None:
        """feedd first, strangers last."""
        self.assertEqual(series.ranked(["else", "nchan", "feedd"]), ["feedd", "nchan", "else"])

    def test_labels_apart(self) -> None:
        """Labels that would touch move, around where they belong; the others stay."""
        self.assertEqual(series.apart([100.0, 10.0, 12.0], 10.0), [100.0, 6.0, 16.0])
        self.assertEqual(series.apart([0.0, 50.0], 10.0), [0.0, 50.0])
        self.assertEqual(series.apart([10.0, 12.0, 21.0], 10.0), [43 / 3 - 10, 43 / 3, 43 / 3 + 10])


class TableTests(SynchronousTestCase):
    """reStructuredText."""

    def test_table(self) -> None:
        """Columns are as wide as their longest cell; no cell is empty."""
        lines = ["=====  =", "peer   x", "=====  =", "feedd  1", "-      2", "=====  ="]
        self.assertEqual(table.table(["peer", "x"], [["feedd", "1"], ["", "2"]]), "\n".join(lines))

    def test_number(self) -> None:
        """Three digits are enough."""
        self.assertEqual(
            [table.number(value) for value in (0.123, 12.345, 123.4, 15000, 3.0)],
            ["0.12", "12.3", "123", "15,000", "3"],
        )

    def test_fanout(self) -> None:
        """A table for each size, with the ratios to the reference."""
        text = table.tables({"fanout": fanout(3, (1000, {"feedd": 16.0, "nchan": 20.0}))})["fanout"]
        self.assertIn("1,000 polls:", text)
        line = next(line for line in text.splitlines() if line.startswith("feedd"))
        self.assertIn("0.80 (0.80-0.80)", line)
        self.assertIn("9 + 11", line)

    def test_series(self) -> None:
        """A column for each size; a peer that was not measured there has none."""
        text = table.tables(
            {"series": fanout(2, (1000, {"feedd": 16.0}), (5000, {"feedd": 70.0, "floor": 60.0}))}
        )["series"]
        self.assertIn("floor   -      60     0", text)

    def test_other_documents(self) -> None:
        """Rows of numbers, whatever they are called."""
        text = table.tables(
            {"storm": {"clients": 5000, "storms": [{"parked_s": 1.5, "asked": {"select": 7}}]}}
        )["storm"]
        self.assertIn("parked s      1.50", text)
        self.assertIn("asked select  7", text)

    def test_messages(self) -> None:
        """A row for each kind of AMQP message."""
        rows = {
            "miss": {"us": 8.5, "us_low": 8.0, "us_high": 9.0},
            "hit": {"us": 30.0, "us_low": 28.0, "us_high": 31.0},
        }
        text = table.tables({"amqp": {"bytes": 200, "turns": 3, "rows": rows}})["amqp"]
        self.assertIn("somebody does                 30       28-31", text)

    def test_well_formed(self) -> None:
        """docutils sees tables."""
        text = table.tables({"fanout": fanout(3, (1000, {"feedd": 16.0, "nchan": 20.0}))})["fanout"]
        tree = publish_doctree(
            text, settings_overrides={"halt_level": 2, "report_level": 2, "warning_stream": False}
        )
        self.assertEqual(len(list(tree.findall(lambda node: node.tagname == "table"))), 1)

    def test_the_document_has_the_marks(self) -> None:
        """docs/performance.rst has a place for every table."""
        text = (Path(__file__).parents[2] / "docs/performance.rst").read_text()
        filled = table.filled(text, dict.fromkeys(table.TABLES, "HERE"))
        self.assertEqual(filled.count("HERE"), len(table.TABLES))

    def test_filled(self) -> None:
        """What stood between the marks is replaced, again and again; the rest stays."""
        text = (
            "A\n\n.. begin rate\n\nold\n\n.. end rate\n\nB\n\n.. begin idle\n\nkept\n\n.. "
            "end idle\n"
        )
        once = table.filled(text, {"rate": "new \\1", "more": "x"})
        self.assertEqual(once, text.replace("old", "new \\1"))
        self.assertEqual(table.filled(once, {"rate": "old"}), text)
