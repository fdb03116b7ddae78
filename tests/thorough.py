"""How many examples the repeating tests try.

With ``HYPOTHESIS_PROFILE=thorough`` Hypothesis makes twenty times as many examples. Tests
damage a file at every position instead of some positions, and ask an index about every layer and
map instead of some. Some tests run only there.
"""

import os

from hypothesis import HealthCheck, settings

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def examples(count: int = 30) -> settings:
    """Settings for ``count`` examples, or twenty times as many; without a time limit."""
    return settings(
        max_examples=20 * count if THOROUGH else count,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def one_in(count: int) -> int:
    """The step from one tried position to the next: ``count``, or 1 to try each."""
    return 1 if THOROUGH else count
