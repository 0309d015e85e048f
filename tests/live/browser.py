"""
A client for the live tests, which sends what the script of a page or the site's own server would.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import treq
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import Agent, HTTPConnectionPool

TIMEOUT_SECONDS = 60


class Reply:
    """A status, headers and a body; JSONP is taken out of its wrapping."""

    def __init__(self, status: int, headers: Any, text: str) -> None:
        self.status = status
        self.headers = headers
        self.text = text

    @property
    def json(self) -> Any:
        """The document in the body."""
        wrapped = re.fullmatch(r"/\*\*/[\w$.]+\((.*)\);", self.text, re.DOTALL)
        return json.loads(wrapped[1] if wrapped else self.text)


class Browser:
    """
    One user of a feedd at `url` in demo mode.

    :ivar cursor: the last one that an answer held.
    """

    def __init__(self, reactor: IReactorTime, url: str, user: str) -> None:
        self.url = url
        self.user = user
        self.cursor = ""
        self._client = treq.client.HTTPClient(
            Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))
        )

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> Reply:
        """Send a request as this user."""
        url = f"{self.url}{path}?{urlencode({'as': self.user} | query)}"
        data = None if body is None else json.dumps(body).encode()
        response = await self._client.request(
            method, url, data=data, headers=dict(headers or {}), timeout=TIMEOUT_SECONDS
        )
        reply = Reply(response.code, response.headers, await response.text("utf-8"))
        if reply.status == 200 and path in ("/feed/init", "/feed/poll"):
            self.cursor = reply.json.get("cursor", self.cursor)
        return reply

    async def init(self) -> Any:
        """Load the page."""
        return (await self.ask("GET", "/feed/init")).json

    async def poll(self, wait: float = 20, **query: object) -> Any:
        """Poll once from where this browser stands."""
        return (await self.ask("GET", "/feed/poll", cursor=self.cursor, wait=wait, **query)).json

    async def status(self) -> Reply:
        """The state of the process, as the site's own servers are told."""
        return await self.ask("GET", "/status", headers={"Authorization": "Bearer demo"})

    async def post(self, text: str) -> Any:
        """Publish a post."""
        reply = await self.ask("POST", "/feed/posts", {"body": {"text": text}})
        assert reply.status == 201, reply.text
        return reply.json

    async def befriend(self, friend: str, remove: bool = False) -> Any:
        """Have the site make (or end) a friendship, both ways."""
        pair = [{"viewer": self.user, "friend": friend}]
        body = {"remove" if remove else "add": pair}
        reply = await self.ask("POST", "/api/friendships", body, {"Authorization": "Bearer demo"})
        assert reply.status == 200, reply.text
        return reply.json
