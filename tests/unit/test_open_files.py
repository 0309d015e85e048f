"""Files that cannot be opened."""

import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.open_files import OpenFiles


class OpenFilesTests(SynchronousTestCase):
    """`OpenFiles`."""

    def setUp(self) -> None:
        self.complaints: list[tuple[str, str]] = []
        self.limit = False

    def complain(self, counter: str, why: str, amount: int = 1) -> None:
        self.complaints.append((counter, why))

    def open_one(self) -> None:
        if self.limit:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def test_none_left_and_again(self) -> None:
        """A look that finds none left complains; the next that finds one says all is well."""
        files = OpenFiles(self.complain, self.open_one)
        for limit, expected in ((False, ""), (True, "Too many open files"), (False, "")):
            self.limit = limit
            files.look()
            self.assertEqual(files.trouble.partition(":")[0], expected)
        self.assertEqual(len(self.complaints), 1)
        self.assertEqual(self.complaints[0][0], "files_exhausted")

    def test_nothing_is_left_open(self) -> None:
        """A look opens a real file, and closes it."""
        files = OpenFiles(self.complain)
        before = os.listdir("/proc/self/fd")
        for _ in range(10):
            files.look()
        self.assertEqual((len(os.listdir("/proc/self/fd")), files.trouble), (len(before), ""))
