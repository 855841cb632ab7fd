"""The installation's own certificate authority, and the site's certificate for the public port."""
