"""The shared ground floor: wire messages, settings, problem documents and the plumbing that all three servers share."""

__version__ = "0.1.0"
PROTOCOL = 3
"""Version of the messages between daemon and jobs: one more with every change that the other side notices."""
OLDEST_PROTOCOL = 1
"""Jobs of this one and all later ones work with this daemon: they go on over an upgrade, until their handover. Raised
where an older job could not be understood; those that still run are then told to go, and their tasks move."""
