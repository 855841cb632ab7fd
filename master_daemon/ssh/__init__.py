"""The way to a login node on which the daemon does not run itself."""
