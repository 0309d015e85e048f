"""Cursors and their text."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.cursor import MAX_HOLES, MAX_IDS, MAX_TEXT, BadCursor, Cursor, parse_cursor
from feedd.core.event import MAX_ID
from feedd.core.runs import runs_of, runs_of_spans

NAMES = st.text("abcXYZ019", min_size=1, max_size=16)
IDS = st.sets(st.integers(0, MAX_ID), min_size=1, max_size=MAX_IDS + 1)


class CursorTests(SynchronousTestCase):
    """`Cursor.text` and `parse_cursor`."""

    def test_text(self) -> None:
        """A cursor is spelled epoch, settled, ids and handle."""
        self.assertEqual(Cursor("k3", 1042, (1044, 1047), "9f2c").text(), "k3.1042.1044.1047~9f2c")

    def test_short_text(self) -> None:
        """Without ids and handle only epoch and settled are left."""
        self.assertEqual(Cursor("k3", 0).text(), "k3.0")

    @given(NAMES, IDS, NAMES | st.just(""), st.sets(st.integers(1, 400)))
    def test_round_trip(
        self, epoch: str, numbers: set[int], handle: str, missing: set[int]
    ) -> None:
        """Every cursor survives the way."""
        settled, *ids = sorted(numbers)
        holes = runs_of(id for id in missing if id <= settled)
        cursor = Cursor(epoch, settled, tuple(ids), handle, holes)
        self.assertEqual(parse_cursor(cursor.text()), cursor)

    def test_longest(self) -> None:
        """The longest cursor that is ever given out can be read again."""
        ids = tuple(2**53 - 1 - MAX_IDS + n for n in range(MAX_IDS))
        settled = ids[0] - 1
        holes = runs_of_spans(
            (settled - 3 * n - 1, settled - 3 * n) for n in reversed(range(MAX_HOLES))
        )
        cursor = Cursor("k" * 16, settled, ids, "h" * 32, holes)
        self.assertLess(len(cursor.text()), MAX_TEXT)
        self.assertEqual(parse_cursor(cursor.text()), cursor)

    def test_holes(self) -> None:
        """Holes stand between the watermark and the ids, runs of them by both ends."""
        holes = runs_of([1031, 1036, 1037, 1040])
        text = Cursor("k3", 1042, (1044, 1047), "9f2c", holes).text()
        self.assertEqual(text, "k3.1042-1031-1036_1037-1040.1044.1047~9f2c")
        self.assertEqual(parse_cursor(text).holes, holes)

    def test_wrong_holes(self) -> None:
        """Holes must ascend, be apart, and lie below the watermark."""
        for holes in ("-0", "-5-4", "-4-4", "-4-5", "-6_5", "-5_5_6", "-11", "-9_11", "-", "-4_"):
            with self.assertRaises(BadCursor, msg=holes):
                parse_cursor(f"k3.10{holes}.12")
        with self.assertRaises(BadCursor):
            parse_cursor("k3.999" + "".join(f"-{2 * n}" for n in range(1, MAX_HOLES + 2)))

    def test_more_ids_than_ever_given(self) -> None:
        """A cursor of more ids than feedd gives out is refused."""
        with self.assertRaises(BadCursor):
            parse_cursor("k3." + ".".join(map(str, range(MAX_IDS + 2))))

    def test_too_long(self) -> None:
        """A text longer than any cursor is refused without a look at it."""
        with self.assertRaises(BadCursor):
            parse_cursor("k3.1." + "0" * MAX_TEXT + "2")

    def test_malformed(self) -> None:
        """A cursor cut in half, or of any other form, is refused."""
        for text in (
            "", "k3", "k3.", ".1", "k3.1.", "k3.1..2", "k3.-1", "k3.1~", "k3.x", "k 3.1",
            "k3.1~a~b", "k3.1\n", "k3.1~a\n",
            "k3.1.2 ",
            "k3.٣", "k3.1~é", "k3.1~" + "a" * 33, "k" * 17 + ".1", "k3." + "1" * 19, "\0",
            "k3.+1", "k3.1e3", "k3.0x1",
        ):  # fmt: skip
            with self.assertRaises(BadCursor, msg=text):
                parse_cursor(text)

    def test_ids_that_are_too_large(self) -> None:
        """No id is above what a JavaScript number can tell from its neighbours."""
        self.assertEqual(parse_cursor(f"k3.5.{MAX_ID}").ids, (MAX_ID,))
        for text in (f"k3.{MAX_ID + 1}", f"k3.5.{MAX_ID + 1}", "k3.5." + "9" * 18):
            with self.assertRaises(BadCursor, msg=text):
                parse_cursor(text)

    def test_ids_that_do_not_ascend(self) -> None:
        """Ids that repeat, descend or begin below settled are refused."""
        for text in ("k3.5.5", "k3.5.4", "k3.5.7.6", "k3.5.7.7"):
            with self.assertRaises(BadCursor, msg=text):
                parse_cursor(text)
