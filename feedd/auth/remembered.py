"""
The site's answers that are remembered: yes and no apart, so that made-up cookies, however many,
cost nobody who is logged in the answer about them.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from feedd.core.counters import Counters

COOKIES_A_USER = 16
"""
Of one user that are remembered. The whole Cookie header counts, so one login makes any number.
"""


class Answer(NamedTuple):
    """
    An answer of the site.

    :ivar user: None: nobody.
    :ivar until: the time up to which it holds.
    """

    user: str | None
    until: float


class Remembered:
    """
    Answers by the digest of the cookies.

    :param most: how many of each kind; over it the oldest goes, counted.
    """

    def __init__(self, most: int, now: Callable[[], float], counters: Counters) -> None:
        self._most = most
        self._now = now
        self._counters = counters
        self._yes: OrderedDict[bytes, Answer] = OrderedDict()
        self._no: OrderedDict[bytes, Answer] = OrderedDict()
        self._cookies_of: dict[str, OrderedDict[bytes, None]] = {}

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._yes) + len(self._no)

    def get(self, key: bytes) -> Answer | None:
        """The answer, as long as it holds."""
        answer = self._yes.get(key) or self._no.get(key)
        return answer if answer is not None and answer.until > self._now() else None

    def is_known(self, key: bytes) -> bool:
        """Whether the last answer was a user, even if it holds no longer."""
        return key in self._yes

    def keep(self, key: bytes, answer: Answer) -> None:
        """Remember the newest answer."""
        self._forget(key)
        if answer.user is None:
            self._no[key] = answer
            if len(self._no) > self._most:
                self._evict(self._no)
            return
        self._yes[key] = answer
        cookies = self._cookies_of.setdefault(answer.user, OrderedDict())
        cookies[key] = None
        if len(cookies) > COOKIES_A_USER:
            self._evict(cookies)
        elif len(self._yes) > self._most:
            self._evict(self._yes)

    def forget_user(self, user: str) -> None:
        """Forget the answers that were this user."""
        for key in tuple(self._cookies_of.get(user, ())):
            self._forget(key)

    def _evict(self, keys: OrderedDict[bytes, Answer] | OrderedDict[bytes, None]) -> None:
        self._counters.add("auth_evictions")
        self._forget(next(iter(keys)))

    def _forget(self, key: bytes) -> None:
        self._no.pop(key, None)
        answer = self._yes.pop(key, None)
        if answer is not None and answer.user is not None:
            cookies = self._cookies_of[answer.user]
            del cookies[key]
            if not cookies:
                del self._cookies_of[answer.user]
