"""
Makes ``twistd feedd`` known to Twisted; the two folders above it must not have an ``__init__.py``.
"""

from twisted.application.service import ServiceMaker

feedd = ServiceMaker("feedd", "feedd.tap", "A realtime social feed for any website.", "feedd")
