"""A folder or a bucket by its URI: list, stream and create files, whichever it is. For the lake and the landing zone.

Credentials and endpoint of `s3://` come from the usual AWS_* variables. Here: bytes by name, and errors that say what
to do. Not here: what the files hold.
"""

import hashlib
import io
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from resources.errors import SonikError, TerminalError, TransientError

CHUNK = 8 << 20
"""Bytes that are asked of a bucket at once."""
RETRIES = 3
_UNFINISHED = (".part", ".partial", ".tmp")
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")
_REFUSED = re.compile(r"NoSuchBucket|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|\b40[013]\b|recognise URL")


_hashed: dict[tuple[str, "Found"], str] = {}
"""What is asked for every minute is read once, as long as path, size and time of writing stay."""


@dataclass(frozen=True)
class Found:
    """One file: its path below the URI, bytes, when it was last written (UTC), and its version by the store."""

    path: str
    size: int
    modified: datetime
    version: str

    @staticmethod
    def of(path: Path, folder: Path) -> "Found":
        """Return the file of a folder; FileNotFoundError where it is gone."""
        stat = path.stat()
        modified = datetime.fromtimestamp(stat.st_mtime, UTC)
        return Found(
            path.relative_to(folder).as_posix(), stat.st_size, modified, f"{stat.st_mtime_ns}.{stat.st_ctime_ns}"
        )


class Objects:
    """The files below a URI: a plain path, `file://` or `s3://bucket/prefix`.

    Every method raises TransientError where trying again may help and TerminalError where it will not.
    """

    def __init__(self, uri: str, *, called: str = "the lake") -> None:
        """Take the URI; nothing is opened before it is used. `called` names the place in messages."""
        parts = urlsplit(uri)
        self.called = called
        self.shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if "://" in uri else uri
        """The URI without what may be secret."""
        self._uri = uri
        self._local = parts.scheme == "file" or "://" not in uri
        self._folder = Path(unquote(parts.path) if parts.scheme == "file" else uri)

    @property
    def remote(self) -> bool:
        """Whether it is a bucket, where a file appears whole or not at all."""
        return not self._local

    def list(self, prefix: str = "") -> Sequence[Found]:
        """Return the finished files below the folder `prefix`, by path; none where there is no such folder.

        Left out: hidden names and those that say they are still being written.
        """
        found = self._list_folder(prefix) if self._local else self._list_bucket(prefix)
        return sorted((f for f in found if _is_finished(f.path)), key=lambda f: f.path)

    def open(self, path: str) -> BinaryIO:
        """Return the file as a stream of bytes. At most `CHUNK` of it is in memory."""
        if self._local:
            try:
                return (self._folder / path).open("rb")
            except OSError as error:
                raise self._told("read", path, error) from error
        return cast(BinaryIO, io.BufferedReader(_Ranges(self, path), 1 << 20))

    def checksum(self, found: Found) -> str:
        """Return what tells this content from another: SHA-256 of a local file, what the bucket says of its own."""
        if not self._local:
            return found.version
        known = (self._uri, found)
        if known not in _hashed:
            with self.open(found.path) as file:
                try:
                    _hashed[known] = hashlib.file_digest(cast(Any, file), "sha256").hexdigest()
                except OSError as error:
                    raise self._told("read", found.path, error) from error
        return _hashed[known]

    def put_new(self, path: str, content: bytes) -> bool:
        """Create the file, whole or not at all; return False where there is one of this name, which stays as it is."""
        return self._put_file(self._folder / path, content) if self._local else self._put_object(path, content)

    def get_range(self, path: str, start: int, version: str | None) -> tuple[bytes, int, str]:
        """Return up to `CHUNK` bytes from `start`, the size of all and the version, which must not have changed."""
        import obstore

        options: dict[str, Any] = {"range": (start, start + CHUNK)} | ({"if_match": version} if version else {})
        try:
            got = obstore.get(self._bucket, path, options=cast(Any, options))
            return bytes(got.bytes()), got.meta["size"], got.meta["e_tag"] or ""
        except Exception as error:
            raise self._told("read", path, error) from error

    def size(self, path: str) -> int:
        """Return the bytes of a file of a bucket."""
        import obstore

        try:
            return int(obstore.head(self._bucket, path)["size"])
        except Exception as error:
            raise self._told("read", path, error) from error

    @cached_property
    def _bucket(self) -> Any:
        from obstore.store import from_url

        waits: Any = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=30)}
        try:
            return from_url(self._uri, retry_config=waits)
        except Exception as error:
            raise self._told("open", "", error) from error

    def _list_folder(self, prefix: str) -> Iterator[Found]:
        for path in (self._folder / prefix).rglob("*"):
            with suppress(FileNotFoundError):  # gone since it was listed
                if path.is_file():
                    yield Found.of(path, self._folder)

    def _list_bucket(self, prefix: str) -> Iterator[Found]:
        import obstore

        try:
            for batch in obstore.list(self._bucket, prefix or None):
                for one in batch:
                    yield Found(one["path"], one["size"], one["last_modified"], (one["e_tag"] or "").strip('"'))
        except Exception as error:
            raise self._told("list", prefix, error) from error

    def _put_file(self, path: Path, content: bytes) -> bool:
        if path.exists():
            return False
        part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            path.hardlink_to(part)  # a reader sees the whole file or none; the first of two writers wins
        except FileExistsError:
            return False
        except OSError as error:
            raise TransientError(f"cannot write {self.called} at {path}: {error}; make room and run again") from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return True

    def _put_object(self, path: str, content: bytes) -> bool:
        import obstore

        try:
            obstore.put(self._bucket, path, content, mode="create", use_multipart=False)
        except obstore.exceptions.AlreadyExistsError:
            return False
        except Exception as error:
            raise self._told("write", path, error) from error
        return True

    def _told(self, verb: str, path: str, error: Exception) -> SonikError:
        """Return the error as people see it: without credentials, and with what to do."""
        if isinstance(error, SonikError):
            return error
        what, text = (
            f"cannot {verb} {self.called} at {self.shown.rstrip('/')}/{path}".rstrip("/"),
            _without_secrets(error),
        )
        if "PreconditionError" in type(error).__name__:
            return TransientError(f"{what}: it changed while it was read; run again")
        local = isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError))
        if local or isinstance(error, ValueError) or _REFUSED.search(f"{type(error).__name__} {text}"):
            return TerminalError(f"{what}: {text}; check the address, and the rights and AWS_* variables it needs")
        return TransientError(f"{what}: {text}; see that it is up and run again")


class _Ranges(io.RawIOBase):
    """One object of a bucket, fetched range by range: a slow reader holds no connection open."""

    def __init__(self, objects: Objects, path: str) -> None:
        super().__init__()
        self._objects, self._path = objects, path
        self._at, self._size, self._version = 0, -1, ""
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._chunk and self._at != self._size:
            self._fetch()
        taken = self._chunk[: len(buffer)]
        buffer[: len(taken)] = taken
        self._chunk = self._chunk[len(taken) :]
        return len(taken)

    def _fetch(self) -> None:
        if self._size < 0 and self._objects.size(self._path) == 0:
            self._size = 0
            return
        chunk, self._size, self._version = self._objects.get_range(self._path, self._at, self._version or None)
        self._at += len(chunk)
        self._chunk = memoryview(chunk)


def _is_finished(path: str) -> bool:
    name = path.rpartition("/")[2]
    return not name.startswith((".", "_")) and not name.endswith(_UNFINISHED)


def _without_secrets(error: Exception) -> str:
    """Return the first line of an error, or the code that the bucket gave."""
    text = str(error)
    code = re.search(r"<Code>(\w+)</Code>", text)
    line = code[1] if code else next(iter(text.splitlines()), type(error).__name__)
    for name in _SECRETS:
        line = line.replace(os.environ.get(name) or "\0", "***")
    return re.sub(r"\?\S*|//[^/@\s]*@", lambda m: "" if m[0][0] == "?" else "//", line)[:300]
