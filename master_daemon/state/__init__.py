"""What the daemon knows: one database, one module for each noun, and the artifact files beside it."""
