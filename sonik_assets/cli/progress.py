"""Progress of a run: on a terminal a live line for the stage at work; everywhere one line a finished stage."""

from types import TracebackType

from rich.console import Console
from rich.status import Status

from sonik_assets.runs import STAGES, Outcome


class Progress:
    """Shows a run while it works; use it as a context manager and pass `step` to the run."""

    def __init__(self, console: Console) -> None:
        self.console, self.done = console, 0
        self.status = Status("starting", console=console)

    def __enter__(self) -> "Progress":
        self.status.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.status.stop()

    def step(self, stage: str, waiting: int, outcome: Outcome) -> None:
        """Take the end of one step of a stage that has `waiting` more to come."""
        self.done += 1
        failed = len(outcome.failures) + sum(not good for good in outcome.checks.values())
        said = f", [red]{failed} failed[/]" if failed else ""
        self.status.update(f"{stage}: {waiting} more steps of this stage ({self.done} done{said})")
        if waiting == 0 and stage in STAGES:
            rows = f"{outcome.rows[stage]:>9,} rows" if outcome.rows[stage] else " " * 14
            self.console.print(f"  [cyan]{stage:<9}[/] {rows} {outcome.seconds[stage]:6.1f} s")
