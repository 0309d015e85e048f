"""Tests without sockets: a Clock and strings only."""

from hypothesis import HealthCheck, settings

# No test is judged by how fast the machine is, and each run makes the same examples.
settings.register_profile(
    "feedd",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("feedd")
