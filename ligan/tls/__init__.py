"""TLS between the parts: contexts of both sides, and who has to be at the other end. Version 1.3 only (RFC 8446)."""
