"""Brings the kept answers up to date: drops what changed, sweeps, renews eager ones, makes the most asked in advance.

What is dropped is decided in `drop`; how a question is asked again, in `again`; how one answer is kept is `serving`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sonik_assets.cache import again, drop
from sonik_assets.serving import query_log
from sonik_assets.serving.answers import renewing, warming
from sonik_assets.serving.policies import kinds, policy

if TYPE_CHECKING:
    import psycopg

    from resources.settings import Settings
    from sonik_assets.serving.shelf import Held

TOP = 50
KEPT_DAYS = 90
"""How long the query log goes back."""
RENEWED_SHARE = 0.5
"""An eager answer is made again once it has less than this share of its time left."""
ASKED_HOURS = 24
"""Eager answers that nobody has asked for so long are let go."""

MOST_ASKED = """
with asked as (
    select 'search' as kind, 'agent' as tenant, lower(btrim(regexp_replace(text, '\\s+', ' ', 'g'))) as question,
        jsonb_build_object('text', btrim(regexp_replace(text, '\\s+', ' ', 'g'))) as again, 1 as asked
    from unified.agent_queries where text ~ '\\S'
    union all
    select kind, tenant, question, again, asked from ops.questions where again is not null and tenant is not null
),
most as (
    select kind, tenant, question, min(again::text) as again, sum(asked) as asked
    from asked where kind = any(%(kinds)s)
    group by kind, tenant, question, case when kind = 'search' then again - 'text' else again end
)
select kind, tenant, again from most order by asked desc, kind, tenant, question limit %(top)s
"""
ASKED_LATELY = """
select distinct asked_key from ops.query_log
where kind = any(%s) and at > now() - make_interval(hours => %s) and asked_key is not null
"""
FORGET = "delete from ops.query_log where at < now() - make_interval(days => %s)"


@dataclass
class Warmed:
    """What one run did.

    Answers `dropped`; what found them by meaning `swept`; eager ones `renewed`; of the most asked questions how many
    were `asked`, and how many of them `made`; lines of the query log `forgotten`.
    """

    dropped: drop.Dropped = field(default_factory=drop.Dropped)
    swept: int = 0
    renewed: int = 0
    asked: int = 0
    made: int = 0
    forgotten: int = 0


def warm(settings: "Settings", pg: "psycopg.Connection[Any]", postgres_url: str, held: "Held") -> Warmed:
    """Do all of it, in that order; TransientError where Redis is away or another process does it."""
    done = Warmed(drop.follow(postgres_url, held))
    done.swept = held.sweep()
    query_log.ensure(pg)
    done.forgotten = pg.execute(FORGET, [KEPT_DAYS]).rowcount
    done.renewed = renew(settings, pg, held, done.dropped.asked)
    with warming() as told:
        for kind, tenant, arguments in most_asked(pg):
            done.asked += again.ask(settings, kind, tenant, arguments)
        done.made = told["made"]
    return done


def renew(
    settings: "Settings", pg: "psycopg.Connection[Any]", held: "Held", dropped: Iterable[Mapping[str, Any]]
) -> int:
    """Make eager answers again: those that were dropped and those that end soon, if asked lately; return how many."""
    eager = kinds("eager")
    lately = {key for (key,) in pg.execute(ASKED_LATELY, [list(eager), ASKED_HOURS])}
    ending = [about for about, left in held.entries.about() if left < RENEWED_SHARE * policy(about["kind"]).seconds]
    with renewing() as told:
        for about in {each["key"]: each for each in (*ending, *dropped)}.values():
            if about["kind"] in eager and about["key"] in lately:
                again.ask(settings, about["kind"], about["tenant"], about["again"])
        return told["made"]


def most_asked(pg: "psycopg.Connection[Any]") -> list[tuple[str, str, str]]:
    """Return kind, tenant and arguments of what agents and people ask most, most asked first; spaces and case aside."""
    return pg.execute(MOST_ASKED, {"kinds": again.kinds(), "top": TOP}).fetchall()
