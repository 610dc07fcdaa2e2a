"""Settings for all tests."""

import os

from hypothesis import HealthCheck, settings

# A slow machine is no failure of the code under test. In CI the examples are the same on every
# run, so that a change is judged by what it changes.
settings.register_profile(
    "full",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)
# scripts/test-versions only looks for what another Python does differently.
settings.register_profile("smoke", settings.get_profile("full"), max_examples=5)
settings.load_profile("full")
