"""Pages of the reference that are written from the code: one noun per file, all of them in `pages`."""
