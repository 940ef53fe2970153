"""Files, jobs and events in one SQLite database. Every change of a job's status names the status it expects."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ApiError

ACTIVE = ("validating_files", "queued", "running")
FINISHED = ("succeeded", "failed", "cancelled")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL, filename TEXT NOT NULL,
  purpose TEXT NOT NULL, bytes INTEGER NOT NULL, rows INTEGER NOT NULL, sha256 TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS jobs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT, fingerprint TEXT NOT NULL,
  created_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER,
  status TEXT NOT NULL CHECK (status IN ('validating_files','queued','running','succeeded','failed','cancelled')),
  training_file TEXT NOT NULL, validation_file TEXT, data TEXT NOT NULL,
  metadata TEXT NOT NULL, spec TEXT NOT NULL, progress TEXT, result TEXT, error TEXT,
  restarts INTEGER NOT NULL DEFAULT 0, child_pid INTEGER, child_mark TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS one_live_job_per_key ON jobs (key) WHERE status NOT IN ('failed', 'cancelled');
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, job_id TEXT NOT NULL REFERENCES jobs (id),
  created_at INTEGER NOT NULL, level TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL, data TEXT
);
CREATE INDEX IF NOT EXISTS events_of_job ON events (job_id, seq);
"""
_JSON = ("data", "metadata", "spec", "progress", "result", "error")


def new_id(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(12)}"


class Store:
    """Safe to use from several threads of one process; a second process is kept out by the caller's lock."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "trainer.sqlite3", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _all(self, sql: str, *values: object) -> list[dict]:
        with self._lock:
            return [_plain(row) for row in self._db.execute(sql, values).fetchall()]

    def _one(self, sql: str, *values: object) -> dict | None:
        rows = self._all(sql, *values)
        return rows[0] if rows else None

    # Files

    def add_file(self, file_id: str, filename: str, purpose: str, size: int, rows: int, sha256: str) -> dict:
        with self._transaction() as db:
            db.execute(
                "INSERT INTO files (id, created_at, filename, purpose, bytes, rows, sha256) VALUES (?,?,?,?,?,?,?)",
                (file_id, int(time.time()), filename, purpose, size, rows, sha256),
            )
        return self.file(file_id)

    def file(self, file_id: str) -> dict | None:
        return self._one("SELECT * FROM files WHERE id = ?", file_id)

    def files(self, after: str | None, limit: int, purpose: str | None) -> tuple[list[dict], bool]:
        """Newest first; with whether more follow."""
        rows = self._all(
            "SELECT * FROM files WHERE seq < ? AND (? IS NULL OR purpose = ?) ORDER BY seq DESC LIMIT ?",
            self._position("files", after),
            purpose,
            purpose,
            limit + 1,
        )
        return rows[:limit], len(rows) > limit

    def delete_file(self, file_id: str) -> bool:
        """False if there is no such file. Raises ApiError 409 while a job that has not ended needs it."""
        with self._transaction() as db:
            busy = db.execute(
                "SELECT 1 FROM jobs WHERE ? IN (training_file, validation_file) AND finished_at IS NULL", (file_id,)
            ).fetchone()
            if busy:
                raise ApiError(409, "a fine-tuning job that has not ended uses this file", code="file_in_use")
            return db.execute("DELETE FROM files WHERE id = ?", (file_id,)).rowcount > 0

    # Jobs

    def add_job(
        self,
        *,
        key: str | None,
        fingerprint: str,
        training_file: str,
        validation_file: str | None,
        metadata: dict[str, str],
        spec: dict,
    ) -> tuple[dict, bool]:
        """The job of this key that has not failed or been cancelled, or a new one; and whether it is new.

        One transaction, and a unique index behind it: two submits at once get one job. Raises ApiError 400 for a
        missing file and 409 when the key belongs to a job that trains something else.
        """
        with self._transaction() as db:
            live = db.execute(
                "SELECT * FROM jobs WHERE key = ? AND status NOT IN ('failed', 'cancelled')", (key,)
            ).fetchone()
            data = {}
            for name, file_id in (("training_file", training_file), ("validation_file", validation_file)):
                found = db.execute("SELECT sha256 FROM files WHERE id = ?", (file_id,)).fetchone()
                data[name] = found["sha256"] if found else None
                if file_id is None or found or (live and live[name] == file_id):
                    continue
                raise ApiError(400, f"{name}: no such file", code="file_not_found", param=name)
            if live:
                job = _plain(live)
                same_files = all(
                    job[name] == file_id or (data[name] is not None and job["data"][name] == data[name])
                    for name, file_id in (("training_file", training_file), ("validation_file", validation_file))
                )
                if job["fingerprint"] == fingerprint and same_files:
                    return job, False
                raise ApiError(
                    409,
                    "another job with this understudy key trains on other data or with other settings",
                    code="understudy_key_conflict",
                    param="understudy.key",
                )
            job_id = new_id("ftjob")
            db.execute(
                "INSERT INTO jobs (id, key, fingerprint, created_at, status, training_file, validation_file, data,"
                " metadata, spec) VALUES (?,?,?,?,'validating_files',?,?,?,?,?)",
                (
                    job_id,
                    key,
                    fingerprint,
                    int(time.time()),
                    training_file,
                    validation_file,
                    *(json.dumps(value) for value in (data, metadata, spec)),
                ),
            )
            _event(db, job_id, "Created fine-tuning job")
        return self.job(job_id), True

    def job(self, job_id: str) -> dict | None:
        return self._one("SELECT * FROM jobs WHERE id = ?", job_id)

    def jobs(self, after: str | None, limit: int, metadata: dict[str, str]) -> tuple[list[dict], bool]:
        """Newest first, those that carry every given pair of metadata; with whether more follow."""
        pairs = list(metadata.items())
        rows = self._all(
            "SELECT * FROM jobs WHERE seq < ?"
            + " AND EXISTS (SELECT 1 FROM json_each(jobs.metadata) WHERE key = ? AND value = ?)" * len(pairs)
            + " ORDER BY seq DESC LIMIT ?",
            self._position("jobs", after),
            *(part for pair in pairs for part in pair),
            limit + 1,
        )
        return rows[:limit], len(rows) > limit

    def oldest(self, status: str) -> dict | None:
        return self._one("SELECT * FROM jobs WHERE status = ? ORDER BY seq LIMIT 1", status)

    def running(self) -> list[dict]:
        return self._all("SELECT * FROM jobs WHERE status = 'running'")

    def move(self, job_id: str, expected: tuple[str, ...], status: str, message: str, **changes: object) -> bool:
        """Change a job's status if it is one of ``expected``, with an event in the same transaction."""
        if status in FINISHED:
            changes["finished_at"] = int(time.time())
        level = {"failed": "error", "cancelled": "warn"}.get(status, "info")
        with self._transaction() as db:
            moved = self._set(db, job_id, changes | {"status": status}, expected)
            if moved:
                _event(db, job_id, message, level=level)
        return moved

    def set(self, job_id: str, **changes: object) -> None:
        with self._transaction() as db:
            self._set(db, job_id, changes)

    def _set(self, db, job_id: str, changes: dict, expected: tuple[str, ...] | None = None) -> bool:
        columns = ", ".join(f"{name} = ?" for name in changes)  # names come from this program only
        values = [json.dumps(v) if k in _JSON and v is not None else v for k, v in changes.items()]
        where = "" if expected is None else f" AND status IN ({','.join('?' * len(expected))})"
        cursor = db.execute(f"UPDATE jobs SET {columns} WHERE id = ?{where}", (*values, job_id, *(expected or ())))
        return cursor.rowcount > 0

    # Events

    def event(self, job_id: str, message: str, *, level: str = "info", metrics: dict | None = None) -> None:
        with self._transaction() as db:
            _event(db, job_id, message, level=level, metrics=metrics)

    def progress(self, job_id: str, message: str, metrics: dict) -> None:
        with self._transaction() as db:
            self._set(db, job_id, {"progress": metrics})
            _event(db, job_id, message, metrics=metrics)

    def events(self, job_id: str, after: str | None, limit: int) -> tuple[list[dict], bool]:
        """Newest first; with whether more follow."""
        rows = self._all(
            "SELECT * FROM events WHERE job_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
            job_id,
            self._position("events", after),
            limit + 1,
        )
        return rows[:limit], len(rows) > limit

    def _position(self, table: str, after: str | None) -> int:
        if after is None:
            return 2**62
        row = self._one(f"SELECT seq FROM {table} WHERE id = ?", after)
        if row is None:
            raise ApiError(400, "after: no such object", code="invalid_value", param="after")
        return row["seq"]


def _event(db, job_id: str, message: str, *, level: str = "info", metrics: dict | None = None) -> None:
    db.execute(
        "INSERT INTO events (id, job_id, created_at, level, type, message, data) VALUES (?,?,?,?,?,?,?)",
        (
            new_id("ftevent"),
            job_id,
            int(time.time()),
            level,
            "message" if metrics is None else "metrics",
            message,
            None if metrics is None else json.dumps(metrics),
        ),
    )


def _plain(row: sqlite3.Row) -> dict:
    return {
        name: json.loads(row[name]) if name in _JSON and row[name] is not None else row[name] for name in row.keys()
    }
