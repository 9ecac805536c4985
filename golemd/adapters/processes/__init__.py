"""Attempts as supervised processes: read `records` (the words), `shim` (what happens), `runner` (the seam)."""
