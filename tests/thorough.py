"""How much is tried of what only repeats with other numbers.

With ``HYPOTHESIS_PROFILE=thorough`` Hypothesis makes twenty times as many examples, and damage is
tried at every place of a file instead of some.
"""

import os

from hypothesis import HealthCheck, settings

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def examples(count: int = 30) -> settings:
    """So many examples, or twenty times as many; the time they take is nobody's concern."""
    return settings(
        max_examples=20 * count if THOROUGH else count,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def one_in(count: int) -> int:
    """A step through places: one of so many is tried, or each."""
    return 1 if THOROUGH else count
