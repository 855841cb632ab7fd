"""A small HTTP/1.1 server and upstream client on asyncio: llhttp reads heads, body bytes are passed through."""
