"""The example configuration."""

import re
import tomllib
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from feedd.config import SECTIONS, parse_config
from feedd.feed.settings import Config

EXAMPLE = Path(__file__).parents[2] / "etc/feedd.toml"

TAKEN_FROM_A_SITE = {
    "http.allowed_origins",
    "auth.mode",
    "auth.secret_file",
    "auth.backend_key_file",
    "store.url",
    "store.password_file",
    "broker.url",
    "cache.url",
}
"""Settings whose example is not their default; their comment says what the default is."""


class ExampleConfigTests(SynchronousTestCase):
    """``etc/feedd.toml``."""

    def setUp(self) -> None:
        self.text = EXAMPLE.read_text()
        self.tables = tomllib.loads(self.text)

    def test_is_a_configuration(self) -> None:
        """feedd takes it as it stands."""
        self.assertEqual(parse_config(self.text).auth.mode, "token")

    def test_names_every_setting(self) -> None:
        """Every setting of every section is there, in the order of the code."""
        named = {section: list(table) for section, table in self.tables.items()}
        known = {
            name: [field.name for field in msgspec.structs.fields(kind)]
            for name, kind in SECTIONS.items()
        }
        self.assertEqual(named, known)

    def test_shows_the_defaults(self) -> None:
        """Every value is the default, but for those that a site has to say."""
        differs = {
            f"{section}.{name}"
            for section, table in msgspec.structs.asdict(parse_config(self.text)).items()
            for name, value in msgspec.structs.asdict(table).items()
            if value != getattr(getattr(Config(), section), name)
        }
        self.assertEqual(differs, TAKEN_FROM_A_SITE)

    def test_tells_the_other_defaults(self) -> None:
        """Where the value is not the default, the comment above it names the default as TOML."""
        for name in TAKEN_FROM_A_SITE:
            with self.subTest(name):
                section, key = name.split(".")
                default = re.search(r"Default: (.+)\.$", self._comment(section, key))
                self.assertIsNotNone(default, name)
                assert default is not None
                value = tomllib.loads(f"value = {default[1]}")["value"]
                self.assertEqual(
                    parse_config(f"[{section}]\n{key} = {default[1]}"), Config(), value
                )

    def test_explains_every_setting(self) -> None:
        """Every setting has a comment above it."""
        for section, table in self.tables.items():
            for key in table:
                self.assertTrue(self._comment(section, key), f"{section}.{key}")

    def _comment(self, section: str, key: str) -> str:
        """The comment lines right above a setting, as one line."""
        lines = self.text.split(f"[{section}]\n", 1)[1].splitlines()
        end = next(index for index, line in enumerate(lines) if line.startswith(f"{key} ="))
        begin = end
        while begin and lines[begin - 1].startswith("#"):
            begin -= 1
        return " ".join(line.lstrip("# ") for line in lines[begin:end])
