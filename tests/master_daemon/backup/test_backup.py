"""`ligan backup` and `ligan restore`: what was there is there again, of a running daemon, in either database."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, text

from ligan.identity import load_secret
from ligan.ids import new_id
from ligan.settings import DaemonSettings, Settings
from master_daemon.authority.file import open_authority, read_authority
from master_daemon.backup.archive import BackupError
from master_daemon.backup.restoring import restore
from master_daemon.backup.saving import save
from master_daemon.state import audit, lease, tasks
from master_daemon.state.artifacts import Artifacts
from master_daemon.state.database import Database
from master_daemon.state.dialect import database_url, open_engine
from master_daemon.state.schema import metadata
from master_daemon.state.tenure import Tenure
from master_daemon.state.version import VERSION
from master_daemon.trials.log_files import LogFiles
from tests.ligan_command import ligan
from tests.master_daemon.running import house_in
from tests.master_daemon.state.rows import NOW, add_job, add_task, new_session

PICTURE = b"\x89PNG and so on"
TRIAL = new_id("j")
SHA256 = hashlib.sha256(PICTURE).hexdigest()
Rows = dict[str, list[tuple[object, ...]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def setting(request: pytest.FixtureRequest) -> str:
    """`database` of a site file."""
    return str(request.getfixturevalue("postgresql_url")) if request.param == "postgresql" else ""


def settings_of(database: str) -> Settings:
    return Settings(daemon=DaemonSettings(database=database))


@pytest.fixture
def state_dir(setting: str, tmp_path: Path) -> Path:
    """Of an installation that has been used, and whose daemon still has the lease."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    load_secret(folder / "secret")
    open_authority(folder, NOW)
    Artifacts(folder / "artifacts").put(SHA256, PICTURE)
    LogFiles(folder, 100).write(TRIAL, 0, b"epoch 1\n")
    (folder / "trial-logs" / "notes.txt").write_bytes(b"somebody's")
    (folder / "artifacts" / SHA256[:2] / "tmphalf").write_bytes(b"half")
    with Database(database_url(setting, folder)) as database:
        Tenure(database, "login1:/state")
        _, key = new_session(database)
        add_task(database, key, add_job(database, key), text='naïve \u2028 \\ "quoted"')
        with database.write() as transaction:
            audit.record(transaction, audit.DAEMON, "made", "all", NOW, note="x")
    return folder


def rows(database: str, folder: Path, but: str = "lease") -> Rows:
    """All that stands in the tables."""
    engine, dialect = open_engine(database_url(database, folder))
    with engine.execution_options(**dialect.reading).connect() as connection:
        tables = [table for table in metadata.sorted_tables if table.name != but]
        found = {t.name: sorted(map(tuple, connection.execute(select(t))), key=repr) for t in tables}
    engine.dispose()
    return found


def test_everything_is_there_again(setting: str, state_dir: Path, tmp_path: Path, empty: str) -> None:
    before = rows(setting, state_dir)
    saved = save(settings_of(setting), state_dir, tmp_path / "backup.tar", NOW)
    restored = restore(settings_of(empty), tmp_path / "backup.tar", tmp_path / "new")
    assert rows(empty, tmp_path / "new") == before
    assert restored.rows == saved.rows
    assert (saved.rows["sessions"], saved.rows["tasks"], saved.artifacts, restored.artifacts) == (1, 1, 1, 1)
    assert Artifacts(tmp_path / "new" / "artifacts").path(SHA256).read_bytes() == PICTURE
    assert load_secret(tmp_path / "new" / "secret") == load_secret(state_dir / "secret")
    assert (saved.logs, restored.logs) == (1, 1)
    assert LogFiles(tmp_path / "new", 100).read(TRIAL, 0, 100) == b"epoch 1\n"
    assert [path.name for path in (tmp_path / "new" / "trial-logs").iterdir()] == [TRIAL]
    restored, saved = read_authority(tmp_path / "new"), read_authority(state_dir)
    assert restored is not None
    assert saved is not None
    assert restored.pem == saved.pem, "jobs that run go on being believed"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert not [path for path in (tmp_path / "new").iterdir() if path.stat().st_mode & 0o077], (
        "all of it is theirs alone"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "new", "state"]


@pytest.fixture
def empty(setting: str, request: pytest.FixtureRequest) -> str:
    """Another database of the same kind, without tables."""
    return str(request.getfixturevalue("postgresql_server").new_database()) if setting else ""


@pytest.mark.parametrize("first", ["sqlite", "postgresql"])
def test_a_backup_of_one_kind_fits_the_other(first: str, tmp_path: Path, postgresql_url: str) -> None:
    one, other = ("", postgresql_url) if first == "sqlite" else (postgresql_url, "")
    folder = tmp_path / "state"
    folder.mkdir()
    load_secret(folder / "secret")
    with Database(database_url(one, folder)) as database:
        _, key = new_session(database)
        for _ in range(3):
            add_task(database, key)
    save(settings_of(one), folder, tmp_path / "backup.tar", NOW)
    restore(settings_of(other), tmp_path / "backup.tar", tmp_path / "new")
    with Database(database_url(other, tmp_path / "new")) as database:
        task_id = add_task(database, key)  # its number is the next one
        with database.read() as connection:
            assert tasks.get(connection, key, task_id).task_id == task_id
    assert len(rows(other, tmp_path / "new")["tasks"]) == 4


def test_the_old_daemon_is_fenced(setting: str, state_dir: Path, tmp_path: Path, empty: str) -> None:
    with Database(database_url(setting, state_dir)) as database:
        old = Tenure(database, "login1:/state")
        save(settings_of(setting), state_dir, tmp_path / "backup.tar", NOW)
        if not setting:  # its file is its own: only the same database can fence it
            restore(settings_of(""), tmp_path / "backup.tar", tmp_path / "new")
            with Database(database_url("", tmp_path / "new")) as fresh:
                assert Tenure(fresh, "login2:/state").epoch == old.epoch + 2
            return
        with database.engine.begin() as connection:
            metadata.drop_all(connection)
        restore(settings_of(setting), tmp_path / "backup.tar", tmp_path / "new")
        with pytest.raises(lease.FencedError):
            old.renew(NOW)
        assert old.fenced
    with Database(database_url(setting, state_dir)) as fresh:
        assert Tenure(fresh, "login2:/state").epoch == old.epoch + 2


def test_what_is_there_is_not_overwritten(setting: str, state_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "backup.tar"
    save(settings_of(setting), state_dir, path, NOW)
    with pytest.raises(BackupError, match="is there already"):
        save(settings_of(setting), state_dir, path, NOW)
    with pytest.raises(BackupError, match="is not empty"):
        restore(settings_of(setting), path, state_dir)
    if setting:
        with pytest.raises(BackupError, match="has tables of LiGAN already"):
            restore(settings_of(setting), path, tmp_path / "new")
        assert not (tmp_path / "new").exists()


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 1024 * 512)


def change(path: Path) -> None:
    content = path.read_bytes()
    assert PICTURE in content
    path.write_bytes(content.replace(PICTURE, PICTURE[::-1]))


def flip(member: str) -> Callable[[Path], None]:
    """One bit of the middle of that member."""

    def damage(path: Path) -> None:
        with tarfile.open(path) as tar:
            found = tar.getmember(member)
        content = bytearray(path.read_bytes())
        content[found.offset_data + found.size // 2] ^= 1
        path.write_bytes(content)

    return damage


def change_an_older_one(path: Path) -> None:
    """The end of earlier versions' backups is empty."""
    rewrite(path, [])
    change(path)


def of_another_version(path: Path) -> None:
    content = path.read_bytes()
    assert b'"schema_version":%d' % VERSION in content
    path.write_bytes(content.replace(b'"schema_version":%d' % VERSION, b'"schema_version":9'))


def with_a_log_outside(path: Path) -> None:
    rewrite(path, [tarfile.TarInfo("trial-logs/../../stolen")])


def rewrite(path: Path, more: list[tarfile.TarInfo]) -> None:
    """With further members, and an empty end."""
    with tarfile.open(path) as tar, tarfile.open(f"{path}.new", "w") as new:
        for member in tar.getmembers()[:-1]:
            new.addfile(member, tar.extractfile(member))
        for member in (*more, tarfile.TarInfo("end")):
            new.addfile(member)
    Path(f"{path}.new").rename(path)


def no_backup(path: Path) -> None:
    with tarfile.open(path, "w") as tar:
        tar.add(__file__, arcname="test.py")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "cut off|cannot be read"),
        (change, "is damaged"),
        (flip("secret"), "is damaged"),
        (flip("tables/meta"), "is damaged"),
        (change_an_older_one, "has other bytes than its name says"),
        (of_another_version, f"tables have version 9; this LiGAN's have {VERSION}. Restore it with that LiGAN"),
        (with_a_log_outside, "'../../stolen' is no test job's name"),
        (no_backup, "is no backup of LiGAN"),
        (lambda path: path.write_bytes(b"x" * 2000), "cannot be read"),
    ],
)
def test_a_backup_that_does_not_fit_changes_nothing(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    folder, path = tmp_path / "state", tmp_path / "backup.tar"
    folder.mkdir()
    load_secret(folder / "secret")
    Artifacts(folder / "artifacts").put(SHA256, PICTURE)
    Database(database_url("", folder)).close()
    save(settings_of(""), folder, path, NOW)
    damage(path)
    with pytest.raises(BackupError, match=said):
        restore(settings_of(""), path, tmp_path / "new")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["backup.tar", "state"]


def test_a_running_daemon_is_saved_and_its_pages_go_on_with_another(tmp_path: Path) -> None:
    with house_in(tmp_path / "state") as house:
        house.frontend()
        browser = house.page()
        house.backend(browser)
        key = house.key(house.session_of(browser)["session_id"])
        done = ligan("backup", tmp_path / "backup.tar", "--state-dir", tmp_path / "state", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["rows"]["sessions"] == 1
    path = tmp_path / "backup.tar"
    assert path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "site.toml").touch()
    done = ligan("restore", path, "--state-dir", tmp_path / "new", "--config", tmp_path / "site.toml")
    assert done.returncode == 0, done.stderr
    assert "1 sessions" in done.stdout
    assert f"`ligan up --config {tmp_path}/site.toml --state-dir {tmp_path}/new`" in done.stdout
    with house_in(tmp_path / "new") as house:
        session = browser.get(house.url + "/api/v1/session").json()
        assert house.key(session["session_id"]) == key
        assert session["backend"]["generation"] == 1
    browser.close()


def test_refusals_are_sentences(tmp_path: Path) -> None:
    for words, said in (
        (("backup", tmp_path / "x.tar", "--state-dir", tmp_path), "is no state directory of LiGAN"),
        (("restore", tmp_path / "none.tar", "--state-dir", tmp_path / "new"), "none.tar cannot be read"),
        (("backup", tmp_path / "x.tar", "--config", tmp_path / "none.toml"), "The site file cannot be read"),
    ):
        done = ligan(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_help_teaches_with_examples(verb: str) -> None:
    shown = ligan(verb, "--help").stdout
    assert f"  ligan {verb} " in shown.partition("examples:")[2]
    assert "Exit status: 0" in shown


def test_a_disk_that_is_full_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    load_secret(folder / "secret")
    Database(database_url("", folder)).close()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(OSError, match="No space"):
        save(settings_of(""), folder, tmp_path / "backup.tar", NOW)
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


def test_an_installation_of_an_older_version_is_brought_up_first(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    load_secret(folder / "secret")
    with Database(database_url("", folder)) as database, database.write() as transaction:
        transaction.connection.execute(text("UPDATE meta SET value = '2' WHERE key = 'schema_version'"))
    with pytest.raises(BackupError, match="start this one once"):
        save(settings_of(""), folder, tmp_path / "backup.tar", NOW)
