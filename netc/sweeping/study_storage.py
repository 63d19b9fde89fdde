"""Open the storage of a study, and report what is wrong with it.

In: a URL as SQLAlchemy and Optuna have it, such as `sqlite:///study.db`. Out: Optuna's storage. Always: an error of the database is a
`StudyError`, and shows no password.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netc.compiler.errors.optional_packages import format_install_command

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage

WAIT_FOR_LOCK = 60
"""The seconds that a process waits for another one's write to a SQLite file."""
CREATION_ATTEMPTS, CREATION_PAUSE = 20, 0.25
"""How often a process tries to open a database that another one may be creating, and the seconds between two attempts."""
EXAMPLE = "sqlite:///study.db"


class StudyError(ValueError):
    """A study that cannot be opened or continued. `help` has the changes to make."""

    def __init__(self, message: str, *help: str) -> None:
        super().__init__(message, *help)
        self.message, self.help = message, help


def require_optuna() -> None:
    """Raise `StudyError` if Optuna is not installed. Otherwise, keep it from writing messages of its own."""
    try:
        import optuna
    except ImportError:
        raise StudyError("Optuna is not installed", f"run `{format_install_command('optuna')}`") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def open_storage(url: str) -> BaseStorage:
    """Open the storage, and create its tables if it is new. Raises `StudyError`."""
    require_optuna()
    from optuna.storages import RDBStorage, get_storage

    if "://" not in url:
        raise StudyError(f"`{url}` is not the URL of a storage", f"write `--storage {EXAMPLE}` for a file, or the URL of a database")
    with raise_storage_errors(url):
        waits = url.startswith("sqlite:") and "timeout=" not in url
        options = {"connect_args": {"timeout": WAIT_FOR_LOCK}} if waits else None
        return get_storage(_retry_creation(lambda: RDBStorage(url, engine_kwargs=options)))


def _retry_creation(open_database: Callable[[], RDBStorage]) -> RDBStorage:
    """Open a database. Of several processes that find it empty, one creates its tables, and the others fail: they try again."""
    from sqlalchemy.exc import SQLAlchemyError

    for _ in range(CREATION_ATTEMPTS):
        try:
            return open_database()
        except SQLAlchemyError as error:
            if not any(words in str(error) for words in ("already exists", "UNIQUE", "uplicate")):
                raise
            time.sleep(CREATION_PAUSE)
    return open_database()


def make_file_url(path: str) -> str:
    """Return the URL of a SQLite file. Raises `StudyError` for a path that no URL can have.

    >>> make_file_url("runs/study.db")
    'sqlite:///runs/study.db'
    """
    if "?" in path:
        raise StudyError(f"`{path}` has a `?`, after which the URL of a database has options", "give another folder, or `--storage URL`")
    # Optuna replaces `{NAME}` in a URL
    return f"sqlite:///{path.replace('{', '{{').replace('}', '}}')}"


@contextmanager
def raise_storage_errors(url: str) -> Iterator[None]:
    """Raise the errors of a database as `StudyError`."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    name = hide_password(url)
    try:
        yield
    except ImportError as error:
        cause = error.__cause__ or error
        what = f"its driver `{getattr(cause, 'name', None) or cause}` is not installed"
        raise StudyError(f"cannot open the storage `{name}`: {what}", "install the Python package of the driver") from None
    except (NoSuchModuleError, ArgumentError, KeyError, IndexError):  # Optuna replaces `{NAME}` in a URL
        raise StudyError(f"`{name}` is not the URL of a storage", f"write `--storage {EXAMPLE}` for a file") from None
    except (StorageInternalError, SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error
        help = ("another process is writing to it; wait until it ends, and give the same command again",) if "locked" in str(cause) else ()
        raise StudyError(f"cannot use the storage `{name}`: {str(cause).splitlines()[0]}", *help) from None
    except RuntimeError as error:
        if "optuna" not in str(error):
            raise
        # a storage of another version of Optuna; its message names the command that upgrades it
        raise StudyError(f"cannot use the storage `{name}`", " ".join(str(error).split())) from None


def hide_password(url: str) -> str:
    """Return the URL without its password.

    >>> hide_password("mysql://me:secret@host/db")
    'mysql://me:***@host/db'
    """
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return f"{scheme}{separator}{user}{':***' if colon else ''}{at}{place}"
