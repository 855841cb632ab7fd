"""Refine: make an engine render one photo better, within a time that a person gives it (thesis, section 3.4.4).

`target` the photo and its mask · `refinable` what an engine offers · `moving` weights that move · `method` what the
two methods `alternation` and `pivotal` have in common · `refine` runs one of them · `refined` what is left of it, as
bytes · `engine` renders with that. How a task calls it: docs/refine.md.
"""
