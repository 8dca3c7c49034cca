"""Directus collections around the world: articles, scrape jobs and the small reference collections.

Here: articles, scrape_jobs, markets, campaigns, features, feature_flags, concepts.
"""

from datetime import UTC, datetime, time, timedelta

from . import texts, words
from .directus import stamps
from .noise import fold, instagram
from .places import cities
from .seeds import DAYS, FIRST_DAY, START, iso, moment, new_uuid, rng
from .world import World
from .writers import Exports

CAMPAIGNS = 36
SLOGANS = ("temporada", "preventa", "lanzamiento", "último llamado")
FEATURES = (
    ("Ticket links", "growth", 0.9, ("sonik_assets.raw", "resources.sources")),
    ("Event agenda", "growth", 0.7, ("sonik_assets.unified", "sonik_assets.serving")),
    ("Venue pages", "growth", 0.6, ("sonik_assets.identity", "sonik_assets.unified")),
    ("Artist pages", "growth", 0.5, ("sonik_assets.identity",)),
    ("Claim a profile", "crm", 0.8, ("sonik_assets.identity", "sonik_assets.cli")),
    ("Lead list", "crm", 0.85, ("sonik_assets.unified",)),
    ("Warm introduction", "crm", 0.75, ("sonik_assets.graph", "resources.stores")),
    ("Campaign attribution", "ads", 0.8, ("sonik_assets.graph", "sonik_assets.unified")),
    ("Share tracking", "ads", 0.6, ("sonik_assets.raw",)),
    ("Promoter ranking", "ads", 0.55, ("sonik_assets.graph",)),
    ("Semantic search", "discovery", 0.65, ("sonik_assets.vectors",)),
    ("Similar nights", "discovery", 0.4, ("sonik_assets.vectors", "sonik_assets.cache")),
    ("Instant answers", "discovery", 0.45, ("sonik_assets.cache",)),
    ("City newsletter", "content", 0.3, ("sonik_assets.vectors", "sonik_assets.serving")),
    ("Local platform", "platform", 0.2, ("resources.embedded", "resources.settings")),
    ("Live changes", "platform", 0.25, ("sonik_assets.changes", "resources.stores")),
)


def write_editorial(world: World, exports: Exports) -> None:
    """Write all of them."""
    for number in range(world.article_count):
        exports.write("directus/articles", _article(number, world))
    for number in range(CAMPAIGNS):
        exports.write("directus/campaigns", _campaign(number, world))
    _scrape_jobs(exports)
    _markets(exports)
    _features(exports)
    _concepts(exports)


def article_id(number: int) -> str:
    """Return the Directus id of an article."""
    return new_uuid("directus/articles", number)


def campaign_id(number: int) -> str:
    """Return the Directus id of a campaign."""
    return new_uuid("directus/campaigns", number)


def _article(number: int, world: World) -> dict[str, object]:
    dice = rng("article", number)
    night = world.night(dice.randrange(world.event_count))
    title, body = texts.article(night, dice)
    slug = f"{fold(title).replace(' ', '-')}-{number}"
    made = stamps(dice)
    return {
        "id": article_id(number),
        "status": dice.choices(("published", "draft", "archived"), (88, 8, 4))[0],
        "title": title,
        "slug": slug,
        "body": body,
        "url": f"https://revista.example/{slug}",
        "city": night.venue.city.name,
        "published_at": made["date_created"],
        **made,
    }


def _campaign(number: int, world: World) -> dict[str, object]:
    dice = rng("campaign", number)
    organizer = world.organizers[(number * 5) % len(world.organizers)]
    first = FIRST_DAY + timedelta(days=dice.randint(0, 60))
    return {
        "id": campaign_id(number),
        "name": f"{organizer.name} {dice.choice(SLOGANS)} {number}",
        "channel": words.CHANNELS[number % len(words.CHANNELS)],
        "budget": str(dice.randint(2, 90) * 100) if number % 4 else dice.randint(2, 90) * 100,
        "start_date": first.isoformat(),
        "end_date": (first + timedelta(days=dice.randint(7, 30))).isoformat(),
        "organizer_instagram": instagram(organizer.handle, dice),
        **stamps(dice),
    }


def _scrape_jobs(exports: Exports) -> None:
    for day in range(DAYS):
        for provider in words.PROVIDERS:
            dice = rng("job", day, provider)
            began = datetime.combine(FIRST_DAY + timedelta(days=day), time(6), UTC)
            began += timedelta(seconds=dice.randint(0, 3000))
            ended = began + timedelta(seconds=dice.randint(30, 1500))
            failed = dice.random() < 0.06
            exports.write(
                "directus/scrape_jobs",
                {
                    "id": day * 10 + words.PROVIDERS.index(provider) + 1,
                    "provider": provider,
                    "feed": ("venue_info", "event_listings", "artist_profiles")[dice.choice((0, 1, 1, 1, 2))],
                    "status": "failed" if failed else "succeeded",
                    "started_at": iso(began),
                    "finished_at": iso(ended),
                    "rows_found": None if failed else dice.randint(0, 60),
                    "error": "HTTP 429: too many requests" if failed else None,
                    "date_created": iso(began),
                    "date_updated": iso(ended),
                },
            )


def _markets(exports: Exports) -> None:
    centres = {city.name: city for city in cities().values()}
    for number, name in enumerate(words.MARKETS):
        exports.write(
            "directus/markets",
            {
                "id": number + 1,
                "name": name,
                "country": centres[name].country,
                "timezone": centres[name].timezone,
                "status": "active" if number < 12 else "planned",
                **stamps(rng("market", number)),
            },
        )


def _features(exports: Exports) -> None:
    for number, (name, suite, impact, modules) in enumerate(FEATURES):
        exports.write(
            "directus/features",
            {
                "id": number + 1,
                "name": name,
                "suite": suite,
                "status": "live" if number % 5 else "beta",
                "revenue_impact": impact if number % 3 else f"{impact}",
                "modules": list(modules),
                **stamps(rng("feature", number)),
            },
        )
        exports.write(
            "directus/feature_flags",
            {
                "id": number + 1,
                "name": f"enable_{fold(name).replace(' ', '_')}",
                "enabled": number % 4 != 2,
                "rollout_percentage": (100, 50, 10, 0)[number % 4],
                "feature": number + 1,
                **stamps(rng("flag", number)),
            },
        )


def _concepts(exports: Exports) -> None:
    for number, (name, domain) in enumerate(words.CONCEPTS):
        near = [i + 1 for i, (_, other) in enumerate(words.CONCEPTS) if other == domain and i != number]
        dice = rng("concept", number)
        exports.write(
            "directus/concepts",
            {
                "id": number + 1,
                "name": name,
                "domain": domain,
                "related": [
                    *sorted(dice.sample(near, min(3, len(near)))),
                    (number + 17) % len(words.CONCEPTS) + 1,
                ],
                "date_created": iso(moment(dice, START)),
                "date_updated": None,
            },
        )
