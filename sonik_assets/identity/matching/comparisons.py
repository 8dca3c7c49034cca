"""The comparisons of each kind of entity: levels of agreement, the first that holds counts; starting weights.

A level's `m` and `u` are what EM starts from and what stands in for a level it never saw: how often matches, and
how often other candidates, are at that level (experience with places and people; sums to about 1 a comparison).
Only rules: the measures are in `similarity.py`.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Level:
    """`when` is SQL over the measures; the last level of a comparison is for all other pairs.

    `doubt`: a contradiction that no sum of other evidence outweighs: such a pair is reviewed, never linked.
    """

    label: str
    when: str
    m: float
    u: float
    doubt: bool = False


@dataclass(frozen=True)
class Comparison:
    """`known`: SQL that tells whether both records say something: else there is no evidence either way.

    `shown` are the record columns an explanation gives; a comparison none of whose columns is filled is left out.
    """

    name: str
    shown: tuple[str, ...]
    known: str
    levels: tuple[Level, ...]


type _Row = tuple[str, str, float, float] | tuple[str, str, float, float, bool]

DOUBT = True


def _levels(*rows: _Row) -> tuple[Level, ...]:
    return tuple(Level(*row) for row in rows)


NAME = Comparison(
    "name",
    ("name",),
    "name_total_l > 0 and name_total_r > 0",
    _levels(
        ("one is a part of the other", "other_part and name_most >= 0.5", 0.05, 0.15, DOUBT),
        ("same words, telling", "name_least >= 0.97 and name_shared >= 1.4", 0.4, 0.06),
        ("same words, common", "name_least >= 0.97", 0.15, 0.06),
        ("nearly the same words", "name_least >= 0.8 or letters >= 0.85", 0.12, 0.05),
        ("one holds the other", "name_most >= 0.9", 0.15, 0.08),
        ("share most", "name_most >= 0.6 and name_own <= 0.5 or letters >= 0.78", 0.06, 0.1),
        ("share some, each has its own", "name_most >= 0.3", 0.03, 0.25, DOUBT),
        ("different", "true", 0.01, 0.25, DOUBT),
    ),
)
NUMBERS = Comparison(
    "numbers",
    ("name",),
    "numbers_differ is not null or numbers_missing",
    _levels(
        ("same number", "not numbers_differ", 0.6, 0.2),
        ("number on one side", "numbers_differ is null", 0.35, 0.4),
        ("different numbers", "true", 0.05, 0.4, DOUBT),
    ),
)
BRANCH = replace(
    NUMBERS,
    levels=_levels(
        ("same number", "not numbers_differ", 0.6, 0.2),
        ("number on one side", "numbers_differ is null", 0.35, 0.4, DOUBT),
        ("different numbers", "true", 0.05, 0.4, DOUBT),
    ),
)
"""Of places: where only one name has a number, it may be the second hall of the other, or its next branch."""
PLACE = Comparison(
    "place",
    ("address", "postcode", "city_key", "latitude", "longitude"),
    "street is not null or same_house is not null or same_postcode is not null or metres is not null",
    _levels(
        ("farther than 2.5 km", "metres > 2500", 0.01, 0.15, DOUBT),
        ("same house, same point", "same_house and street >= 0.75 and metres <= 75", 0.25, 0.02),
        ("same point", "metres <= 75", 0.15, 0.03),
        ("same house", "same_house and street >= 0.75 and metres is null", 0.22, 0.06),
        ("same house, other point", "same_house and street >= 0.75", 0.06, 0.07),
        ("within 250 m", "metres <= 250", 0.07, 0.05),
        ("same number, street written otherwise", "same_house", 0.04, 0.04),
        ("same street, number missing", "street >= 0.75 and same_house is null", 0.06, 0.06),
        ("same street, near number", "street >= 0.75 and house_gap <= 12", 0.03, 0.05),
        ("same street, other number", "street >= 0.75", 0.03, 0.12, DOUBT),
        ("other street, same postcode", "same_postcode", 0.04, 0.1),
        ("street missing", "street is null", 0.02, 0.05),
        ("other street", "true", 0.02, 0.2, DOUBT),
    ),
)
ADDRESS = Comparison(
    "address",
    ("address", "postcode"),
    "street is not null or same_house is not null or same_postcode is not null",
    _levels(
        ("same house", "same_house and street >= 0.75", 0.6, 0.2),
        ("same number, street written otherwise", "same_house", 0.08, 0.03),
        ("same street, number missing", "street >= 0.75 and same_house is null", 0.08, 0.06),
        ("same street, near number", "street >= 0.75 and house_gap <= 12", 0.05, 0.04),
        ("same street, other number", "street >= 0.75", 0.04, 0.15, DOUBT),
        ("other street, same postcode", "same_postcode", 0.08, 0.22),
        ("street missing", "street is null", 0.04, 0.05),
        ("other street", "true", 0.03, 0.25, DOUBT),
    ),
)
PHONE = Comparison(
    "phone",
    ("phones",),
    "same_phone is not null and not (same_phone and phone_weight < 0.8)",
    _levels(
        ("same", "same_phone", 0.7, 0.05),
        ("nearly the same", "phone_slip", 0.03, 0.02),
        ("different", "true", 0.27, 0.93),
    ),
)
WEB = Comparison(
    "web",
    ("domains", "url"),
    "same_domain is not null and not (same_domain and domain_weight < 0.8 and (same_path or not deep_path))",
    _levels(
        ("same page", "same_domain and same_path and deep_path", 0.2, 0.03),
        ("same own site", "same_domain and domain_weight >= 0.8 and not deep_path", 0.5, 0.12),
        ("same own site, other page", "same_domain and domain_weight >= 0.8", 0.1, 0.1),
        ("same shared site, other page", "same_domain", 0.05, 0.2),
        ("other site", "true", 0.15, 0.55),
    ),
)
HANDLE = Comparison(
    "handle",
    ("handles",),
    "same_handle is not null",
    _levels(("same", "same_handle", 0.7, 0.02), ("different", "true", 0.3, 0.98)),
)
CATEGORY = Comparison(
    "category",
    ("category",),
    "same_kind is not null",
    _levels(("related", "same_kind", 0.85, 0.6), ("unrelated", "true", 0.15, 0.4)),
)

HOME = Comparison(
    "home",
    ("city_key", "country_code"),
    "same_city is not null or same_country is not null",
    _levels(
        ("same city", "same_city", 0.75, 0.15),
        ("same country, city missing", "same_country and same_city is null", 0.17, 0.3),
        ("same country, other city", "same_country", 0.05, 0.3),
        ("other city or country", "true", 0.03, 0.25, DOUBT),
    ),
)
GENRES = Comparison(
    "genres",
    ("genres",),
    "genres is not null",
    _levels(
        ("all of one's", "genres >= 0.99", 0.7, 0.1),
        ("some", "genres > 0", 0.2, 0.2),
        ("none in common", "true", 0.1, 0.7),
    ),
)
OWN_NAME = Comparison(
    "name",
    ("name",),
    "name_total_l > 0 and name_total_r > 0",
    _levels(
        ("same words, telling", "name_least >= 0.97 and name_shared >= 1.4", 0.5, 0.05),
        ("same words, common", "name_least >= 0.97", 0.2, 0.05),
        ("nearly the same words", "name_least >= 0.75 and name_extra <= 0.6 or letters >= 0.85", 0.2, 0.1),
        ("one holds the other", "name_most >= 0.9", 0.04, 0.15),
        ("share most", "name_most >= 0.6 and name_own <= 0.5 or letters >= 0.75", 0.03, 0.15, DOUBT),
        ("share some, each has its own", "name_most >= 0.3", 0.02, 0.3, DOUBT),
        ("different", "true", 0.01, 0.2, DOUBT),
    ),
)
PERSON_NAME = Comparison(
    "name",
    ("name",),
    "name_total_l > 0 and name_total_r > 0",
    _levels(
        ("same words, telling", "name_least >= 0.97 and name_shared >= 1.4", 0.5, 0.03),
        ("same words, common", "name_least >= 0.97", 0.2, 0.05),
        ("nearly the same words", "name_least >= 0.75 or letters >= 0.85", 0.2, 0.05),
        ("one holds the other", "name_most >= 0.9", 0.04, 0.05),
        ("one word in common", "name_most >= 0.3", 0.05, 0.6, DOUBT),
        ("different", "true", 0.01, 0.22, DOUBT),
    ),
)
BIRTH = Comparison(
    "birth",
    ("birth_date",),
    "same_birth is not null",
    _levels(
        ("same", "same_birth", 0.85, 0.02),
        ("a slip of one digit", "birth_slip", 0.1, 0.02),
        ("different", "true", 0.05, 0.96),
    ),
)
EMAIL = Comparison(
    "email",
    ("emails",),
    "same_email is not null",
    _levels(
        ("same", "same_email", 0.7, 0.02),
        ("same name with another provider", "same_mailbox", 0.15, 0.01),
        ("different", "true", 0.15, 0.97),
    ),
)
LINEUP = Comparison(
    "lineup",
    ("lineup",),
    "lineup is not null",
    _levels(
        ("all of one's", "lineup >= 0.95", 0.85, 0.05),
        ("some", "lineup > 0", 0.1, 0.05),
        ("nobody in common", "true", 0.05, 0.9, DOUBT),
    ),
)
START = Comparison(
    "start",
    ("starts_at",),
    "start_gap <= 720",  # farther apart within one night: one of them tells the day only
    _levels(
        ("same minute", "start_gap = 0", 0.8, 0.2),
        ("within an hour", "start_gap <= 60", 0.12, 0.2),
        ("within three hours", "start_gap <= 180", 0.06, 0.3),
        ("later", "true", 0.02, 0.3, DOUBT),
    ),
)

VENUE = (NAME, BRANCH, PLACE, PHONE, WEB, HANDLE, CATEGORY)
COMPANY = (OWN_NAME, NUMBERS, HOME, PHONE, WEB, HANDLE)
ARTIST = (OWN_NAME, NUMBERS, HOME, GENRES, WEB, HANDLE)
PERSON = (PERSON_NAME, BIRTH, ADDRESS, HOME, PHONE, EMAIL, HANDLE)
EVENT = (OWN_NAME, NUMBERS, START, LINEUP, GENRES)
