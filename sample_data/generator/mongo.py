"""The shop's MongoDB: users, and the extended JSON every collection is written in.

Here: users, their duplicates and their broken documents. What they do is in engagement.py.
"""

import random
from datetime import datetime, timedelta

from . import noise
from .people import Person
from .seeds import END, iso, moment, object_id, rng
from .truth import Truth
from .world import World
from .writers import Exports


def oid(text: str) -> dict[str, str]:
    """Return an object id in relaxed extended JSON."""
    return {"$oid": text}


def stamp(at: datetime) -> dict[str, str]:
    """Return a date in relaxed extended JSON."""
    return {"$date": iso(at)}


def amount(value: float, dice: random.Random) -> object:
    """Return an amount as the three generations of the shop stored it."""
    return dice.choice((round(value, 2), {"$numberDecimal": f"{value:.2f}"}, {"$numberDecimal": f"{value:.2f}"}))


def write_users(world: World, exports: Exports, truth: Truth) -> None:
    """Write the accounts, and the second account one person in sixty opened with another address."""
    for person in world.people():
        for device in person.devices:
            truth.device(device, person)
        if person.user_id is None:
            continue
        exports.write("mongo/users", user(person, world))
        truth.record(f"mongo/users/{person.user_id}", "person", person.key)
        if person.number % 60 == 7:
            _second_account(person, exports, truth)
        if person.number % 300 == 13:
            exports.write("mongo/users", user(person, world))
    exports.write("mongo/users", {"email": "sin.id@correo.example", "name": "Sin id"})
    exports.write("mongo/users", {"_id": oid("no-es-un-oid"), "email": 42, "updatedAt": "ayer"})
    exports.raw("mongo/users", '{"_id":{"$oid":"66cf00000000000000000000"},"email":"cortado@')


def user(person: Person, world: World) -> dict[str, object]:
    """Return the account of a person, with its devices; one in ninety shares a friend's device."""
    dice = rng("user", person.number)
    devices = list(person.devices)
    if person.number % 90 == 5:
        devices.append(world.person(person.number + 1).devices[0])
    email = person.email.upper() if dice.random() < 0.06 else person.email
    return {
        "_id": oid(person.user_id or ""),
        "email": None if dice.random() < 0.04 else email,
        "phone": noise.phone(person.phone, dice) if dice.random() < 0.6 else None,
        "name": noise.other_case(person.name, dice) if dice.random() < 0.9 else person.first,
        "instagram": noise.instagram(person.handle, dice) if dice.random() < 0.45 else None,
        "anonymousIds": devices if dice.random() < 0.75 else devices[:1],
        "createdAt": stamp(person.joined),
        "updatedAt": stamp(moment(dice, person.joined, END)),
    }


def _second_account(person: Person, exports: Exports, truth: Truth) -> None:
    dice = rng("second", person.number)
    opened = moment(dice, person.joined, END - timedelta(days=1))
    second = object_id(opened, 900_000 + person.number)
    exports.write(
        "mongo/users",
        {
            "_id": oid(second),
            "email": f"{person.handle}@otrocorreo.example",
            "phone": person.phone,
            "name": person.name,
            "instagram": noise.instagram(person.handle, dice),
            "anonymousIds": [],
            "createdAt": stamp(opened),
            "updatedAt": stamp(opened),
        },
    )
    truth.record(f"mongo/users/{second}", "person", person.key)
