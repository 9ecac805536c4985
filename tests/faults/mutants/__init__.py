"""Defects planted on purpose, one at a time, in a copy of the sources: the proofs must find every one of them.

`table` lists them, `plant` plants and restores them, `finder` is what looks for one within the copy.
"""
