"""Every message between browser, daemon, frontend and backend; the API pages are generated from these types."""
