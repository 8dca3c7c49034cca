"""A matcher: the same after freezing, pair by pair the same whoever else is present, and honest in its reasons."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from benchmarks import labelled_sets
from resources.errors import TerminalError
from sonik_assets.identity.matching import model, scoring
from sonik_assets.identity.matching.blocking import block_keys
from sonik_assets.identity.matching.features import prepare
from sonik_assets.identity.matching.frequencies import KEY_CAP
from sonik_assets.identity.matching.kinds import KINDS
from sonik_assets.identity.matching.model import Matcher, learn, released, train

from .conftest import VENUE, crowds, frame

BUDGET = budget(max_examples=12)


@pytest.fixture(scope="module")
def places() -> pl.DataFrame:
    rows = pl.read_parquet(labelled_sets.OVERTURE).head(500)
    return pl.concat([labelled_sets._places(rows, "", 0), labelled_sets._places(rows, "base_", 500)])


@pytest.fixture(scope="module")
def trained(places: pl.DataFrame) -> Matcher:
    found = learn(places, "venue")
    assert found is not None
    return found


def _pair(left: int, right: int) -> pl.DataFrame:
    return pl.DataFrame({"left_row": [left], "right_row": [right]}, scoring.PAIRS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_carried_by_the_package(kind: str) -> None:
    found = released(kind)
    assert (found.kind, 0 < found.review < found.link < 1) == (kind, True)
    assert Matcher.load(found.payload()).version == found.version


def test_a_reloaded_matcher_scores_the_same(trained: Matcher, places: pl.DataFrame) -> None:
    again = Matcher.load(trained.payload())
    assert again.version == trained.version
    assert_frame_equal(again.pairs(places), trained.pairs(places))


def test_training_is_deterministic(trained: Matcher, places: pl.DataFrame) -> None:
    shuffled = learn(places.sample(fraction=1, shuffle=True, seed=3), "venue")
    assert shuffled is not None
    assert shuffled.version == trained.version


def test_scores_are_those_of_splink(trained: Matcher, places: pl.DataFrame) -> None:
    from splink import DuckDBAPI, Linker

    prepared = prepare(places, trained.frequencies)
    keys = block_keys(prepared, KINDS["venue"].keys, trained.frequencies)
    with scoring.engine(prepared, prepared) as connection:
        scoring.candidates(connection, keys, None)
        ours = connection.sql(trained._scores("true")).pl().with_row_index("pair")
    api, levels = DuckDBAPI(), pl.selectors.starts_with("level_")
    sides = [
        api.register(ours.select("pair", levels, side=pl.lit(side)).to_arrow(), dataset_display_name=side)
        for side in "ab"
    ]
    predicted = Linker(sides, trained.model, log_level="ERROR").inference.predict().as_pyarrow_table()
    theirs = pl.from_arrow(predicted).select(pl.col("pair_l").alias("pair"), "match_weight")  # type: ignore[union-attr]
    both = ours.join(theirs, on="pair")
    assert both.height == ours.height > 1000
    assert (both["bits"] - both["match_weight"]).abs().max() < 1e-9


def test_too_few_records_are_matched_by_the_released_matcher(venues: pl.DataFrame) -> None:
    assert train(venues, "venue").version == released("venue").version


def test_an_unknown_kind_is_refused(venues: pl.DataFrame) -> None:
    with pytest.raises(TerminalError, match="no matcher for 'planet'"):
        train(venues, "planet")


def test_a_model_with_a_hole_is_refused(trained: Matcher) -> None:
    broken = json.loads(json.dumps(trained.model))
    broken["comparisons"][0]["comparison_levels"][2]["u_probability"] = None
    frozen = Matcher("venue", trained.link, trained.review, broken, trained.frequencies).payload()
    with pytest.raises(TerminalError, match="no weight for name, level"):
        Matcher.load(frozen)


def test_a_model_of_other_levels_is_refused(trained: Matcher) -> None:
    older = json.loads(json.dumps(trained.model))
    del older["comparisons"][0]["comparison_levels"][2]
    frozen = Matcher("venue", trained.link, trained.review, older, trained.frequencies).payload()
    with pytest.raises(TerminalError, match="other levels of name"):
        Matcher.load(frozen)


def test_damaged_bytes_are_refused() -> None:
    with pytest.raises(TerminalError, match="damaged"):
        Matcher.load(b"not a payload")


def test_columns_that_nobody_fills_are_no_part_of_the_model(trained: Matcher, places: pl.DataFrame) -> None:
    names = {comparison["output_column_name"] for comparison in trained.model["comparisons"]}
    assert {"name", "place", "phone"} <= names
    nowhere = learn(places.drop("phones"), "venue")
    assert nowhere is not None
    assert {comparison["output_column_name"] for comparison in nowhere.model["comparisons"]} == names - {"phone"}


def test_an_explanation_gives_values_levels_and_bits(venues: pl.DataFrame) -> None:
    told = json.loads(released("venue").explain(venues, venues, _pair(0, 1)).item())
    by_name = {part["name"]: part for part in told["comparisons"]}
    assert (by_name["name"]["left"], by_name["name"]["right"]) == ("Teatro Umbral Austral", "TEATRO Umbrall Austral")
    assert by_name["place"]["level"] == "same house, same point"
    assert "phone" not in by_name  # one of them has none: no evidence
    assert told["total"] == pytest.approx(told["prior"] + sum(part["bits"] for part in told["comparisons"]), abs=0.05)


def test_a_part_of_a_place_is_reviewed_and_never_linked() -> None:
    alike = {**VENUE, "url": "https://umbral.example/x", "domains": ["umbral.example"], "handles": ["instagram.com/u"]}
    records, matcher = frame(alike, {**alike, "name": "Teatro Umbral Austral Pharmacy"}), released("venue")
    assert 0.9 < matcher.pairs(records)["probability"].item() < matcher.link
    assert json.loads(matcher.explain(records, records, _pair(0, 1)).item())["doubt"]


def test_explanations_come_in_the_order_of_the_pairs_asked(venues: pl.DataFrame) -> None:
    matcher = released("venue")
    asked = pl.concat([_pair(2, 0), _pair(0, 1), _pair(2, 0)])
    told = matcher.explain(venues, venues, asked).to_list()
    assert told[0] == told[2]
    assert [json.loads(text)["comparisons"][0]["left"] for text in told[:2]] == [venues["name"][2], venues["name"][0]]


@pytest.mark.parametrize("address", ["Calle 98 # 64 - 05", "Calle 98 64-05 Esq Bogotá", "CALLE 98 #64-5"])
def test_what_a_listing_names_at_the_address_of_a_place_is_worth_a_look(address: str) -> None:
    place = {"source": "directus", "city_key": "bogota", "country_code": "CO", "category": "cultural_center"}
    named = {"source": "clean", "name": "Espacio Libre Cafe", "address": address, "city_key": "bogota"}
    own = frame({**place, "name": "Espacio Libre", "name_key": "espacio libre", "address": "Calle 98 # 64 - 05"})
    found = released("venue").pairs(own, frame({}, named).slice(1))
    assert found.height == 1


def test_many_records_of_which_few_are_alike_are_weighed_as_released_by_their_own_words() -> None:
    carried = released("organization")
    names = [{"source": "x", "name": f"Nombre {n}", "name_key": f"{n} nombre"} for n in range(10)]
    crowd = pl.concat([frame(*names)] * (carried.frequencies.records // 10 + 1)).with_row_index("at")
    crowd = crowd.with_columns(pl.col("at").alias("row"), name=pl.col("name") + pl.col("at").cast(pl.String) + "x")
    found = train(crowd, "organization")
    assert found.model == carried.model
    assert found.frequencies.records == crowd.height
    assert found.version != carried.version


def test_training_looks_at_an_even_part_of_many_records(monkeypatch: pytest.MonkeyPatch, places: pl.DataFrame) -> None:
    monkeypatch.setattr(model, "MAX_RECORDS", 400)
    found = learn(places, "venue")
    assert found is not None
    assert found.frequencies.records == 400


def test_a_name_alone_is_no_person() -> None:
    one = {"source": "mongo", "name": "Livia Olivares", "name_key": "livia olivares", "country_code": "BR"}
    assert released("person").pairs(frame(one, one)).height == 0
    assert (
        released("person")
        .pairs(frame({**one, "phones": ["+5511971435432"]}, {**one, "phones": ["+5511971435432"]}))
        .height
    )


@pytest.mark.parametrize(("markers", "pairs"), [(("early", "late"), 0), (("early", "early"), 1), (("", "late"), 1)])
def test_shows_with_different_markers_never_match(markers: tuple[str, str], pairs: int) -> None:
    show = {"source": "directus", "name": "Fractal en vivo", "night": "v|2026-10-01", "lineup": ["fractal"]}
    records = frame(*({**show, "marker": marker} for marker in markers))
    matcher = released("event")
    assert matcher.pairs(records).height == pairs
    assert (matcher.score(records, records, _pair(0, 1))["probability"].item() > 0) == bool(pairs)


def test_events_of_other_nights_are_not_compared() -> None:
    show = {"source": "directus", "name": "Fractal en vivo", "lineup": ["fractal"]}
    nights = frame({**show, "night": "v|2026-10-01"}, {**show, "night": "v|2026-10-02"})
    assert released("event").pairs(nights).height == 0


def test_a_key_that_too_many_records_share_is_not_emitted() -> None:
    crowd = frame(*({**VENUE, "name": f"Lugar {n}", "name_key": f"{n} lugar"} for n in range(KEY_CAP + 1)))
    found = learn(crowd.head(KEY_CAP), "venue")
    capped = learn(crowd, "venue")
    assert found is not None
    assert "phones:+525512345678" in set(found.block_keys(crowd)["keys"].explode())
    assert capped is None  # every key that brings them together is common: no candidates, nothing to learn from


@BUDGET
@given(crowds())
def test_a_score_is_of_its_two_records_alone(crowd: pl.DataFrame) -> None:
    matcher = released("venue")
    everyone = matcher.pairs(crowd)
    half = crowd.gather_every(2)
    kept = everyone.filter(pl.col("left_row").is_in(half["row"]) & pl.col("right_row").is_in(half["row"]))
    assert_frame_equal(matcher.pairs(half), kept)
    assert_frame_equal(matcher.score(crowd, crowd, everyone)["probability"].to_frame(), everyone.select("probability"))


@BUDGET
@given(crowds(), st.integers(min_value=1, max_value=8))
def test_new_records_against_old_are_the_full_runs_pairs_that_touch_new(crowd: pl.DataFrame, cut: int) -> None:
    matcher = released("venue")
    new, old = crowd.head(cut), crowd.slice(cut)
    one, other = pl.col("left_row").is_in(new["row"]), pl.col("right_row").is_in(new["row"])
    touching = matcher.pairs(crowd).filter(one | other).select("left_row", "right_row", "probability")
    parts = [matcher.pairs(new), matcher.pairs(new, old)]
    apart = pl.concat(parts).select(
        pl.min_horizontal("left_row", "right_row").alias("left_row"),
        pl.max_horizontal("left_row", "right_row").alias("right_row"),
        "probability",
    )
    assert_frame_equal(apart, touching, check_row_order=False)


@BUDGET
@given(crowds())
def test_block_keys_are_of_one_record(crowd: pl.DataFrame) -> None:
    matcher = released("venue")
    alone = pl.concat(matcher.block_keys(crowd.slice(at, 1)) for at in range(crowd.height))
    assert_frame_equal(matcher.block_keys(crowd), alone)
