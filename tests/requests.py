"""
Requests such as browsers send, and such as nobody should.

``{0}`` stands for the newest cursor, ``{1}`` for the one before it, and so on.
"""

import itertools
from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from feedd.auth.token import make_token
from tests.sides import SECRET

GOOD = make_token(SECRET, "bob", 10**9).encode()
TOKENS = (
    GOOD,
    GOOD,
    GOOD,
    make_token(SECRET, "alice", 10**9).encode(),
    make_token(SECRET, "bob", 60).encode(),
    make_token(SECRET + "x", "bob", 10**9).encode(),
    GOOD[:-1],
    b"x",
    b"",
)
CURSORS = [
    *b"{0} {0} {0} {1} {2} {5} k1.0 k1.0~i1 k1.1~i2 zz.1 x k1.0%7Ei1 %6b1.0 k1.0+ %zz ~ "
    b"k1.0~".split(),
    b"",
    b"\xe9",
]
CALLBACKS = [
    *b"f $a.b_c jQuery1_2 1a f%28 f%20 a-b f;x=1 a..b %66 f+ f( <b>".split(),
    b"",
    b"A" * 100,
    b"A" * 101,
]
WAITS = [
    *b"0 5 5 50 00005 00000 000000 1e3 -1 0.25 99999 100000 86401 +5 %35 5; 1_0 0x5 5.".split(),
    b"",
]
EXTRAS = (
    b"x=1 x x= =1 = a=b=c as=alice as= %00=1 y=%zz z=+ ;y=2 callback=g cursor={0} wait=5 "
    b"token=x x=1&x=2 ".split(b" ")
)

METHODS = [b"GET", b"HEAD", b"OPTIONS", b"POST", b"get", b"GET ", b" GET", b""]
PATHS = (
    b"/feed/poll //feed/poll /feed/poll/ /feed%2Fpoll http://h/feed/poll /feed/poll# "
    b"/feed/poll? /feed/pol /".split()
)
VERSIONS = [
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"http/1.1",
    b"HTTP/1.1 ",
    b" HTTP/1.1",
    b"HTTP/1.1 HTTP/1.1",
    b"",
]
ENDS = [b"\n", b"\r", b"\r\r\n", b"\r\n\n", b"\n\r\n"]
COLONS = [b": ", b": ", b": ", b":", b":  ", b" : ", b":\t"]
COUNTS = [90, 99, 100, 101, 499, 500, 501, 600]

BROWSER = [
    b"Host: www.example.org",
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)",
    b"Accept: */*",
    b"Accept-Language: en-GB,en;q=0.5",
    b"Connection: keep-alive",
    b"Cookie: theme=dark; x=1",
    b"Referer: https://www.example.org/page",
    b"Sec-Fetch-Site: same-origin",
]
NAMES = b"""
Host Cookie Authorization Referer Origin Sec-Fetch-Site Connection Content-Length
Transfer-Encoding Expect Upgrade Range TE
X-Y X_Y Keep-Alive Proxy-Connection If-None-Match Accept-Encoding X-HTTP-Method-Override
Content-Type 9-Lives X!
""".split()
VALUES = [
    *b"keep-alive Keep-Alive close chunked identity 0 1 5 100-continue websocket "
    b"same-origin none cross-site null x".split(),
    b"close, keep-alive",
    b"Upgrade",
    b"keep-alive, Upgrade",
    b"close keep-alive",
    b"https://www.example.org",
    b"https://www.example.org/page",
    b"https://evil.example.com/",
    b"www.example.org",
    b"Basic Ym9iOmJvYg==",
    b"caf\xe9",
    b"a\tb",
    b"a\x00b",
    b"a\rb",
    b"a\nb",
    b"\x7f",
    b"",
    b"v" * 1500,
    b"v" * 17000,
    *(b"Bearer " + token for token in TOKENS),
    *(b"feedd_token=" + token for token in TOKENS),
    b"a=b; feedd_token=" + GOOD,
    b'feedd_token="' + GOOD + b'"; x=1',
    b"bearer  " + GOOD,
]
LINES = [
    b" folded",
    b"\tfolded",
    b"NoColon",
    b"Bad Name: x",
    b": x",
    b":",
    b"X: y: z",
    b"\xe9: x",
    b"X\x00: a",
    b"GET / HTTP/1.1",
]


def _seldom(
    plain: st.SearchStrategy[bytes], odd: st.SearchStrategy[bytes], times: int = 7
) -> st.SearchStrategy[bytes]:
    return st.integers(0, times).flatmap(lambda number: plain if number else odd)


@st.composite
def queries(draw: st.DrawFn) -> bytes:
    """The part of a poll after the question mark."""
    parts = [b"cursor=" + draw(_seldom(st.just(b"{0}"), st.sampled_from(CURSORS), 3))]
    if draw(st.booleans()):
        parts.append(b"token=" + draw(_seldom(st.just(GOOD), st.sampled_from(TOKENS), 3)))
    if draw(st.integers(0, 3)) == 3:
        parts.append(b"callback=" + draw(_seldom(st.just(b"f"), st.sampled_from(CALLBACKS), 2)))
    if draw(st.integers(0, 3)) == 3:
        parts.append(b"wait=" + draw(st.sampled_from(WAITS)))
    if draw(st.integers(0, 3)) == 3:
        parts.append(draw(st.sampled_from(EXTRAS)))
    if draw(st.integers(0, 9)) == 9:
        parts.append(parts[0])
    return b"&".join(draw(st.permutations(parts)))


@st.composite
def header_lines(draw: st.DrawFn) -> list[bytes]:
    """The header lines of a request, most often a browser's."""
    lines = list(draw(st.permutations(BROWSER))[: draw(st.integers(0, len(BROWSER)))])
    if draw(st.integers(0, 2)) == 2:
        lines.append(b"Authorization: Bearer " + draw(st.sampled_from(TOKENS)))
    if draw(st.integers(0, 2)) == 2:
        lines = [line for line in lines if not line.startswith(b"Cookie")]
        lines.append(
            b"Cookie: feedd_token=" + draw(_seldom(st.just(GOOD), st.sampled_from(TOKENS), 3))
        )
    for _ in range(max(0, draw(st.integers(-4, 2)))):
        lines.insert(draw(st.integers(0, len(lines))), draw(_odd_lines()))
    if draw(st.integers(0, 19)) == 19:
        count = draw(st.sampled_from(COUNTS))
        lines += [
            b"%s%d:x" % (draw(st.sampled_from([b"a", b"Bc"])), number) for number in range(count)
        ]
    return lines


@st.composite
def _odd_lines(draw: st.DrawFn) -> bytes:
    if draw(st.integers(0, 3)) == 3:
        return draw(st.sampled_from(LINES))
    name = draw(st.sampled_from(NAMES))
    name = draw(st.sampled_from([name, name, name.lower(), name.upper(), name.swapcase()]))
    colon = draw(st.sampled_from(COLONS))
    return (
        name
        + colon
        + draw(st.sampled_from(VALUES))
        + draw(st.sampled_from([b"", b"", b"", b" ", b"\t"]))
    )


@st.composite
def polls(draw: st.DrawFn) -> bytes:
    """A poll, most often one that a browser could have sent."""
    if draw(st.integers(0, 9)):
        line = b"GET /feed/poll?%s HTTP/1.1" % draw(queries())
    else:
        method, version = draw(st.sampled_from(METHODS)), draw(st.sampled_from(VERSIONS))
        line = b"%s %s?%s %s" % (method, draw(st.sampled_from(PATHS)), draw(queries()), version)
    lines, body = draw(header_lines()), b""
    match draw(st.integers(0, 24)):
        case 0:
            lines, body = (
                [*lines, b"Content-Length: %d" % draw(st.integers(0, 3))],
                draw(st.sampled_from([b"abc", b"", b"GET"])),
            )
        case 1:
            lines, body = [*lines, b"Transfer-Encoding: chunked"], b"3\r\nabc\r\n0\r\n\r\n"
        case 2:
            lines, body = [*lines, b"Transfer-Encoding: chunked", b"Content-Length: 3"], b"abc"
        case 3:
            lines += [
                b"Content-Length: %d" % number
                for number in draw(st.lists(st.integers(0, 2), min_size=1, max_size=2))
            ]
    end = draw(st.sampled_from([b"\r\n"] * 30 + ENDS))
    return end.join([line, *lines, b"", b""]) + body


def poll(
    query: bytes = b"cursor={0}&token=" + GOOD,
    lines: Sequence[bytes] = BROWSER,
    version: bytes = b"HTTP/1.1",
) -> bytes:
    """A poll such as a browser sends all the time."""
    return b"\r\n".join([b"GET /feed/poll?%s %s" % (query, version), *lines, b"", b""])


def odd_polls() -> Iterator[bytes]:
    """The same with one thing odd."""
    who = b"&token=" + GOOD
    for name, values in ((b"cursor", CURSORS), (b"callback", CALLBACKS), (b"wait", WAITS)):
        for value in values:
            parts = [b"token=" + GOOD, b"cursor={0}"][: 1 if name == b"cursor" else 2]
            yield poll(b"&".join([*parts, name + b"=" + value]))
    yield from (poll(b"cursor={0}&token=" + token) for token in TOKENS)
    yield from (poll(b"cursor={0}%s&%s" % (who, extra)) for extra in EXTRAS)
    yield from (poll(b"%s&cursor={0}%s" % (extra, who)) for extra in EXTRAS)
    yield from (poll(version=version) for version in VERSIONS)
    yield from (poll().replace(b"/feed/poll", path) for path in PATHS)
    yield from (poll().replace(b"GET", method) for method in METHODS)
    yield from (poll().replace(b"\r\n", end) for end in ENDS)
    yield from (
        poll(lines=[b"%s%d:x" % (b"a" * (number % 7 + 1), number) for number in range(count)])
        for count in COUNTS
    )
    for line in (*LINES, *(name + b": " + value for name in NAMES for value in VALUES)):
        name = line.partition(b":")[0]
        yield poll(lines=[*(known for known in BROWSER if not known.startswith(name + b":")), line])
    for line in BROWSER:
        yield poll(lines=[*BROWSER, line])
        yield from (poll(lines=[line.replace(b": ", colon)]) for colon in COLONS)
        yield from (poll(lines=[line + space]) for space in (b" ", b"\t", b"  "))
        yield from (poll(lines=[other]) for other in (line.upper(), line.lower(), line.swapcase()))
    for body in (b"abc", b"", b"GET", poll()):
        yield poll(lines=[*BROWSER, b"Content-Length: 3"]) + body
        yield poll() + body
    yield poll(lines=[b"Transfer-Encoding: chunked"]) + b"3\r\nabc\r\n0\r\n\r\n"


def who_asks() -> Iterator[bytes]:
    """Every way to say who asks, from every kind of page."""
    for callback in (b"", b"&callback=f"):
        for site in (b"", b"same-origin", b"none", b"same-site", b"cross-site"):
            for referer in (
                b"",
                b"https://www.example.org/x",
                b"https://host/x",
                b"https://evil.example.com/www.example.org",
            ):
                for host in (b"", b"host", b"Evil.Example.Com"):
                    for proof in (
                        b"",
                        b"Authorization: Bearer " + GOOD,
                        b"Cookie: a=b; feedd_token=" + GOOD,
                    ):
                        given = {
                            b"Sec-Fetch-Site: ": site,
                            b"Referer: ": referer,
                            b"Host: ": host,
                            proof: b" ",
                        }
                        lines = [
                            (name + value).rstrip()
                            for name, value in given.items()
                            if name and value
                        ]
                        yield poll(b"cursor={0}&as=bob" + callback, lines)


@st.composite
def common_polls(draw: st.DrawFn) -> bytes:
    """Polls such as browsers send all the time."""
    parts = draw(st.permutations([b"cursor={0}", b"token=" + GOOD]))
    extra = draw(
        st.sampled_from([b"", b"", b"&callback=f", b"&callback=$a.b&wait=5", b"&wait=50", b"&x=1"])
    )
    return poll(
        b"&".join(parts) + extra,
        draw(st.permutations(BROWSER))[: draw(st.integers(0, len(BROWSER)))],
    )


def _other(method: bytes, path: bytes, body: bytes = b"") -> bytes:
    return b"%s %s HTTP/1.1\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" % (
        method,
        path,
        GOOD,
        len(body),
        body,
    )


OTHERS = [
    b"\r\n",
    b"\r\n\r\n",
    b"\r",
    b"\n",
    b"EHLO",
    _other(b"GET", b"/feed/init"),
    _other(b"GET", b"/feed/poll?wait=0"),
    _other(b"GET", b"/feed/poll"),
    _other(b"POST", b"/feed/posts", b'{"body":{}}'),
    _other(b"DELETE", b"/api/sessions/bob"),
    _other(b"GET", b"/nowhere"),
    b"DELETE /api/sessions/bob HTTP/1.1\r\nAuthorization: Bearer backend-key\r\n\r\n",
]


@st.composite
def breaths(draw: st.DrawFn) -> list[bytes]:
    """One to four requests in one stream, as the reads in which they arrive."""
    number = draw(st.sampled_from([1, 1, 1, 1, 1, 1, 2, 2, 3, 4]))
    requests = [
        draw(_seldom(st.one_of(common_polls(), polls()), st.sampled_from(OTHERS)))
        for _ in range(number)
    ]
    match draw(st.integers(0, 24)):
        case 0 | 1:
            stream = b"".join(requests)
            cuts = sorted(
                {0, *draw(st.lists(st.integers(0, len(stream)), max_size=5)), len(stream)}
            )
            return [stream[start:end] for start, end in itertools.pairwise(cuts)]
        case 2:
            return [bytes([byte]) for byte in b"".join(requests)[:1500]]
        case 3 | 4 | 5 | 6:
            return [b"".join(requests)]
    return requests
