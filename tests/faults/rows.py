"""All rows. Those that take longest come first: several are played at a time."""

# isort: off
from tests.faults import rows_handover, rows_parts, rows_submit, rows_jobs, rows_listing
from tests.faults import rows_calls, rows_disk, rows_real, rows_trials

# isort: on
from tests.faults.row import FAULTS

__all__ = [
    "FAULTS",
    "rows_calls",
    "rows_disk",
    "rows_handover",
    "rows_jobs",
    "rows_listing",
    "rows_parts",
    "rows_real",
    "rows_submit",
    "rows_trials",
]
