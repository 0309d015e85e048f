"""The bench of attacks, on a feedd of its own."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.live.daemon import ROOT


class AttacksTests(SynchronousTestCase):
    """``python -m bench attacks``."""

    def test_pipelined(self) -> None:
        """
        Ten connections of pipelined requests keep nobody waiting for seconds, as they did, nor does
        a peer that reads nothing cost memory.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "attacks.json"
            words = ["-m", "bench", "attacks", "--only", "status,inits", "--seconds", "2"]
            words += ["--recovery", "1", "--json", str(file)]
            subprocess.run([sys.executable, *words], cwd=ROOT, check=True)
            rows = json.loads(file.read_text())["rows"]
        for row in rows:
            self.assertGreater(row["during"]["posts"], 20)
            self.assertLess(row["during"]["p50_ms"], 1000)
            self.assertLess(row["memory"]["most_kib"] - row["memory"]["calm_kib"], 40_000)
