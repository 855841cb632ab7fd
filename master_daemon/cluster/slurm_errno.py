"""Slurm's error numbers that say something for certain. slurm_errno.h, the same from release 20.11 to 25.05."""

from __future__ import annotations

NO_SUCH_JOB = frozenset({2017, 2021})
"""Invalid job ID, already done: nothing to cancel."""

REFUSALS = frozenset(
    {
        *(2000, 2001, 2002, 2003, 2004),  # partition: invalid, none, access, group, its nodes
        *(
            2005,
            2006,
            2008,
            2014,
            2015,
            2069,
        ),  # size: CPUs, nodes, none given, not in the cluster, not in the partition
        *(2009, 2012, 2063),  # script missing, path too long, no working directory
        *(2018, 2025, 2029, 2044, 2068, 2070),  # node name, tasks, feature, memory, node or partition not available
        *(2036, 2037),  # not supported, disabled
        *(2045, 2048, 2050, 2057, 2066, 2074),  # account, licences, policy, key, quality of service, its threshold
        *(2051, 2054, 2124, 8000),  # time limit
        *(2052, 2053),  # reservation
        *(2072, 2115, 2119, 2122),  # generic and trackable resources
        *(2105, 2123, 2127),  # submissions disabled, nice value, no environment
        *(9000, 9001, 9002, 9008),  # slurmrestd: query, parsing, description, authentication
    }
)
"""Nothing was queued. Whatever is not here is not known: a lost connection (1800 and on, 5004) may follow the job's
acceptance, and with some numbers (2016 nodes busy, 2042 held) slurmctld does queue the job."""

AUTHENTICATION_FAILED = 9008
