"""The fast lane: all that the tests of polls and connections say holds with it too."""

from tests.browser import House, WebTestCase
from tests.unit import test_web_channel as channel
from tests.unit import test_web_endpoint as endpoint
from tests.unit import test_web_errors as errors
from tests.unit import test_web_gate as gate
from tests.unit import test_web_origin as origin
from tests.unit import test_web_poll as poll
from tests.unit import test_web_poll_ends as ends
from tests.unit import test_web_request as request
from tests.unit import test_web_responses_jsonp as jsonp
from tests.unit import test_web_site as site


class WithLane(WebTestCase):
    """A house of which every connection has the fast lane."""

    def use(self, house: House) -> None:
        """Let `house`, with the lane, be the house of this test."""
        house.site = house.lane_site()
        super().use(house)


class EventTests(WithLane, poll.EventTests):
    """Polls that an event answers."""


class EndTests(WithLane, poll.EndTests):
    """Polls that no event answers."""


class ColdTests(WithLane, poll.ColdTests):
    """Polls that are not for the lane."""


class LostTests(WithLane, ends.LostTests):
    """Polls whose client goes."""


class TwiceTests(WithLane, ends.TwiceTests):
    """Polls that end more than once."""


class CallbackTests(WithLane, jsonp.CallbackTests):
    """The callback's name."""


class AnswerTests(WithLane, jsonp.AnswerTests):
    """Scripts."""


class EscapeTests(WithLane, jsonp.EscapeTests):
    """What users write."""


class PortionTests(WithLane, channel.PortionTests):
    """Requests that do not come one a read."""


class NumberTests(WithLane, site.NumberTests):
    """So many connections and no more."""


class ProtocolTests(WithLane, site.ProtocolTests):
    """HTTP/1.1."""


class TimeTests(WithLane, channel.TimeTests):
    """Time limits."""


class SizeTests(WithLane, request.SizeTests):
    """Bodies."""


class CORSTests(WithLane, origin.CORSTests):
    """CORS."""


class CookieTests(WithLane, origin.CookieTests):
    """A cookie alone."""


class GateTests(WithLane, gate.GateTests):
    """401."""


class WhereTests(WithLane, endpoint.WhereTests):
    """404 and 405."""


class AwayTests(WithLane, errors.AwayTests):
    """503."""


class OurMistakeTests(WithLane, endpoint.OurMistakeTests):
    """500."""
