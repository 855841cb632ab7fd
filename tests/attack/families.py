"""All families. Those that take longest come first: two are tried at a time."""

# isort: off
from tests.attack import smuggling, traversal, strangers, callbacks, destinations, cookies, forgeries, logins
from tests.attack import api_tokens, proxies, frontend_ids, thefts, images, malformed, crowds, documents, remembered

# isort: on
from tests.attack.family import FAMILIES

__all__ = [
    "FAMILIES",
    "api_tokens",
    "callbacks",
    "cookies",
    "crowds",
    "destinations",
    "documents",
    "forgeries",
    "frontend_ids",
    "images",
    "logins",
    "malformed",
    "proxies",
    "remembered",
    "smuggling",
    "strangers",
    "thefts",
    "traversal",
]
