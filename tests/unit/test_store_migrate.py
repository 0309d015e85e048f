"""The files of the schema."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.store.database.migrate import statements


class StatementTests(SynchronousTestCase):
    """`statements`."""

    def test_a_file_of_statements(self) -> None:
        """
        A statement ends with a semicolon at a line's end; comments and empty lines are nothing.
        """
        text = "-- a; comment;\nCREATE a (\n  b  -- c\n);\n\n-- more\nCREATE ';x';\n"
        self.assertEqual(list(statements(text)), ["CREATE a (\n  b  -- c\n)", "CREATE ';x'"])
