"""
The site of ``etc/examples/php`` with its members, feedd beside it, and visitors with cookies.
"""

import functools
import re
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import pymysql
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.live import servers
from tests.live.apache import EXAMPLE, Apache
from tests.live.browser import Browser, Reply
from tests.live.daemon import Feedd
from tests.live.test_end_to_end import settings

KEY = "k" * 32
PASSWORD = "correct horse"
MEMBERS = ("alice", "bob")
BELL_ONLY = "tail_seconds = 600.0\n"


class Visitor(Browser):
    """One visitor of the site, with cookies, who is nobody but by them."""

    def __init__(self, site: Apache, feed: Feedd, name: str) -> None:
        super().__init__(reactor, feed.url, name)
        self.site = site
        self.cookies: dict[str, str] = {}
        self.page_origin = f"{site.url}/"

    def cookie(self) -> dict[str, str]:
        """The Cookie header."""
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": pairs} if pairs else {}

    async def visit(self, page: str, form: Mapping[str, str] | None = None) -> Reply:
        """Load a page of the site, or send it a form; no redirect is followed."""
        data = None if form is None else urlencode(form).encode()
        headers = self.cookie()
        if data is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        response = await self._client.request(
            "GET" if data is None else "POST",
            f"{self.site.url}/{page}",
            data=data,
            headers=headers,
            allow_redirects=False,
            timeout=30,
        )
        for line in response.headers.getRawHeaders("set-cookie", []):
            self.cookies |= {name: one.value for name, one in SimpleCookie(line).items()}
        return Reply(response.code, response.headers, await response.text("utf-8"))

    async def token(self) -> str:
        """The token of the forms of a page just loaded."""
        page = (await self.visit("index.php")).text
        return re.findall(r'name="token" value="(\w+)"', page)[0]

    async def log_in(self, password: str = PASSWORD) -> Reply:
        """By the form."""
        form = {"what": "in", "name": self.user, "password": password, "token": await self.token()}
        return await self.visit("login.php", form)

    async def write(self, text: str) -> Reply:
        """Post by the form."""
        return await self.visit("post.php", {"text": text, "token": await self.token()})

    async def jsonp(self, path: str, **query: object) -> Any:
        """The document that a script of the page is given by feedd."""
        url = f"{self.url}{path}?{urlencode({'callback': 'cb'} | query)}"
        headers = self.cookie() | ({"Referer": self.page_origin} if self.page_origin else {})
        response = await self._client.get(url, headers=headers, timeout=60)
        answer = Reply(response.code, response.headers, await response.text("utf-8")).json
        self.cursor = answer.get("cursor", self.cursor)
        return answer

    async def texts(self) -> list[str]:
        """What the next poll tells."""
        answer = await self.jsonp("/feed/poll", cursor=self.cursor, wait=20)
        return [event["body"]["text"] for event in answer["events"]]


class Place:
    """
    The site, with two members who are friends, and feedd beside it: one process, and one that has
    only the bell. All tests share them.
    """

    def __init__(self) -> None:
        self.database = servers.mariadb().database()
        self.site = Apache(self.database)
        self.feed = self.feedd("")
        self.bell = self.feedd(BELL_ONLY)
        self.site.configure(self.feed.url, "publish")
        for server in (self.site, self.feed, self.bell):
            server.start()
        for statement in (EXAMPLE / "schema.sql").read_text().split(";\n"):
            if statement.strip():
                self.query(statement)
        for member in MEMBERS:
            self.site.php("member.php", member, given=f"{PASSWORD}\n")

    def feedd(self, net: str) -> Feedd:
        """A feedd that asks the site who somebody is."""
        key = self.site.folder / "backend.key"
        key.write_text(KEY)
        config = settings(self.database).replace("[broker]", f"{net}[broker]")
        return Feedd(
            f'{config}[auth]\nmode = "http"\nurl = "{self.site.url}/whoami.php"\n'
            f'backend_key_file = "{key}"\ncache_seconds = 0\n',
            http=f'allowed_origins = ["{self.site.url}"]\n',
        )

    def connection(self) -> Any:
        """A connection to the site's database."""
        server, name = servers.mariadb(), self.database.rpartition("/")[2]
        return pymysql.connect(
            host=server.host, port=server.port, user="feedd", database=name, autocommit=True
        )

    def query(self, statement: str) -> list[Any]:
        """The rows of one statement on the site's database."""
        with self.connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())


@functools.cache
def place() -> Place:
    """The one of this run, which ends with it."""
    return Place()


class SiteCase(TestCase):
    """Alice and bob, each logged in with a session of a test's own."""

    timeout = 90

    async def setUp(self) -> None:
        self.place = place()
        self.site, self.query = self.place.site, self.place.query
        self.configure("publish")
        self.alice, self.bob = (Visitor(self.site, self.place.feed, name) for name in MEMBERS)
        for member in (self.alice, self.bob):
            self.assertEqual((await member.log_in()).status, 303)
        pair = {"add": [{"viewer": "alice", "friend": "bob"}]}
        backend = {"Authorization": f"Bearer {KEY}"}
        said = await self.bob.ask("POST", "/api/friendships", pair, backend)
        self.assertEqual(said.status, 200, said.text)
        self.before = self.rows()

    def configure(self, posting: str, **sections: Mapping[str, object]) -> None:
        """What the site's settings say from now on."""
        self.site.configure(self.place.feed.url, posting, **sections)

    async def told(self, text: str, feed: Feedd) -> None:
        """Alice posts `text`, which answers bob's poll that is parked at `feed`, once."""
        self.bob.url = feed.url
        await self.bob.jsonp("/feed/init")
        poll = Deferred.fromCoroutine(self.bob.texts())
        while not feed.details(KEY)["polls"]:
            await deferLater(reactor, 0.02)
        self.assertEqual((await self.alice.write(text)).status, 303)
        self.assertEqual(await poll, [text])
        again = await self.bob.jsonp("/feed/poll", cursor=self.bob.cursor, wait=1.2)
        self.assertEqual(again["events"], [])

    def rows(self) -> list[int]:
        """How many rows the site and feedd have of what was posted."""
        return [self.query(f"SELECT COUNT(*) FROM {t}")[0][0] for t in ("articles", "posts")]

    def assert_written(self, *rows: int) -> None:
        """So many rows more than at the start of the test, of the site's and of feedd's."""
        written = [now - then for now, then in zip(self.rows(), self.before, strict=True)]
        self.assertEqual(written, list(rows))
