"""Fans and professionals: each derived from its number alone, so that any count needs no memory.

Here: who a person is. Not here: what a person does (engagement.py) or how the CRM sees them (crm.py).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from . import words
from .places import City
from .seeds import END, START, moment, new_uuid, object_id, rng
from .venues import Venue, mobile, slug

MAIL_HOSTS = ("correo.example", "buzon.example", "mail.example", "posta.example")


@dataclass(frozen=True, slots=True)
class Person:
    """A true person: nine in ten have an account, one in eight is in the CRM."""

    key: str
    number: int
    first: str
    last: str
    email: str
    phone: str
    handle: str
    city: City
    joined: datetime
    user_id: str | None
    crm_id: str | None
    devices: tuple[str, ...]

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


def person(number: int, venues: list[Venue]) -> Person:
    """Return the person of that number."""
    dice = rng("person", number)
    first, last = dice.choice(words.FIRST_NAMES), dice.choice(words.LAST_NAMES)
    login = f"{slug(first)}.{slug(last)}{number}"
    city = venues[int(len(venues) * dice.random() ** 1.3)].city
    joined = moment(dice, START, END - timedelta(days=8))
    devices = dice.choice((1, 1, 1, 2, 2, 3))
    return Person(
        key=f"person-{number:06d}",
        number=number,
        first=first,
        last=last,
        email=f"{login}@{dice.choice(MAIL_HOSTS)}",
        phone=mobile(city.country, "person", number),
        handle=f"{slug(first)[:8]}_{slug(last)[:8]}{number}",
        city=city,
        joined=joined,
        user_id=object_id(joined, number) if number % 10 != 9 else None,
        crm_id=new_uuid("twenty/people", number) if number % 10 == 9 or number % 40 == 0 else None,
        devices=tuple(device("person", number, i) for i in range(devices)),
    )


def device(*parts: object) -> str:
    """Return the anonymous id of a browser."""
    return f"anon-{rng('device', *parts).getrandbits(64):016x}"
