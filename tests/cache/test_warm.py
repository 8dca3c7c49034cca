import psycopg
import pytest
import redis

from resources.settings import Settings
from sonik_assets.cache.warm import Warmed, warm
from sonik_assets.serving.answers import Answers
from sonik_assets.serving.question import Question
from sonik_assets.serving.search import generation, open_tables, search
from tests.support.searchable import sync_all, venue
from tests.support.unified import World

ASKED = ("techno en Bogotá", "Techno  en bogotá", "discos en Lima", "   ")


@pytest.fixture
def pg(world: World) -> psycopg.Connection:
    for text in ASKED:
        world.add("unified.agent_queries", text=text)
    return world.pg


def test_the_most_asked_are_kept_and_a_second_run_writes_nothing(
    place: Settings, pg: psycopg.Connection, client: redis.Redis
) -> None:
    assert warm(place, pg, client) == Warmed(asked=2, stored=2, swept=0)
    writes = _writes(client)
    assert warm(place, pg, client) == Warmed(asked=2, stored=0, swept=0)
    assert _writes(client) == writes
    assert search(place, "TECHNO en Bogotá") == search(place, "techno en bogotá", cached=False)
    hit = pg.execute("select hit from ops.query_log order by at limit 1").fetchone()
    assert hit == (True,)


def test_changed_data_leaves_old_answers_behind(
    place: Settings, pg: psycopg.Connection, world: World, client: redis.Redis
) -> None:
    warm(place, pg, client)
    old = generation(open_tables(place))
    venue(world, "Techno Club Bogotá", city="Bogotá")
    sync_all(place)
    assert Answers(client, generation(open_tables(place))).exact(Question("techno en bogotá")) is None
    assert "Techno Club Bogotá" in [row["name"] for row in search(place, "techno en Bogotá")]
    done = warm(place, pg, client)
    assert done.swept > 0
    assert list(client.scan_iter(f"*{old}*")) == []
    assert warm(place, pg, client).swept == 0


def test_what_people_search_is_warmed_too(place: Settings, pg: psycopg.Connection, client: redis.Redis) -> None:
    for _ in range(3):
        search(place, "vinilos", cached=False)
    assert warm(place, pg, client).asked == 3
    assert Answers(client, generation(open_tables(place))).exact(Question("vinilos")) is not None


def _writes(client: redis.Redis) -> tuple[int, ...]:
    stats = client.info("commandstats")
    return tuple(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("set", "hset", "vadd", "unlink"))
