"""A Twenty contract server with its own reader, which does not really wait."""

from collections.abc import Iterator

import polars as pl

from resources import http
from resources.settings import Settings
from resources.sources import Request, Window, twenty
from resources.sources.batches import Batch
from resources.sources.catalogue import table
from tests.support.faults import Asked
from tests.support.twenty_server import KEY, TwentyServer


class Crm(TwentyServer):
    """`with Crm() as crm: crm.put(); crm.read()`."""

    def __init__(self, **options: int) -> None:
        super().__init__(**options)
        self.slept: list[float] = []

    def settings(self, key: str = KEY) -> Settings:
        return Settings.from_env({"TWENTY_URL": self.url, "TWENTY_API_KEY": key})

    def client(self, settings: Settings | None = None) -> http.Client:
        return twenty.connect(settings or self.settings(), per_minute=1e6, base_seconds=0, sleep=self.slept.append)

    def batches(self, window: Window = (None, None), name: str = "people", **request: object) -> Iterator[Batch]:
        asked = Request(window, **request)  # type: ignore[arg-type]
        return twenty.read(self.settings(), table(f"twenty.{name}"), asked, client=self.client())

    def read(self, window: Window = (None, None), **request: object) -> pl.DataFrame:
        return pl.concat([batch.rows for batch in self.batches(window, **request)])

    def ids(self, window: Window = (None, None), **request: object) -> set[str]:
        return set(self.read(window, **request)["record_id"])

    @property
    def lists(self) -> list[Asked]:
        return self.asked("/rest/people")
