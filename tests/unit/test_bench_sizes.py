"""The sizes of source files, and the profile function that counts hops."""

import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bench.calls import Calls
from bench.sizes import further, hops_table, sizes, table

SOURCE = '''"""A module."""

def f(x):
    """Promise."""
    # why
    if x:
        return 1
    return 2


class C:
    async def g(self): pass  # here too


TEXT = "# no comment"
'''


class SizeTests(SynchronousTestCase):
    """Lines, statements and comments."""

    def test_functions(self) -> None:
        """Lines count the docstring, statements do not."""
        found = sizes([SOURCE, "x = 1\n"])
        self.assertEqual(
            (found.files, found.functions, found.statements), ([15, 1], [6, 1], [3, 1])
        )

    def test_comments(self) -> None:
        """A number sign in a string is none."""
        self.assertEqual(sizes([SOURCE]).comments, 2)

    def test_table(self) -> None:
        """A line for each figure; a checkout without code has one too."""
        self.assertIn("2 files, 16 lines, 2 functions; 2 comments", table(sizes([SOURCE, "x = 1"])))
        self.assertIn("0 files", table(sizes([])))


class HopTests(SynchronousTestCase):
    """What is called."""

    def calls(self, source: str, name: str = "feedd.sample") -> Calls:
        """What is called when `run` of a module with this source is."""
        module: dict[str, Any] = {"__name__": name}
        exec(source, module)
        found = Calls()
        sys.setprofile(found)
        try:
            module["run"]()
        finally:
            sys.setprofile(None)
        return found

    def test_order(self) -> None:
        """Each function once, in the order of the first calls, with how often."""
        found = self.calls("def a(): b(); c()\ndef b(): c()\ndef c(): pass\ndef run(): a()\n")
        self.assertEqual(
            [(name.removeprefix("feedd.sample."), calls) for name, calls in found.calls.items()],
            [("run", 1), ("a", 1), ("b", 1), ("c", 2)],
        )
        self.assertEqual((found.deepest, found.stack), (4, []))

    def test_others(self) -> None:
        """Functions of other packages, and comprehensions, are no hops."""
        self.assertFalse(self.calls("def run(): pass\n", "feeddish.sample").calls)
        found = self.calls("def run(): return [x for x in (1, 2)], len([])\n")
        self.assertEqual(list(found.calls), ["feedd.sample.run"])

    def test_exception(self) -> None:
        """A function that raises has ended too."""
        found = self.calls(
            "def a(): raise KeyError\ndef run():\n try: a()\n except KeyError: pass\n"
        )
        self.assertEqual((found.stack, found.deepest), ([], 2))

    def test_table(self) -> None:
        """A line for each path, and what each further listener costs."""
        path = {"functions": 42, "calls": 45, "deepest": 8, "listeners": 1}
        crowd = {"functions": 43, "calls": 165, "deepest": 8, "listeners": 11}
        paths = {"send": path, "new": path, "again": path, "crowd": crowd}
        self.assertEqual(further(paths), 12.0)
        lines = hops_table({"fast": paths}).splitlines()
        self.assertEqual(lines[1].split()[-3:], ["42", "45", "8"])
        self.assertEqual((len(lines), lines[-1].split()[-1]), (5, "12.0"))
