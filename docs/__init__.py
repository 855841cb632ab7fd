"""The guides, the site that is built of them, and the generators of its reference."""
