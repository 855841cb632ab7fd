"""All rows, in the table's order."""

from tests.faults import (  # isort: skip
    rows_listing,
    rows_submit,
    rows_jobs,
    rows_parts,
    rows_handover,
    rows_calls,
    rows_disk,
    rows_real,
)
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
]
