"""Where a study is kept: in memory, in a file, or in a database."""

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

_SQLITE = b"SQLite format 3\0"
_SQLITE_ENDINGS = (".db", ".sqlite", ".sqlite3")
_WAIT = 60  # seconds for which a process waits while another writes to an SQLite file


class OpenStorage:
    """A storage of Optuna, and what it takes to tell that it is gone.

    Parameters
    ----------
    storage : None, str, Path or BaseStorage
        Memory; a path of a file, SQLite where it ends in .db, .sqlite or .sqlite3 and a journal
        else; a URL of a database; or a storage of Optuna.
    """

    def __init__(self, storage):
        self.path, self.place = None, "memory"
        if storage is None:
            self.storage = InMemoryStorage()
        elif isinstance(storage, BaseStorage):
            self.storage, self.place = storage, type(storage).__name__
        else:
            self._open(os.fspath(storage))
        self._file = self._identity()

    @property
    def shared(self):
        """Whether other processes can see it."""
        return not isinstance(self.storage, InMemoryStorage)

    @contextlib.contextmanager
    def reached(self):
        """Run what reads or writes; say clearly where the storage cannot be reached."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            if self.path is not None and self._identity() != self._file:
                raise FileNotFoundError(f"the file {str(self.path)!r} was removed or replaced")
            yield
        except (StorageInternalError, SQLAlchemyError, OSError, json.JSONDecodeError) as error:
            if isinstance(error, StudyError):
                raise
            raise StudyError(
                f"FusionSearchCV: the study in {self.place} can no longer be reached: "
                f"{_reason(error)}. What was found until then is in cv_results_ and study_ of "
                "this search. Make the storage available again, and fit once more to go on."
            ) from error

    def close(self):
        """Close connections to a database that this object has opened."""
        if self.path is not None and isinstance(self.storage, RDBStorage):
            self.storage.remove_session()
            self.storage.engine.dispose()

    def _open(self, place):
        if "://" in place and not place.startswith("sqlite:///"):
            from sqlalchemy.engine import make_url

            try:
                self.place = make_url(place).render_as_string(hide_password=True)
                self.storage = RDBStorage(place)
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
            return
        self.path = Path(place.removeprefix("sqlite:///"))
        self.place = f"the file {str(self.path)!r}"
        try:
            kind = _kind_of_file(self.path, sqlite=place.startswith("sqlite:///"))
            self.storage = _OPEN[kind](self.path)
        except StudyError:
            raise
        except Exception as error:
            raise StudyError(
                f"FusionSearchCV: {self.place} cannot be read as a study of Optuna: "
                f"{_reason(error)}. Name another file as storage, or remove this one if nobody "
                "needs it."
            ) from error

    def _identity(self):
        if self.path is None:
            return None
        try:
            stat = os.stat(self.path)
        except OSError:
            return None
        return stat.st_dev, stat.st_ino


def _kind_of_file(path, *, sqlite):
    """Return what a file is, or is to become."""
    if path.is_dir():
        raise IsADirectoryError("it is a folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(path.parent)!r}")
    start = b""
    if path.exists():
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
    if start == _SQLITE:
        _refuse_foreign_tables(path)
        return "sqlite"
    if start:
        if not start.startswith(b'{"op_code":'):
            raise ValueError("it begins like neither a journal nor an SQLite database")
        return "journal"
    return "sqlite" if sqlite or path.suffix in _SQLITE_ENDINGS else "journal"


def _refuse_foreign_tables(path):
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    if tables and not tables >= {"studies", "trials"}:
        raise ValueError("it is an SQLite database of something else")


def _open_sqlite(path):
    for attempt in range(10):
        try:
            return RDBStorage(
                f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": _WAIT}}
            )
        except Exception:  # several processes make its tables at the same time: one succeeds
            if attempt == 9:
                raise
            time.sleep(0.05 * 2**attempt)
    return None


_OPEN = {
    "sqlite": _open_sqlite,
    "journal": lambda path: JournalStorage(JournalFileBackend(str(path))),
}


def _reason(error):
    cause = getattr(error, "orig", None) or error.__cause__ or error
    return f"{type(cause).__name__}: {str(cause).strip().partition(chr(10))[0]}"
