"""Every interval and limit that is not a site's choice, in one place, each with its reason. Seconds unless said."""

# Supervisor
TICK = 0.25
"""Between supervisor turns; a turn with nothing to do costs well under a millisecond."""
POLL_BUSY = 5.0
"""Between scheduler listings while a job is pending, starting or out of contact (one `squeue` for all)."""
POLL_IDLE = 60.0
"""Between listings while every job is ready and its heartbeat is fresh: the heartbeat is the better witness."""
COMMAND_TIMEOUT = 20.0
"""A scheduler command without an answer by then is a don't-know; slurmctld itself gives up after 10."""
GONE_POLLS = 3
"""Good listings without the job before it counts as gone: a restarted slurmctld may list nothing for a while."""
POLL_LOCAL = 0.5
"""Between listings of local processes: reading /proc costs nothing."""
ENDS_AT_TOLERANCE = 5.0
"""A time limit that moved by less than this did not move: it is read off a clock that ticks in seconds."""
RESTART_PAUSE = 3.0
"""Before the next frontend job when the last one ended without having been ready: a broken set-up must not spin."""
IDLE_WHILE_OTHERS_WAIT = 60
"""A backend without task and page for so long is released when another session's waits for its place."""

# Jobs
HEARTBEAT = 5.0
"""Between a job's heartbeats: cheap, and three of them fit into CONTACT_LOST."""
CONTACT_LOST = 20.0
"""A job unheard for this long may be gone; the scheduler is asked."""
ORPHAN_LEASE_LOCAL = 30.0
"""A local job that cannot reach its daemon for this long ends itself: nobody else would end it."""
ORPHAN_LEASE = 600.0
"""The same under a scheduler, long enough for a daemon's restart or upgrade."""
STARTUP_DEADLINE = 300.0
"""From running to ready: container start, imports and weights on a cold NFS share take a minute at worst."""
CALL_TIMEOUT = 10.0
"""One HTTP call between parts; none of them does model work before it answers."""

# Pages
SSE_KEEPALIVE = 10.0
"""Proxies cut silent streams at 15 to 60 s."""
SSE_BACKLOG = 1000
"""Events kept per session for replay; a page of results makes about twenty."""
MAX_UPLOAD = 25 * 1024 * 1024
"""Bytes of an uploaded photo; a phone's photo has 3 to 12 MB."""
MAX_BODY = MAX_UPLOAD + 64 * 1024
"""Bytes of any request body: an upload and its multipart framing."""
MAX_OPEN_TASKS = 32
"""Tasks of one session that may wait or run; a page makes one at a time."""
