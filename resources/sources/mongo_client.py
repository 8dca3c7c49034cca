"""Connects to MongoDB, and says what its errors mean: which pass, which do not, and what to do.

No message holds MONGO_URL's password or options; pymongo's own text of a URL that it cannot read is not shown.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tenacity
from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ConnectionFailure,
    CursorNotFound,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from resources.embedded.urls import redacted
from resources.errors import SonikError, TerminalError, TransientError
from resources.settings import Settings

ATTEMPTS, BASE_SECONDS = 3, 2.0
SELECTION_SECONDS, ANSWER_SECONDS = 5, 300
"""How long to look for a server, and for one answer: the first of a sorted read may have to look at everything."""
LOGIN, UNAUTHORIZED = {18, 8000}, 13
PASSING = {43, 50, 89, 91, 133, 134, 175, 189, 202, 262, 290, 11600, 11602, 13388, 13435, 13436}
"""Codes of what may go well the next time: cursors and plans that are gone, limits of time, elections, shutdowns."""
_SHOWN = 200


@contextmanager
def connected(settings: Settings) -> Iterator[Database[dict[str, Any]]]:
    """Give the database that the settings name; inside, what pymongo raises becomes TerminalError or TransientError."""
    if not settings.mongo_url:
        raise TerminalError("MONGO_URL is not set: set it to the address of MongoDB")
    if not settings.mongo_database:
        raise TerminalError("MONGO_DATABASE is not set: set it to the database of MONGO_URL that is to be read")
    where = f"MongoDB at {redacted(settings.mongo_url).partition('?')[0]}"
    try:
        with _client(settings.mongo_url) as client:
            client.admin.command("ping")  # a server that is not there is found out now, and only once
            yield client[settings.mongo_database]
    except (PyMongoError, BSONError) as error:
        raise explained(where, error) from error


def retrying() -> tenacity.Retrying:
    """Return what calls again after a failure that may pass: three attempts, full jitter."""
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(multiplier=BASE_SECONDS, max=60),
        retry=tenacity.retry_if_exception(passes),
        reraise=True,
    )


def passes(error: BaseException) -> bool:
    """Whether the same question may be answered the next time."""
    if isinstance(error, OperationFailure) and not isinstance(error, CursorNotFound):
        return error.code in PASSING
    return isinstance(error, ConnectionFailure | CursorNotFound)


def explained(where: str, error: Exception) -> SonikError:
    """Return what an error of pymongo means for people."""
    match error:
        case ServerSelectionTimeoutError():
            return TransientError(f"{where} cannot be reached within {SELECTION_SECONDS} s: is it up? try again later")
        case OperationFailure(code=code) if code in LOGIN:
            return TerminalError(f"{where} refuses the login: check user, password and authSource in MONGO_URL")
        case OperationFailure(code=code) if code == UNAUTHORIZED:
            return TerminalError(f"{where}: its user may not read this: give it the role `read` on MONGO_DATABASE")
        case OperationFailure() if not passes(error):
            said = str((error.details or {}).get("errmsg", ""))[:_SHOWN]
            return TerminalError(f"{where} refuses what it is asked (code {error.code}): {said}; is it older than 4.4?")
    if passes(error):
        kind = "the connection broke" if isinstance(error, AutoReconnect) else type(error).__name__
        return TransientError(f"{where} failed {ATTEMPTS} times, at last: {kind}; try again later")
    return TerminalError(f"{where} cannot be read ({type(error).__name__}): check MONGO_URL and MONGO_DATABASE")


def _client(url: str) -> MongoClient[dict[str, Any]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pymongo quotes the values of options that it does not know
            return MongoClient(
                url, appname="sonik", serverSelectionTimeoutMS=SELECTION_SECONDS * 1000,
                socketTimeoutMS=ANSWER_SECONDS * 1000,
            )  # fmt: skip
    except (PyMongoError, ValueError, TypeError) as error:
        if url.startswith("mongodb+srv://") and isinstance(error, ConfigurationError):
            raise TransientError("the servers of MONGO_URL cannot be looked up in DNS: try again later") from None
        fix = "mongodb://user:password@host:port/, with special characters percent-encoded"
        raise TerminalError(f"MONGO_URL cannot be read: write it as {fix}") from None  # pymongo would quote it
