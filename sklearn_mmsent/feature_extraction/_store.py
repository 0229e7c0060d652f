"""FeatureStore: a bounded table of float32 rows on disk, shared by processes."""

import os
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from sklearn_mmsent.exceptions import DataFormatError

_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, used INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_used ON entries (used);
CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS claims (
    key BLOB PRIMARY KEY, process INTEGER NOT NULL, owner TEXT NOT NULL, at REAL NOT NULL
);
COMMIT;
"""
_TIMEOUT = 60  # seconds to wait while another process writes
_QUERY_KEYS = 500  # keys per query
_CLAIM_SECONDS = 1800  # after which a claim expires


class FeatureStore:
    """Rows of float32 by key, in one SQLite file inside a folder.

    Each call opens a connection, so that the store can be pickled and forked, and is one
    transaction, which is atomic even if the process is killed. Keys and times of use are separate
    from values, so that a hit does not rewrite a value.

    The folder is created if needed. It must be on a local disk, which SQLite's write-ahead log
    requires.
    """

    def __init__(self, folder):
        self.path = Path(folder).expanduser() / "features-v2.sqlite3"

    def get(self, keys):
        """Return the rows that are in the store, by key, and update their time of use."""
        found = {}
        with self._open() as db:
            for start in range(0, len(keys), _QUERY_KEYS):
                batch = keys[start : start + _QUERY_KEYS]
                marks = ",".join("?" * len(batch))
                hits = db.execute(
                    f"SELECT key, value FROM entries JOIN rows USING (id) WHERE key IN ({marks})",
                    batch,
                ).fetchall()
                if hits:
                    db.execute(
                        f"UPDATE entries SET used = ? WHERE key IN ({marks})",
                        [time.time_ns(), *batch],
                    )
                found |= {key: np.frombuffer(value, dtype="<f4") for key, value in hits}
        return found

    def put(self, rows, max_bytes):
        """Store rows by key, and drop the least recently used ones beyond the maximum size.

        Rows that another process has stored in the meantime are kept.
        """
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            now = time.time_ns()
            for key, row in rows.items():
                new = db.execute(
                    "INSERT OR IGNORE INTO entries (key, used) VALUES (?, ?)", (key, now)
                )
                if new.rowcount:
                    value = np.ascontiguousarray(row, dtype="<f4").tobytes()
                    db.execute("INSERT INTO rows (id, value) VALUES (?, ?)", (new.lastrowid, value))
            self._evict(db, max_bytes)
            db.execute("COMMIT")
            db.execute("PRAGMA incremental_vacuum").fetchall()

    def claim(self, keys, owner):
        """Reserve rows to extract, so that no other process extracts them.

        Returns the set of reserved keys; the others are reserved by other processes, or stored.
        Claims of dead processes are ignored. The name of the claim, `owner`, is unique to the
        call.
        """
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            for (process,) in db.execute("SELECT DISTINCT process FROM claims").fetchall():
                if not _is_alive(process):
                    db.execute("DELETE FROM claims WHERE process = ?", (process,))
            db.execute("DELETE FROM claims WHERE at < ?", (time.time() - _CLAIM_SECONDS,))
            db.executemany(
                "INSERT OR IGNORE INTO claims (key, process, owner, at) SELECT ?, ?, ?, ? "
                "WHERE NOT EXISTS (SELECT 1 FROM entries WHERE key = ?)",
                [(key, os.getpid(), owner, time.time(), key) for key in keys],
            )
            mine = db.execute("SELECT key FROM claims WHERE owner = ?", (owner,)).fetchall()
            db.execute("COMMIT")
        return {key for (key,) in mine}

    def release(self, owner):
        """Release the claims of an owner."""
        with self._open() as db:
            db.execute("DELETE FROM claims WHERE owner = ?", (owner,))

    def clear(self):
        """Delete all rows."""
        with self._open() as db:
            db.executescript("BEGIN IMMEDIATE; DELETE FROM rows; DELETE FROM entries; COMMIT;")
            db.execute("PRAGMA incremental_vacuum").fetchall()

    def size(self):
        """Return the bytes of rows and index on disk."""
        with self._open() as db:
            return self._size(db)

    def __len__(self):
        with self._open() as db:
            return db.execute("SELECT COUNT(*) FROM entries").fetchone()[0]

    @contextmanager
    def _open(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.path, timeout=_TIMEOUT, isolation_level=None)) as db:
                self._prepare(db)
                yield db
        except sqlite3.Error as error:
            raise DataFormatError(
                f"Cached: the feature store {str(self.path)!r} cannot be used ({error}). Choose "
                "another location, on a local disk with free space, or delete this file."
            ) from error

    @staticmethod
    def _prepare(db):
        deadline = time.monotonic() + _TIMEOUT
        while True:
            try:
                db.execute("PRAGMA auto_vacuum = INCREMENTAL")
                # SQLite does not always wait for the lock here
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                if db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0] == 0:
                    db.executescript(_SCHEMA)
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                if db.in_transaction:
                    db.execute("ROLLBACK")
                time.sleep(0.02)

    @staticmethod
    def _size(db):
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
        (page_size,) = db.execute("PRAGMA page_size").fetchone()
        return (pages - free) * page_size

    def _evict(self, db, max_bytes):
        while (excess := self._size(db) - max_bytes) > 0:
            (n,) = db.execute("SELECT COUNT(*) FROM entries").fetchone()
            if n == 0:
                return
            n_drop = max(1, int(n * excess / (excess + max_bytes)))
            old = db.execute(
                "SELECT id FROM entries ORDER BY used, id LIMIT ?", (n_drop,)
            ).fetchall()
            db.executemany("DELETE FROM rows WHERE id = ?", old)
            db.executemany("DELETE FROM entries WHERE id = ?", old)


def _is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # a process of another user
        return True
    return True
