"""What all tests share: Hypothesis's profile.

The same examples on every run, however busy the machine: a failure is a fact about the code, not about the load. For
fresh examples, and as many as you like: `HYPOTHESIS_PROFILE=wild`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_BUSY = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("steady", derandomize=True, deadline=None, database=None, suppress_health_check=_BUSY)
settings.register_profile("wild", deadline=None, max_examples=2000, suppress_health_check=_BUSY)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
