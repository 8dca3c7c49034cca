"""Each kind of entity in one row: what is compared, what makes candidates, what is never one, the thresholds."""

from dataclasses import dataclass

from sonik_assets.identity.matching import blocking, comparisons
from sonik_assets.identity.matching.blocking import Rule
from sonik_assets.identity.matching.comparisons import Comparison


@dataclass(frozen=True)
class Kind:
    """`rivals` is SQL over the measures: which candidates are worth weighing, in training and in matching alike.

    `prior` is the share of matches among those that EM starts from.
    """

    comparisons: tuple[Comparison, ...]
    keys: tuple[Rule, ...]
    prior: float
    link: float
    review: float
    rivals: str = "true"


_CONTACT = "same_phone or same_handle or same_email or same_domain and domain_weight >= 0.8"
_NEAR = (
    "metres <= 2000 or same_house and street > 0 or street >= 0.75 or same_postcode"
    " or metres is null and street is null and name_least >= 0.8 and coalesce(same_city, same_country)"
)
_NAMED = "name_least >= 0.6 or name_most >= 0.9 or letters >= 0.75"
# A name alone tells no two people apart: something else must agree.
_PERSON = (
    f"{_CONTACT} or same_mailbox or same_birth or birth_slip or same_house and street >= 0.5"
    " or street >= 0.75 and same_postcode"
    f" or (same_postcode or same_city) and ({_NAMED})"
)

_COMPANY = Kind(
    comparisons.COMPANY,
    (*blocking.NAME_KEYS, *blocking.CONTACT_KEYS),
    prior=0.2,
    link=0.7,
    review=0.4,
    rivals=f"{_NAMED} or {_CONTACT}",
)
KINDS = {
    "venue": Kind(
        comparisons.VENUE,
        (*blocking.NAME_KEYS, *blocking.CONTACT_KEYS, *blocking.PLACE_KEYS),
        prior=0.35,
        link=0.93,
        review=0.2,
        rivals=f"{_NEAR} or {_CONTACT}",
    ),
    "organization": _COMPANY,
    "brand": _COMPANY,
    "artist": Kind(
        comparisons.ARTIST,
        (*blocking.NAME_KEYS, *blocking.CONTACT_KEYS),
        prior=0.3,
        link=0.8,
        review=0.5,
        rivals=f"{_NAMED} or {_CONTACT}",
    ),
    "person": Kind(
        comparisons.PERSON,
        (*blocking.PERSON_NAME_KEYS, *blocking.CONTACT_KEYS, *blocking.PERSON_KEYS),
        prior=0.2,
        link=0.9,
        review=0.1,
        rivals=_PERSON,
    ),
    "event": Kind(comparisons.EVENT, blocking.NIGHT_KEYS, prior=0.6, link=0.8, review=0.4),
}
