"""What all tests share: Hypothesis's profile, and a SIGINT that reaches the programs they start.

The same examples on every run, however busy the machine: a failure is a fact about the code, not about the load. For
fresh examples, and as many as you like: `HYPOTHESIS_PROFILE=wild`.
"""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

_BUSY = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("steady", derandomize=True, deadline=None, database=None, suppress_health_check=_BUSY)
settings.register_profile("wild", deadline=None, max_examples=2000, suppress_health_check=_BUSY)
# Hundreds of processes of golemd are started, and each would compile all of it anew: containers often set this.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# A shell's background job ignores SIGINT, and so would every program that is started from here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
