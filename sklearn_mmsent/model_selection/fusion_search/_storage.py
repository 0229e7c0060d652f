"""Storage of a study: memory, a file, or a database."""

import contextlib
import json
import os
import sqlite3
import time
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from sklearn_mmsent.exceptions import StudyError
from sklearn_mmsent.utils._messages import first_line

_SQLITE = "sqlite:///"
_JOURNAL = b'{"op_code":'  # how a journal begins
_SQLITE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_TIMEOUT = 60  # seconds for which a process waits while another writes to an SQLite file


class OpenStorage:
    """A storage of Optuna with clear errors when it becomes unavailable.

    Parameters
    ----------
    storage : None, str, Path or BaseStorage
        None for memory; a path of a file, SQLite if it ends in .db, .sqlite or .sqlite3, a journal
        otherwise; the URL of a database; or a storage of Optuna.
    """

    def __init__(self, storage):
        self.path, self.place = None, "memory"
        if storage is None:
            self.storage = InMemoryStorage()
        elif isinstance(storage, BaseStorage):
            self.storage, self.place = storage, type(storage).__name__
        elif "://" in (place := os.fspath(storage)) and not place.startswith(_SQLITE):
            self._open_database(place)
        else:
            self._open_file(place)
        self._file = self._identity()

    @property
    def shared(self):
        """Whether other processes can access it."""
        return not isinstance(self.storage, InMemoryStorage)

    @contextlib.contextmanager
    def available(self):
        """Run code that reads or writes; raise a StudyError if the storage is unavailable."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            # Optuna would go on writing to a deleted SQLite file, or begin another journal
            if self.path is not None and self._identity() != self._file:
                raise FileNotFoundError(f"the file {str(self.path)!r} was removed or replaced")
            yield
        except (StorageInternalError, SQLAlchemyError, OSError, json.JSONDecodeError) as error:
            if isinstance(error, StudyError):
                raise
            raise StudyError(
                f"FusionSearchCV: the study in {self.place} is no longer available: "
                f"{_reason(error)}. The results so far are in cv_results_ and study_ of this "
                "search. Restore the storage, and call fit again to continue."
            ) from error

    def close(self):
        """Close the connections to a database that this object opened."""
        if self.path is not None and isinstance(self.storage, RDBStorage):
            self.storage.remove_session()
            self.storage.engine.dispose()

    def _open_database(self, url):
        from sqlalchemy.engine import make_url

        self.place = "at the given URL"
        try:
            self.place = make_url(url).render_as_string(hide_password=True)
            self.storage = RDBStorage(url)
        except ImportError as error:
            raise StudyError(
                f"FusionSearchCV: a study in {self.place} needs the driver of the database: "
                f"{str(error).rstrip('.')}. For example: pip install psycopg2-binary "
                "(postgresql://...) or pymysql (mysql+pymysql://...)."
            ) from error
        except Exception as error:
            raise StudyError(
                f"FusionSearchCV: the database {self.place} cannot be opened: {_reason(error)}"
            ) from error

    def _open_file(self, place):
        self.path = Path(place.removeprefix(_SQLITE))
        self.place = f"the file {str(self.path)!r}"
        is_sqlite = place.startswith(_SQLITE) or self.path.suffix in _SQLITE_SUFFIXES
        try:
            if not self.path.parent.is_dir():
                raise FileNotFoundError(f"there is no folder {str(self.path.parent)!r}")
            if is_sqlite:
                _check_tables(self.path)
                self.storage = _open_sqlite(self.path)
            else:
                _check_journal(self.path)
                self.storage = JournalStorage(JournalFileBackend(str(self.path)))
        except Exception as error:
            raise StudyError(
                f"FusionSearchCV: {self.place} cannot be read as a study of Optuna: "
                f"{_reason(error)}. Use another file as storage, or delete this one."
            ) from error

    def _identity(self):
        if self.path is None:
            return None
        try:
            stat = os.stat(self.path)
        except OSError:
            return None
        return stat.st_dev, stat.st_ino


def _check_journal(path):
    """Raise an error for another kind of file: Optuna would append to it."""
    start = b""
    if path.exists():
        with path.open("rb") as file:
            start = file.read(len(_JOURNAL))
    if start not in (b"", _JOURNAL):
        raise ValueError("it is not a journal")


def _check_tables(path):
    """Raise an error for an SQLite file of another program: Optuna would add its tables."""
    if not path.exists():
        return
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    if tables and not tables >= {"studies", "trials"}:
        raise ValueError("it is an SQLite database without a study")


def _open_sqlite(path):
    for attempt in range(10):
        try:
            return RDBStorage(
                f"{_SQLITE}{path}", engine_kwargs={"connect_args": {"timeout": _TIMEOUT}}
            )
        except Exception:  # of several processes that create the tables, one succeeds
            if attempt == 9:
                raise
            time.sleep(0.05 * 2**attempt)
    return None


def _reason(error):
    cause = getattr(error, "orig", None) or error.__cause__ or error
    return first_line(cause)
