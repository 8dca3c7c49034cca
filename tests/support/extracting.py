"""A process that extracts when told to, each time in a child that a test may kill.

The child is a fork of a process that has imported everything, so that a kill hits the work and not the imports.
"""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from resources.settings import ROOT, Settings


class Extracting:
    """The process, from the test's side."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def begin(self) -> int:
        """Start an extract in a child; return the child's pid."""
        self._say("go")
        return int(self._hear())

    def ended(self) -> bool:
        """Whether the child has ended and said so: then `wait` returns at once."""
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def wait(self) -> bool:
        """Wait for the child to end; return whether it did so by itself."""
        return self._hear() == "0"

    def _say(self, word: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


@contextmanager
def extracting(database: str, relation: str, environment: dict[str, str]) -> Iterator[Extracting]:
    """Yield the process for one table of sources that the environment names."""
    command = [sys.executable, "-m", "tests.support.extracting", database, relation]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env={"PATH": os.environ["PATH"], **environment}, **pipes) as process:
        yield Extracting(process)
        assert process.stdin
        process.stdin.close()


def serve(database: str, relation: str) -> None:
    """Fork a child for each line; say its pid, and when it has ended its status."""
    import psycopg

    from resources.sources import directus, exports, landing  # noqa: F401 - before the fork
    from resources.sources.catalogue import table
    from sonik_assets.raw import extract as raw
    from sonik_assets.raw.extract import extract

    directus.BATCH_ROWS = raw.BATCH_ROWS = 300  # many checkpoints in a small read
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            with psycopg.connect(database) as connection:
                extract(Settings.from_env(), connection, table(relation), (None, None), "killed")
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
