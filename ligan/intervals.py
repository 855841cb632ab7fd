"""Every interval and limit that is not a site's choice, in one place, each with its reason. Seconds unless said."""

# Supervisor
TICK = 0.25
"""Between supervisor turns; a turn with nothing to do costs well under a millisecond."""
POLL_BUSY = 5.0
"""Between scheduler listings while a job is pending, starting or out of contact (one `squeue` for all)."""
POLL_HINTED = 2.0
"""At least between two listings, however many jobs do not answer."""
POLL_IDLE = 60.0
"""Between listings while every job is ready and its heartbeat is fresh: the heartbeat is the better witness."""
BUSY_PAUSE = 5.0
"""After a busy cluster has sent srun away, jobs are queued by sbatch without asking it again."""
NO_SRUN_PAUSE = 600.0
"""The same where srun is missing, forbidden or cannot reach its nodes: nothing that changes within minutes."""
COMMAND_TIMEOUT = 20.0
"""A scheduler command without an answer by then is a don't-know; slurmctld itself gives up after 10."""
GONE_POLLS = 3
"""Good listings without the job before it counts as gone: a restarted slurmctld may list nothing for a while."""
POLL_LOCAL = 0.5
"""Between listings of local processes: reading /proc costs nothing."""
ENDS_AT_TOLERANCE = 5.0
"""A time limit that moved by less than this did not move: it is read off a clock that ticks in seconds."""
SIGNAL_EARLY = 60.0
"""So much before the notice of a job's `signal` it may come: sbatch(1), the resolution of Slurm's event handling."""
EXPECTED_START_TOLERANCE = 60.0
"""An expected start that moved by less than this did not move: Slurm plans anew every half minute, in guesses."""
RESTART_PAUSES = (3.0, 10.0, 30.0, 60.0, 300.0)
"""Before a seat's next job after one, two … jobs in a row that never became ready: a broken set-up must not spin."""
GIVE_UP_STARTS = 3
"""Starts in vain after which a session is told so; it may ask again."""
BREAKER_PAUSES = (0.0, 2.0, 15.0, 60.0, 300.0, 900.0, 1800.0)
"""Between submissions of one kind after one, two … failures in a row: a slip costs nothing, a closed cluster little."""
DISMISS_TIMEOUT = 2.0
"""For a job's answer to being told to go; without one the scheduler ends it."""
LEAVE_GRACE = 10.0
"""A job that was told to go has left by then; what still runs is cancelled."""
SLOW_ANSWER = 2.0
"""A listing that takes longer is told to those who wait as no answer: squeue takes milliseconds."""
HUNG = 60.0
"""A job unheard for this long is replaced although the scheduler calls it running: three times CONTACT_LOST."""
NEVER_STARTS = 60.0
"""A job whose reason to wait no waiting mends is given up after this long: slurmctld may still correct itself."""
SCHEDULER_REST = 5.0
"""After a scheduler call without an answer, the next one: each may hold up the supervisor for COMMAND_TIMEOUT."""
NOTE_HEARD = 1.0
"""Between notes in the database of which jobs were heard: a fraction of CONTACT_LOST."""
TELL_PLACES = 2.0
"""Between events that tell those who wait their new places."""
REMEMBER_SEEN = 60.0
"""Between notes in the database of who was here: retention counts in days."""
PAUSED_TURN = 30.0
"""A supervisor turn that came later than this was preceded by a pause of the daemon, in which it heard nobody."""
HANDOVER_MARGIN = 10.0
"""Added to what a successor is expected to need: a poll and a slow file system."""
UNKNOWN_WAIT = 60.0
"""Queue wait taken for granted before any job has shown it."""
UNKNOWN_LOAD = 30.0
"""Load time taken for granted before any job has shown it."""
LEARN_FROM = 50
"""Jobs whose waits the head start of a handover is learnt from: about a week of a small site."""
LEARN_EVERY = 15.0
"""Between looks at them: they are in the database, and change slowly."""
TASK_MARGIN = 5.0
"""A task is only placed where its time request fits with so much to spare: result and artifacts must get home."""
FRONTEND_DRAIN = 15.0
"""A frontend that has handed over lives so long for the uploads in flight."""
VISIT = 1.0
"""A page that asks for the same again and again is noted as there so often: release counts in minutes."""
IDLE_WHILE_OTHERS_WAIT = 60
"""A backend without task and page for so long is released when another session's waits for its place."""

# Jobs
HEARTBEAT = 4.0
"""Between a job's heartbeats: cheap, and three of them fit into CONTACT_LOST."""
CONTACT_LOST = 12.0
"""A job unheard for this long may be gone; the scheduler is asked."""
ORPHAN_LEASE_LOCAL = 30.0
"""A local job that cannot reach its daemon for this long ends itself: nobody else would end it."""
ORPHAN_LEASE = 600.0
"""The same under a scheduler, long enough for a daemon's restart or upgrade."""
STARTUP_DEADLINE = 300.0
"""From running to ready: container start, imports and weights on a cold NFS share take a minute at worst."""
CHECKPOINT = 10.0
"""Between checkpoints of a task that are sent: what a node's failure may cost, at 0.8 MB/s at worst."""
MAX_CHECKPOINT = 8 * 1024 * 1024
"""Bytes of a checkpoint: a position or a small model's state; it crosses the network in well under a second."""
REFINE_PREVIEW = 2.0
"""Between pictures of a refinement under way: as often as one looks, and a picture costs a hundredth of that."""
STOP_GRACE = 4.0
"""For the running task to come to its next step once its backend is told to end."""
LAST_WORDS = 4.0
"""For reports on their way when a job ends; with STOP_GRACE less than any resource manager's time to SIGKILL (10)."""
REQUESTS_GRACE = 9.0
"""For requests in flight when a web server is told to end: less than any resource manager's time to SIGKILL."""
CALL_TIMEOUT = 10.0
"""One HTTP call between parts; none of them does model work before it answers."""

# Trials
TRIAL_LOG = 0.5
"""Between two parts of a trial's log: a person follows it, and each is a write that is waited for."""
TRIAL_LOG_PART = 256 * 1024
"""Bytes of one."""
TRIAL_STOP = 4.0
"""From SIGTERM to SIGKILL for a trial's command that is told to end; with LAST_WORDS it fits into Slurm's KillWait."""
TRIAL_DRAIN = 30.0
"""From being told to end to the trial's last word: after this the scheduler ends it. Files may be on their way."""
TRIAL_LEFTOVER_MIN = 60
"""Minutes after which a folder that a killed trial left on its node is removed by the next one there."""
TRIAL_STREAM = 600.0
"""A follower of a trial connects again after so long, and shows anew who it is: its token may have been revoked."""
TRIAL_PIECES = 86400.0
"""A working folder's pieces stay so long for the next try with nearly the same folder."""

# Pages
HEAD_TIMEOUT = 20.0
"""From the first byte of a request's head to its last: it fits into a packet or two."""
BODY_SILENCE = 30.0
"""Between two pieces of a request's body; a phone that changes its network is back sooner, or begins anew."""
BODY_TIMEOUT = 900.0
"""For the whole of it: the largest photo over a line of 256 kbit/s."""
KEEP_ALIVE = 75.0
"""A caller's connection without a request is closed after this, as nginx does."""
MAX_CONNECTIONS = 12_000
"""Callers' at one port; fewer where descriptors are short. Who is silent for longest gives way to who comes."""
UNREAD = 120.0
"""A caller that takes nothing of an answer for so long is cut off."""
HANDSHAKE = 10.0
"""For a caller's TLS handshake: three packets; a phone far away needs a second or two."""
CONNECT_TIMEOUT = 5.0
"""For a connection to another part; on one network it takes a millisecond."""
UPSTREAM_SILENCE = 120.0
"""Between two pieces of another part's answer; a photo may take a minute to be looked through."""
UPSTREAM_IDLE = 30.0
"""A kept connection to another part is ended after this: less than the 120 s after which waitress does so."""
LINGER = 2.0
"""After a last answer, for the caller to read it: closing at once would take it back (TCP reset)."""
MAX_DRAIN = 256 * 1024 * 1024
"""Bytes of a body that is refused which are read all the same: a browser shows no answer before it has sent all."""
SSE_KEEPALIVE = 4.0
"""A page that hears nothing twice in a row says so, within 10 s of it. Proxies cut silent streams at 15 to 60 s."""
SSE_BACKLOG = 1000
"""Events kept per session for replay; a page of results makes about twenty."""
MAX_UPLOAD = 25 * 1024 * 1024
"""Bytes of an uploaded photo; a phone's photo has 3 to 12 MB."""
MAX_BODY = MAX_UPLOAD + 64 * 1024
"""Bytes of any request body: an upload and its multipart framing."""
MAX_OPEN_TASKS = 32
"""Tasks of one session that may wait or run; a page makes one at a time."""

# State
DISK_LAG = 0.02
"""A commit that may lag behind is on the disk after this; to flush each by itself would cost more than it did."""
LEASE_RENEWAL = 3.0
"""Between signs of life of the daemon that holds the database; each is one small write."""
LEASE_STALE = 15.0
"""Without a sign for so long another daemon may take the database over; a busy database delays one by seconds."""
TRANSACTION_LIMIT = 10.0
"""PostgreSQL ends a transaction that does nothing for so long: a frozen daemon's, which others would wait for."""
SWEEP = 60.0
"""Between looks for what is too old to keep: a batch each, so that no writer waits for it noticeably."""
SWEEP_BATCH = 20
"""Sessions erased in one transaction; each may have a thousand events."""
SWEEP_ROWS = 500
"""Rows of other kinds deleted in one transaction."""
SWEEP_ROUNDS = 50
"""Batches in one sweep at most: a thousand sessions a minute, more than visitors without cookies make."""
SWEEP_FOLDERS = 4
"""Of the 256 that artifacts lie in, looked through in one sweep: all of them in about an hour."""
SWEEP_LOGS = 3600.0
"""Between looks at the jobs' old logs: they are kept for days, in a folder that a network may lie before."""
UNUSED_SESSION = 3600.0
"""A session that never asked for anything goes after this: every visitor without cookies makes one."""
ARTIFACT_GRACE = 3600.0
"""Bytes arrive before the row that names them; a report is tried again for minutes, not for an hour."""

# Accounts
LOGIN_PAUSES = (0.0, 0.0, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0)
"""After one, two … wrong passwords in a row: a slip costs nothing, guessing comes to a hundred tries a day."""
LOGIN_WINDOW = 600.0
"""From the first step of a login to its last: a provider may ask for a second factor."""
NOTE_LOGINS = 60.0
"""Between notes in the database of which logins and tokens were used; idle logins end within hours."""
WATCH_ALLOWANCE = 30.0
"""Between looks at who has used up their GPU minutes, while their backends run."""
PROVIDER_TIMEOUT = 10.0
"""For an answer of the OpenID provider, for which a person waits."""
PROVIDER_KEYS = 3600.0
"""The provider's keys and addresses are read anew after so long; keys at once when one is not known."""
PROVIDER_KEYS_PAUSE = 10.0
"""At least between two looks for an unknown key: tokens that nobody signed must not make us ask."""
CLOCK_SKEW = 30.0
"""By which the provider's clock may differ from ours."""
ASK_AGAIN = 60
"""After a limit was met that somebody has to do something about."""

# SSH to the login node
SSH_CONNECT = 10.0
"""Until a login node has let us in; a busy one takes 2 s."""
SSH_KEEPALIVE = 5.0
"""Between questions whether it is still there: with SSH_ANSWER a dead line is noticed before CONTACT_LOST."""
SSH_ANSWER = 10.0
"""Without an answer for so long, the line is dead and a new one is made."""
SSH_RETRY = 0.5
"""Before the second try to connect; each further one waits twice as long."""
SSH_RETRY_MAX = 10.0
"""The longest wait between tries: gentle to a site's login throttle, and short beside a person's patience."""

# TLS between the parts
AUTHORITY_LIFE = 10 * 365 * 86400.0
"""Of an installation's authority: longer than its machines. Its key never leaves the daemon's own folder."""
AUTHORITY_SOON = 180 * 86400.0
"""Before its end `ligan doctor` begins to warn; replacing it costs the jobs of the moment."""
DAEMON_CERTIFICATE = 30 * 86400.0
"""Of the daemon's own certificate, which is renewed each day: it bridges a node's clock that is weeks ahead."""
RENEW_CERTIFICATE = 86400.0
"""Between renewals."""
LONGEST_QUEUE = 30 * 86400.0
"""A job's certificate is issued when it is submitted, and lasts for so long in the queue and its time limit after."""
NODE_CLOCK_SKEW = 86400.0
"""By which a node's clock may be behind: sites without a time service are off by minutes, wrong time zones by hours."""
SITE_CERTIFICATE_SOON = 14 * 86400.0
"""Before the end of the public port's certificate `ligan doctor` warns: those that renew themselves do so earlier."""
LOOK_CERTIFICATE = 60.0
"""Between looks whether the site has put a new certificate for the public port in place."""

# Observing
WATCH = 1.0
"""Between looks at what has changed, for the metrics: a plot's finest step. It reads rows of the last moments only."""
