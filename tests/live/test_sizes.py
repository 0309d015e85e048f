"""``python -m bench sizes`` on this checkout: the whole daemon runs under a profile function."""

from twisted.trial.unittest import SynchronousTestCase

from bench.sizes import ROOT, hops

FEW = 100
"""More functions than on any path."""


class HopsTests(SynchronousTestCase):
    """The hops of the daemon as it is."""

    def test_paths(self) -> None:
        """Each path is found, with its ends: the broker's bytes, the socket, the parked poll."""
        found = hops(ROOT)
        self.assertEqual(set(found), {"fast", "plain"})
        for paths in found.values():
            for path in paths.values():
                self.assertTrue(0 < path["functions"] < FEW, path)
            names = paths["send"]["names"]
            self.assertTrue(any("amqp" in name and "dataReceived" in name for name in names), names)
            self.assertTrue(any(name.startswith("feedd.core.hub.") for name in names), names)
            self.assertTrue(any(".park" in name for name in paths["new"]["names"]), paths["new"])
        self.assertLess(found["fast"]["again"]["functions"], found["plain"]["again"]["functions"])
