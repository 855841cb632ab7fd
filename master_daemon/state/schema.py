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
)

metadata = MetaData()

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))

sessions = Table(
    "sessions",
    metadata,
    Column("session_key", String, primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("wants_backend", Boolean, nullable=False, default=False, index=True),
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
    Column("session_key", String, nullable=False, default=""),  # empty for the frontend, which serves everybody
    Column("generation", Integer, nullable=False),
    Column("instance_id", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("reason", Text, nullable=False, default=""),
    Column("job_id", String),
    Column("host", String),
    Column("port", Integer),
    Column("requested_at", Float, nullable=False),
    Column("submitted_at", Float),
    Column("started_at", Float),
    Column("ready_at", Float),
    Column("heard_at", Float),
    Column("ends_at", Float),
    Column("ended_at", Float),
    Column("missing_polls", Integer, nullable=False, default=0),
    UniqueConstraint("role", "session_key", "generation"),  # promise 2
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
    Column("created_at", Float, nullable=False),
    Index("images_by_artifact", "session_key", "sha256"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),  # order of arrival
    Column("task_id", String, nullable=False, unique=True),
    Column("session_key", ForeignKey("sessions.session_key"), nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("params", Text, nullable=False),
    Column("images", Text, nullable=False),  # the input images as ImageRef messages
    Column("state", String, nullable=False, index=True),
    Column("attempt", Integer, nullable=False, default=1),
    Column("nonce", String),  # the backend that has it; NULL until one took it
    Column("seq", Integer, nullable=False, default=-1),
    Column("percent", Float, nullable=False, default=0.0),
    Column("eta_s", Float),
    Column("result", Text),
    Column("problem", Text),
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
)

events = Table(
    "events",
    metadata,
    Column("session_key", ForeignKey("sessions.session_key"), primary_key=True),
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)
