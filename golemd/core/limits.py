"""How much people and agents may write of one item. What is imported is held to the same."""

from __future__ import annotations

from typing import Final

MAX_TITLE: Final = 300  # characters
MAX_DESCRIPTION: Final = 100_000  # characters
MAX_LABELS: Final = 50
MAX_LABEL: Final = 64  # characters
MAX_DEPENDENCIES: Final = 200
MAX_PRIORITY: Final = 1_000_000
MAX_VARS: Final = 100
