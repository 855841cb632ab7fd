"""The tables. Times are Unix seconds; a session's own rows hang on `session_key`, which never leaves the daemon."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData()

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))

sessions = Table(
    "sessions",
    metadata,
    Column("session_key", String, primary_key=True),
    Column("user", String, nullable=False, default=""),  # who asks: a user's ID, or an address without accounts
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False, index=True),
    Column("wants_backend", Boolean, nullable=False, default=False, index=True),
    Column("wanted_at", Float),  # since when, without a break: place in the queue and start of the absolute lifetime
    Column("last_event", Integer, nullable=False, default=0),
)

# A reload gives the page a new ID; old ones stay good for other tabs of the same browser, which share its cookie.
session_ids = Table(
    "session_ids",
    metadata,
    Column("session_id", String, primary_key=True),
    Column("session_key", ForeignKey("sessions.session_key"), nullable=False, index=True),
    Column("issued_at", Float, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("nonce", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("seat", String, nullable=False),  # whose place it fills: a session's key, `frontend`, `pool-1`, `cpu-1` …
    Column("generation", Integer, nullable=False),
    Column("instance_id", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("reason", Text, nullable=False, default=""),
    Column("cause", String, nullable=False, default=""),  # of its end, EndCause
    Column(
        "failures", Integer, nullable=False, default=0
    ),  # jobs of the seat before it, in a row, that never got ready
    Column("job_id", String),
    Column("host", String),
    Column("port", Integer),
    Column("requested_at", Float, nullable=False),
    Column("submitted_at", Float),
    Column("started_at", Float),
    Column("ready_at", Float),
    Column("heard_at", Float),
    Column("ends_at", Float),
    Column("draining_at", Float),
    Column("ended_at", Float, index=True),
    Column("expected_start", Float),
    Column("relieved", Boolean, nullable=False, default=False),  # its successor is wanted now
    Column("missing_polls", Integer, nullable=False, default=0),
    Column("protocol", Integer),  # of the messages it speaks, once it has registered
    Column("tls", Boolean, nullable=False, default=False, server_default=false()),  # it speaks that, and nothing else
    # What a trial asks for itself; NULL where the site's settings for the role say it
    Column("time_limit_s", Integer),
    Column("partition", String),
    Column("image", String),
    Column("gpus", Integer, nullable=False, default=1, server_default="1"),
    UniqueConstraint("seat", "generation"),  # promise 2
)

images = Table(
    "images",
    metadata,
    Column("image_id", String, primary_key=True),
    Column("session_key", ForeignKey("sessions.session_key"), nullable=False),
    Column("sha256", String, nullable=False),
    Column("origin", String, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("face", Integer),
    Column("weights", String),  # SHA-256 of the refined weights that made it, the session's own
    Column("created_at", Float, nullable=False),
    Index("images_by_artifact", "session_key", "sha256"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),  # order of arrival
    Column("task_id", String, nullable=False, unique=True),
    Column("session_key", ForeignKey("sessions.session_key"), nullable=False),
    Column("kind", String, nullable=False),
    Column("params", Text, nullable=False),
    Column("images", Text, nullable=False),  # the input images as ImageRef messages
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False, default=1),
    Column("losses", Integer, nullable=False, default=0),  # backends that ended while they ran it
    Column("nonce", String),  # the backend it is placed on; NULL while it waits for one
    Column("sent", Boolean, nullable=False, default=False),  # that backend has confirmed it
    Column("time_request_s", Float, nullable=False, default=1.0),
    Column("cpu", Boolean, nullable=False, default=True),
    Column("checkpoint", String),  # SHA-256 of what the next attempt resumes from
    Column("seq", Integer, nullable=False, default=-1),
    Column("percent", Float, nullable=False, default=0.0),
    Column("eta_s", Float),
    Column("preview", Text),  # what it came to so far, a ResultImage message
    Column("preview_sha256", String),
    Column("preview_seq", Integer, nullable=False, default=-1, server_default="-1"),
    Column("stopping", Boolean, nullable=False, default=False, server_default=false()),  # to end early, keeping that
    Column("result", Text),
    Column("problem", Text),
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
    Index("tasks_of_session", "session_key", "state"),  # which are open, among all that it ever had
)

events = Table(
    "events",
    metadata,
    Column("session_key", ForeignKey("sessions.session_key"), primary_key=True),
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    sqlite_with_rowid=False,  # one page less to write for each; older files have one, which does no harm
)

# Every time a task was placed on a backend, and what became of it.
attempts = Table(
    "attempts",
    metadata,
    Column("task_id", ForeignKey("tasks.task_id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("nonce", String, nullable=False),
    Column("began_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("outcome", String),  # done, moved, lost, or the slug of a problem
    sqlite_with_rowid=False,  # as above
)

# Those that have not ended, however many have: a task that is stored as done touches it not at all.
_open = text("state IN ('queued', 'running')")
open_tasks = Index("open_tasks", tasks.c.state, tasks.c.nonce, sqlite_where=_open, postgresql_where=_open)
Index("images_of_artifact", images.c.sha256)  # does any session still need it?
images_of_weights = Index("images_of_weights", images.c.weights)  # the same of refined weights
attempts_of_job = Index("attempts_of_job", attempts.c.nonce)  # whose tasks a shared backend did

# One row: which daemon may write. Each one that takes over counts `epoch` up, and earlier ones are fenced by it.
lease = Table(
    "lease",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("renewed_at", Float, nullable=False),
)

# What was done, by whom and to what; only ever added to, and swept when it is old.
audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False, index=True),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False, index=True),
    Column("detail", Text, nullable=False),  # a JSON object
)

# Who may use the service. `subject` is the name under which `source` (local, oidc, header) knows the user.
users = Table(
    "users",
    metadata,
    Column("user_id", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("name", String, nullable=False, index=True),
    Column("role", String, nullable=False),
    Column("password_hash", String),  # Argon2id in PHC form; NULL where the password is not ours
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float),
    UniqueConstraint("source", "subject"),
)

# One per browser that is logged in; its ID stands in the encrypted cookie beside the session's.
logins = Table(
    "logins",
    metadata,
    Column("login_id", String, primary_key=True),
    Column("user_id", ForeignKey("users.user_id"), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("id_token", Text),  # the provider's, encrypted: with it the browser is logged out there too
)

# API tokens for scripts: only the SHA-256 of each is kept.
tokens = Table(
    "tokens",
    metadata,
    Column("token_id", String, primary_key=True),
    Column("user_id", ForeignKey("users.user_id"), nullable=False, index=True),
    Column("digest", String, nullable=False, unique=True),
    Column("label", String, nullable=False),
    Column("role", String, nullable=False),  # at most; less where the user has less
    Column("session_key", String),  # the session that its calls act in; erased ones are replaced
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
)

# Whose a session is or was: GPU minutes count for the user, also after the session was erased.
owners = Table(
    "owners",
    metadata,
    Column("session_key", String, primary_key=True),
    Column("user_id", ForeignKey("users.user_id"), nullable=False, index=True),
    Column("since", Float, nullable=False),
)

# GPU time of jobs and tasks whose rows are gone, by UTC day: what retention takes away still counts.
gpu_days = Table(
    "gpu_days",
    metadata,
    Column("day", Float, primary_key=True),  # its 00:00 UTC
    Column("user_id", String, primary_key=True),  # empty: nobody's, such as a standby backend's
    Column("kind", String, primary_key=True),  # usage.Kind
    Column("gpu_seconds", Float, nullable=False),
)

# Developers' test jobs: the command and what became of it. Its job in the cluster has the seat `trial_id`.
trials = Table(
    "trials",
    metadata,
    Column("trial_id", String, primary_key=True),
    Column("user", String, nullable=False),  # a user's ID, or `operator` for the operator's token
    Column("request_id", String, nullable=False),  # of the one who asks, who may ask again when no answer came
    Column("order", Text, nullable=False),  # the NewTrial message
    Column("created_at", Float, nullable=False),
    Column("cancelled_at", Float),
    Column("result", Text),  # the command's end as it was reported, a TrialResult message
    Column("carried", Text),  # that of its last part that reported one, which its newest job goes on from
    UniqueConstraint("user", "request_id"),
)

# Bytes of working folders and of what trials sent back, each an artifact; whose they are says who may name them.
pieces = Table(
    "pieces",
    metadata,
    Column("owner", String, primary_key=True),  # a user's ID before the trial is there, then the trial's
    Column("sha256", String, primary_key=True, index=True),
    Column("size", Integer, nullable=False),
    Column("stored_at", Float, nullable=False),
)
