"""The formats of friend lists, and the values of other clients that are none."""

import json
import zlib

import phpserialize
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.cache.formats import MAX_SLOW_BYTES, MAX_VALUE_BYTES, users_in
from feedd.core.counters import Counters
from feedd.core.event import is_user

NAMES = st.lists(
    st.integers(0, 10**18) | st.text(max_size=6) | st.text("abcXYZ019_-", min_size=1, max_size=70)
)


def php(names: list[object]) -> bytes:
    """What PHP's serialize() makes of this list."""
    made: bytes = phpserialize.dumps(names)
    return made


class FormatCase(SynchronousTestCase):
    """Values, and what is in them."""

    def users(self, value: bytes, form: str, flags: int = 0) -> set[str] | None:
        found = users_in(value, flags, form, Counters())
        return None if found is None else set(found.users)

    def refused(self, value: bytes, form: str, flags: int = 0) -> list[str]:
        """The counters of a value that is no list."""
        counters = Counters()
        self.assertEqual((value[:20], users_in(value, flags, form, counters)), (value[:20], None))
        return list(counters.snapshot())


class Lists(FormatCase):
    """What is taken."""

    def test_each_format(self) -> None:
        """A list is read in its format: names once each, numbers as names."""
        expected = {"bob", "17", "Cid_-"}
        for form, value in {
            "json": b' ["bob", 17, "Cid_-", "bob"]',
            "php": b'a:4:{i:0;s:3:"bob";i:1;i:17;i:5;s:5:"Cid_-";i:9;s:3:"bob";}',
            "comma": b" bob,17, Cid_- ,bob",
        }.items():
            self.assertEqual((form, self.users(value, form)), (form, expected))

    def test_empty(self) -> None:
        """An empty list is a list."""
        for form, value in {"json": b"[]", "php": b"a:0:{}", "comma": b" "}.items():
            self.assertEqual(users_in(value, 0, form, Counters()), (frozenset(), 0))

    def test_left_out(self) -> None:
        """Names that are no users are left out, and counted, each."""
        for form, value in {
            "json": '["bob","b o b","é",""]'.encode(),
            "php": php(["bob", "b o b", "é", ""]),
            "comma": "bob,b o b,é,".encode(),
        }.items():
            self.assertEqual((form, users_in(value, 0, form, Counters())), (form, ({"bob"}, 3)))

    @given(NAMES)
    def test_any_names(self, names: list[object]) -> None:
        """
        The pattern for PHP's lists and phpserialize agree with each other and with JSON, whatever
        the names are.
        """
        users = {str(name) for name in names if is_user(str(name))}
        odd = [*names, 'a "quoted" name']  # which the pattern does not take
        for form, value in (
            ("php", php(names)),
            ("php", php(odd)),
            ("json", json.dumps(odd).encode()),
        ):
            self.assertEqual(
                self.users(value, form), users or (None if value != b"a:0:{}" else set())
            )


class Refused(FormatCase):
    """What is no list."""

    def test_other_formats(self) -> None:
        """A list of another format is unreadable, and never an empty list."""
        lists = {"json": b'["bob"]', "php": php(["bob"]), "comma": b"bob,cid"}
        for form in lists:
            for other, value in lists.items():
                if other != form:
                    self.assertEqual(self.refused(value, form), ["cache_unreadable"])

    def test_no_lists(self) -> None:
        """Nor are other values, references, maps, nested lists, and what is cut or goes on."""
        values = [
            b"",
            b"N;",
            b"b:1;",
            b"a:",
            b'a:1:{i:0;s:3:"bob";',
            b'a:2:{i:0;s:3:"bob";}',
            b'a:1:{i:0;s:4:"bob";}',
            b'a:1:{i:0;s:3:"bob";}a:0:{}',
            b'a:1:{i:0;s:3:"b"b";}x',
            b'a:1:{s:3:"bob";i:1766000000;}',
            b'a:2:{i:0;s:3:"bob";i:1;b:1;}',
            b'a:2:{i:0;s:3:"bob";i:1;N;}',
            b'a:2:{i:0;s:3:"bob";i:1;d:1;}',
            b'a:2:{i:0;s:3:"bob";i:1;R:2;}',
            b'a:2:{i:0;s:3:"bob";i:1;a:0:{}}',
            b'a:1:{i:0;s:1:"\xff";}',
            b'O:8:"stdClass":1:{s:3:"bob";i:1;}',
            b'a:1:{i:0;O:8:"stdClass":0:{}}',
            b'a:1:{i:0;C:5:"Evil1":0:{}}',
            b'b"bob',
        ]
        for value in values:
            self.assertEqual((value, self.refused(value, "php")), (value, ["cache_unreadable"]))

    def test_hostile(self) -> None:
        """Depth, counts and lengths that are not there cost nothing, and raise nothing else."""
        nines = b"9" * 5000
        for value in (
            b"a:1:{i:0;" * 7000,
            b"[" * 9000,
            b"a:1000000000:{}",
            b'a:9999999:{i:0;s:1:"a";}',
            b"a:%s:{}" % nines,
            b'a:1:{i:0;s:%s:"a";}' % nines,
            b'a:1:{i:0;s:%s:"a";}' % nines[:30],
            b'a:1:{i:0;s:-1:"a";}',
            b"a:1:{i:0;i:%s;}" % nines,
            b"a:1:{i:" + b"x" * 60_000,
        ):
            for form in ("php", "json"):
                self.assertEqual(
                    (value[:20], self.refused(value, form)), (value[:20], ["cache_unreadable"])
                )

    def test_control_characters(self) -> None:
        """Text with control characters, or that is no UTF-8, is no list of names."""
        for value in (b"bob,\x00cid", b"bob,cid\n", b"bob,\xff"):
            self.assertEqual(self.refused(value, "comma"), ["cache_unreadable"])

    def test_bounds(self) -> None:
        """Too large a value is not read; phpserialize is given much less than the pattern."""
        names = ["bob"] * 100_000
        self.assertEqual(
            self.refused(b"bob," * (MAX_VALUE_BYTES // 4) + b"b", "comma"), ["cache_too_large"]
        )
        self.assertEqual(self.users(php(names[:50_000]), "php"), {"bob"})
        odd = php([*names[: MAX_SLOW_BYTES // 16], 'o"d'])
        self.assertEqual(self.refused(odd, "php"), ["cache_unreadable"])
        self.assertEqual(self.users(php([*names[:2000], 'o"d']), "php"), {"bob"})


class Flags(FormatCase):
    """What other clients say about their values."""

    def test_compressed(self) -> None:
        """php-memcached's zlib and fastlz, and php-memcache's zlib, are known as compressed."""
        packed = zlib.compress(php(["bob"]))
        for flags in (0x10 | 0x20 | 4, 0x10 | 0x40 | 4, 0x10 | 0x20, 0x02, 0x03):
            for form in ("json", "php", "comma"):
                value = packed if flags < 4 else b"\x14\0\0\0" + packed
                self.assertEqual(
                    (flags, self.refused(value, form, flags)), (flags, ["cache_compressed"])
                )

    def test_plain(self) -> None:
        """Other flags say nothing about what can be read."""
        for flags in (0, 1, 2, 3, 4, 5, 6, 0x10, 0x0100, 0x0300):
            self.assertEqual(self.users(b'["bob"]', "json", flags), {"bob"})
