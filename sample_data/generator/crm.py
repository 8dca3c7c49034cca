"""Twenty CRM: people, companies, opportunities, as the REST API gives them at depth 0.

Here: records, soft deletes, duplicates. Not here: webhooks; see changes.py.
"""

import random
from datetime import datetime, timedelta

from . import noise
from .cast import Organizer
from .people import Person
from .seeds import END, START, iso, moment, new_uuid, rng
from .truth import Truth
from .words import CALLING_CODES, COUNTRY_NAMES, CURRENCIES
from .world import World
from .writers import Exports

STAGES = ("NEW", "SCREENING", "MEETING", "PROPOSAL", "CUSTOMER")
DEALS = ("ticketera", "campaña de temporada", "patrocinio", "plan anual")
TITLES = ("Booker", "Directora general", "Productor", "Marketing", "Gerente de sala", "Sócia", "Tour manager")


def write_crm(world: World, exports: Exports, truth: Truth) -> None:
    """Write companies, people and opportunities."""
    for organizer in world.organizers:
        exports.write("twenty/companies", company(organizer))
        truth.record(f"twenty/companies/{organizer.company_id}", "organization", organizer.key)
        if organizer.number % 9 == 4:
            twin = new_uuid("twenty/companies", "twin", organizer.number)
            exports.write("twenty/companies", {**company(organizer, twin=True), "id": twin})
            truth.record(f"twenty/companies/{twin}", "organization", organizer.key)
    for person in world.people():
        if person.crm_id:
            exports.write("twenty/people", contact(person, world))
            truth.record(f"twenty/people/{person.crm_id}", "person", person.key)
    for number in range(len(world.organizers)):
        exports.write("twenty/opportunities", _opportunity(number, world))
    exports.write("twenty/people", {"id": None, "name": {"firstName": "Sin", "lastName": "Id"}, "emails": None})
    exports.raw("twenty/companies", '{"id": "cortado", "name": ')


def company(organizer: Organizer, *, twin: bool = False) -> dict[str, object]:
    """Return a company; a twin is the same one entered again by another colleague."""
    dice = rng("crm", "company", organizer.number, twin)
    known = twin or dice.random() < 0.7
    city = organizer.city
    return {
        "id": organizer.company_id,
        "name": noise.other_name(organizer.name, dice) if twin else organizer.name,
        "domainName": _link(noise.website(organizer.domain, dice) if known else ""),
        "address": {
            "addressStreet1": f"Calle {dice.randint(1, 120)} #{dice.randint(1, 99)}",
            "addressStreet2": "",
            "addressCity": city.name,
            "addressPostcode": None,
            "addressState": "",
            "addressCountry": COUNTRY_NAMES[city.country],
            "addressLat": city.lat,
            "addressLng": str(city.lng),
        },
        "annualRevenue": _money(dice, CURRENCIES[city.country], 50_000_000),
        "accountOwnerId": None,
        **_tail(dice, organizer.number, deleted=twin and organizer.number % 4 == 0),
    }


def contact(person: Person, world: World) -> dict[str, object]:
    """Return a person of the CRM; four in five work for a company."""
    dice = rng("crm", "person", person.number)
    employer = world.organizers[person.number % len(world.organizers)]
    code = CALLING_CODES[person.city.country]
    return {
        "id": person.crm_id,
        "name": {"firstName": person.first, "lastName": noise.other_case(person.last, dice).strip()},
        "emails": {
            "primaryEmail": person.email.upper() if dice.random() < 0.1 else person.email,
            "additionalEmails": None if dice.random() < 0.8 else [f"booking{person.number}@{employer.domain}"],
        },
        "linkedinLink": _link(""),
        "jobTitle": dice.choice(TITLES),
        "phones": {
            "primaryPhoneNumber": person.phone.removeprefix(code) if dice.random() < 0.5 else "",
            "primaryPhoneCountryCode": person.city.country,
            "primaryPhoneCallingCode": code,
            "additionalPhones": None,
        },
        "avatarUrl": "",
        "companyId": employer.company_id if dice.random() < 0.8 else None,
        **_tail(dice, person.number, deleted=person.number % 70 == 9),
    }


def _opportunity(number: int, world: World) -> dict[str, object]:
    dice = rng("crm", "opportunity", number)
    organizer = world.organizers[number]
    return {
        "id": new_uuid("twenty/opportunities", number),
        "name": f"{organizer.name}: {dice.choice(DEALS)}",
        "amount": _money(dice, CURRENCIES[organizer.city.country], 900_000),
        "closeDate": f"{dice.choice((2026, 2027))}-12-{dice.randint(10, 28)}T00:00:00.000Z",
        "stage": dice.choice(STAGES),
        "pointOfContactId": world.person(number * 10 + 9).crm_id,
        "companyId": organizer.company_id,
        "ownerId": None,
        **_tail(dice, number, deleted=number % 30 == 11),
    }


def _tail(dice: random.Random, position: int, *, deleted: bool) -> dict[str, object]:
    created = moment(dice, START, END - timedelta(days=3))
    updated: datetime = moment(dice, created, END)
    return {
        "position": position,
        "createdBy": {"source": "API", "workspaceMemberId": None, "name": "etl-key", "context": {}},
        "createdAt": iso(created),
        "updatedAt": iso(updated),
        "deletedAt": iso(updated) if deleted else None,
    }


def _link(url: str) -> dict[str, object]:
    return {"primaryLinkLabel": "", "primaryLinkUrl": url, "secondaryLinks": []}


def _money(dice: random.Random, currency: str, most: int) -> dict[str, object]:
    micros = dice.randint(most // 20, most) * 1_000_000
    return {"amountMicros": str(micros) if dice.random() < 0.3 else micros, "currencyCode": currency}
