"""The rule for what only a cookie proves."""

from typing import NamedTuple

from feedd.feed.ports import Forbidden, Identity


class Page(NamedTuple):
    """
    The page that a request may come from.

    :ivar may_be_foreign: a page of another site could make a browser send this request and profit
        by it: it is a script tag's (JSONP), or changes something, as a form may. A plain GET of
        JSON is not such a one, for a foreign page cannot read the answer (CORS).
    :ivar is_own: the request says that a page of the site asks, see `feedd.web.origin`. It only
        matters when the page may be foreign.
    """

    may_be_foreign: bool
    is_own: bool


def check_page(identity: Identity, page: Page) -> None:
    """
    Let a cookie alone prove who asks only where no foreign page can be behind it.

    :raises Forbidden: when one can.
    """
    if identity.ambient and page.may_be_foreign and not page.is_own:
        raise Forbidden(
            "a cookie alone does not open this to a foreign page; send a token, or allow "
            "the page's origin"
        )
