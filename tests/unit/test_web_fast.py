"""The fast channel: all that the tests of polls and connections say holds with it too."""

from tests.browser import House, WebTestCase
from tests.unit import test_web_channel as channel
from tests.unit import test_web_endpoint as endpoint
from tests.unit import test_web_errors as errors
from tests.unit import test_web_gate as gate
from tests.unit import test_web_half_closed as half_closed
from tests.unit import test_web_origin as origin
from tests.unit import test_web_poll as poll
from tests.unit import test_web_poll_ends as ends
from tests.unit import test_web_request as request
from tests.unit import test_web_responses_jsonp as jsonp
from tests.unit import test_web_site as site


class Fast(WebTestCase):
    """A house of which every connection has a fast channel."""

    def use(self, house: House) -> None:
        """Let `house`, with fast channels, be the house of this test."""
        house.site = house.fast_site()
        super().use(house)


class EventTests(Fast, poll.EventTests):
    """Polls that an event answers."""


class EndTests(Fast, poll.EndTests):
    """Polls that no event answers."""


class ColdTests(Fast, poll.ColdTests):
    """Polls that are cold."""


class LostTests(Fast, ends.LostTests):
    """Polls whose client goes."""


class TwiceTests(Fast, ends.TwiceTests):
    """Polls that end more than once."""


class CallbackTests(Fast, jsonp.CallbackTests):
    """The callback's name."""


class AnswerTests(Fast, jsonp.AnswerTests):
    """Scripts."""


class EscapeTests(Fast, jsonp.EscapeTests):
    """Texts of users."""


class PortionTests(Fast, channel.PortionTests):
    """Requests that do not come one a read."""


class NumberTests(Fast, site.NumberTests):
    """So many connections and no more."""


class ProtocolTests(Fast, site.ProtocolTests):
    """HTTP/1.1."""


class TimeTests(Fast, channel.TimeTests):
    """Time limits."""


class SizeTests(Fast, request.SizeTests):
    """Bodies."""


class HalfClosedTests(Fast, half_closed.HalfClosedTests):
    """Peers that send no more."""


class ExpectTests(Fast, request.ExpectTests):
    """``Expect: 100-continue``."""


class CORSTests(Fast, origin.CORSTests):
    """CORS."""


class CookieTests(Fast, origin.CookieTests):
    """A cookie alone."""


class GateTests(Fast, gate.GateTests):
    """401."""


class WhereTests(Fast, endpoint.WhereTests):
    """404 and 405."""


class AwayTests(Fast, errors.AwayTests):
    """503."""


class OurMistakeTests(Fast, endpoint.OurMistakeTests):
    """500."""
