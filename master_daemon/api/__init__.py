"""The daemon's Flask API, for pages and users, developers, operators, and its own jobs; `api` puts it together."""
