"""Records to match, made up from few words so that many are alike."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import strategies as st

from sonik_assets.identity.matching.profiles import conform

VENUE = {
    "source": "directus",
    "name": "Teatro Umbral Austral",
    "name_key": "austral teatro umbral",
    "address": "Avenida Reforma 222",
    "city_key": "ciudad de mexico",
    "country_code": "MX",
    "latitude": 19.43,
    "longitude": -99.13,
    "phones": ["+525512345678"],
    "category": "theatre",
}


def frame(*records: Mapping[str, Any]) -> pl.DataFrame:
    """Return records in PROFILES, numbered in order."""
    return conform(
        pl.DataFrame([{"row": row, **record} for row, record in enumerate(records)], infer_schema_length=None)
    )


@pytest.fixture
def venues() -> pl.DataFrame:
    """Return one venue as two sources have it, its pharmacy next door, and another far away."""
    return frame(
        VENUE,
        {**VENUE, "source": "scraper/instagram", "name": "TEATRO Umbrall Austral", "phones": None},
        {**VENUE, "name": "Teatro Umbral Austral Pharmacy", "phones": ["+525598765432"]},
        {**VENUE, "name": "Otro Lugar", "address": "Calle Sol 9", "latitude": -23.0, "city_key": "x", "phones": None},
    )


_WORDS = ("umbral", "austral", "nocturno", "teatro", "fractal", "dorada", "sonora")


@st.composite
def crowds(draw: st.DrawFn) -> pl.DataFrame:
    """Draw records of venues that share words, streets, phones and points."""
    some = st.one_of(st.none(), st.lists(st.sampled_from(["+525511111111", "+525522222222"]), min_size=1, unique=True))
    record = st.fixed_dictionaries(
        {
            "source": st.sampled_from(["directus", "scraper/instagram"]),
            "name": st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3).map(" ".join),
            "address": st.one_of(st.none(), st.sampled_from(["Calle Luna 12", "Luna 12", "Avenida Sol 9", "Rua Sol"])),
            "city_key": st.one_of(st.none(), st.sampled_from(["lima", "bogota"])),
            "country_code": st.just("PE"),
            "latitude": st.one_of(st.none(), st.sampled_from([-12.05, -12.0501, -12.2])),
            "longitude": st.just(-77.04),
            "phones": some,
            "category": st.one_of(st.none(), st.sampled_from(["club", "theatre"])),
        }
    )
    records = draw(st.lists(record, min_size=2, max_size=9))
    return frame(*({**one, "name_key": " ".join(sorted(one["name"].split()))} for one in records))
