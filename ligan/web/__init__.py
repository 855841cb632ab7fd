"""Flask plumbing that all three servers share: applications, bearer tokens, serving, calling each other."""
