# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests of the pure modules."""

from __future__ import annotations

from hypothesis import HealthCheck
from hypothesis import settings

# How fast a busy machine is says nothing of the code.
settings.register_profile(
    "any machine",
    settings(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")
