"""The daemon's Flask API: `public` for pages, `life`, `reports` and `artifacts` for jobs, `frontend`, `documents`."""
