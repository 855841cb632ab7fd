"""The shared ground floor: wire messages, settings, problem documents and the plumbing that all three servers share."""

__version__ = "0.1.0"
PROTOCOL = 1
"""Version of the messages between daemon and jobs; a job of another protocol is refused at registration."""
