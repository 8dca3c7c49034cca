"""What fans do: page views, clicks, shares, purchases, tickets, check-ins, referrals, use of features.

Here: one fan after the other, written as it is made, so that memory stays flat at any scale.
Not here: who the fans are (people.py) and how a document is encoded (mongo.py).
"""

import random
from collections import defaultdict
from datetime import datetime, timedelta

from .editorial import CAMPAIGNS, FEATURES, article_id, campaign_id
from .mongo import amount, oid, stamp
from .nights import Night
from .people import Person, device
from .seeds import DAYS, END, FIRST_DAY, START, moment, object_id, rng, waking_moment
from .words import CHANNELS, TIERS
from .world import World
from .writers import Exports

Event = dict[str, object]


class Log:
    """Writes documents of engagement, transactions and tickets, and hands out their ids."""

    def __init__(self, exports: Exports) -> None:
        self._exports = exports
        self._number = 0

    def document(self, collection: str, at: datetime, values: Event) -> str:
        """Write a document under a new id and return that id."""
        self._number += 1
        identity = object_id(at, self._number)
        self._exports.write(f"mongo/{collection}", {"_id": oid(identity), **values})
        return identity

    def act(self, kind: str, at: datetime, **values: object) -> None:
        """Write one engagement; fields that do not apply are absent, as in the shop."""
        properties = values.pop("properties", None)
        document: Event = {"kind": kind, **values, "at": stamp(at)}
        if properties:
            document["properties"] = properties
        self.document("engagement", at, document)


class Agenda:
    """The events a fan can look at: those with a page of their own, by city."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._all: list[int] = []
        self._cities: dict[str, list[int]] = defaultdict(list)
        for night in world.nights():
            if night.directus_id:
                self._all.append(night.number)
                self._cities[night.venue.city.name].append(night.number)

    def pick(self, city: str, after: datetime, dice: random.Random) -> Night:
        """Return an event, mostly of the city and mostly still to come."""
        pool = self._cities.get(city) if dice.random() < 0.8 else None
        night = self._world.night(dice.choice(pool or self._all))
        for _ in range(6):
            if night.starts > after:
                break
            night = self._world.night(dice.choice(pool or self._all))
        return night


def write_engagement(world: World, exports: Exports) -> None:
    """Write what every fan and every stranger did."""
    log, agenda = Log(exports), Agenda(world)
    for person in world.people():
        if person.user_id:
            _Fan(person, world, agenda, log).live()
    for number in range(world.stranger_count):
        _stranger(number, world, agenda, log)
    _broken(exports)


class _Fan:
    """One person with an account over the days since it joined."""

    def __init__(self, person: Person, world: World, agenda: Agenda, log: Log) -> None:
        self.person, self.world, self.agenda, self.log = person, world, agenda, log
        self.dice = rng("fan", person.number)
        self.user = oid(person.user_id or "")

    def live(self) -> None:
        """Write the visits of the fan, and what the account itself leaves."""
        joined = (self.person.joined.date() - FIRST_DAY).days
        for _ in range(self.dice.choice((2, 4, 5, 5, 6, 8, 10))):
            day = self.dice.randint(min(joined + 1, DAYS - 1), DAYS - 1)
            self._visit(waking_moment(self.dice, FIRST_DAY + timedelta(days=day)))
        self._referral()
        self._opinion()

    def _visit(self, at: datetime) -> None:
        dice, browser = self.dice, self.dice.choice(self.person.devices)
        channel = dice.choices(CHANNELS, (34, 22, 14, 16, 8, 6))[0]
        if dice.random() < 0.3:
            self.log.act(
                "page_view",
                at,
                anonymousId=browser,
                userId=self.user if dice.random() < 0.7 else None,
                contentId=article_id(dice.randrange(self.world.article_count)),
                channel=channel,
            )
            at += _pause(dice)
        signed_in = dice.random() < 0.75
        if signed_in:
            self.log.act("sign_in", at, anonymousId=browser, userId=self.user)
        night = self.agenda.pick(self.person.city.name, at, dice)
        who: Event = {"anonymousId": browser}
        if signed_in:
            who["userId"] = self.user
        for _ in range(dice.choice((1, 1, 2, 3))):
            at += _pause(dice)
            self.log.act("page_view", at, **who, eventId=night.directus_id, channel=channel)
        if dice.random() < 0.45:
            at += _pause(dice)
            self._click(at, night, who, channel, buys=signed_in)
        if dice.random() < 0.28:
            self.log.act(
                "share",
                at + _pause(dice),
                **who,
                eventId=night.directus_id,
                channel=dice.choice(("instagram", "whatsapp", "whatsapp", "tiktok")),
            )
        if dice.random() < 0.2:
            self.log.act("rsvp", at + _pause(dice), **who, eventId=night.directus_id)

    def _click(self, at: datetime, night: Night, who: Event, channel: str, *, buys: bool) -> None:
        campaign = campaign_id(self.dice.randrange(CAMPAIGNS)) if self.dice.random() < 0.4 else None
        extra: Event = {"campaignId": campaign} if campaign else {}
        self.log.act("ticket_click", at, **who, eventId=night.directus_id, channel=channel, **extra)
        if buys and self.dice.random() < 0.62:
            self._buy(at + _pause(self.dice), night, campaign)

    def _buy(self, at: datetime, night: Night, campaign: str | None) -> None:
        dice = self.dice
        at = min(at, END - timedelta(hours=1))
        count = dice.choice((1, 1, 2, 2, 3))
        status = dice.choices(("completed", "refunded", "pending", "failed"), (88, 5, 4, 3))[0]
        changed = moment(dice, at, min(END, at + timedelta(hours=20)))
        sale = self.log.document(
            "transactions",
            at,
            {
                "userId": self.user,
                "eventId": night.directus_id,
                "campaignId": campaign,
                "amount": amount(night.price * count, dice),
                "currency": night.currency,
                "status": status,
                "createdAt": stamp(at),
                "updatedAt": stamp(changed),
            },
        )
        if status in ("completed", "refunded"):
            for _ in range(count):
                self._ticket(at, sale, night, used=status == "completed")

    def _ticket(self, at: datetime, sale: str, night: Night, *, used: bool) -> None:
        door = night.starts + timedelta(minutes=self.dice.randint(-20, 120))
        came = used and at < door < END and self.dice.random() < 0.8
        self.log.document(
            "tickets",
            at,
            {
                "transactionId": oid(sale),
                "userId": self.user,
                "eventId": night.directus_id,
                "tier": self.dice.choice(TIERS),
                "price": amount(night.price, self.dice),
                "checkedInAt": stamp(door) if came else None,
                "updatedAt": stamp(door if came else at),
            },
        )
        if came and self.dice.random() < 0.7:
            self.log.act("check_in", door, userId=self.user, eventId=night.directus_id)

    def _referral(self) -> None:
        friend = self.world.person(self.dice.randrange(self.person.number + 1))
        if friend.user_id and friend.number != self.person.number and self.dice.random() < 0.3:
            self.log.act(
                "referral",
                self.person.joined,
                userId=self.user,
                referrerUserId=oid(friend.user_id),
                channel=self.dice.choice(CHANNELS[:3]),
            )

    def _opinion(self) -> None:
        at = moment(self.dice, self.person.joined, END)
        feature = 1 + self.dice.randrange(len(FEATURES))
        if self.dice.random() < 0.5:
            self.log.act("feature_use", at, userId=self.user, properties={"feature": feature})
        if self.dice.random() < 0.15:
            score = round(self.dice.uniform(-1, 1), 2)
            self.log.act("feedback", at, userId=self.user, properties={"feature": feature, "score": score})


def _stranger(number: int, world: World, agenda: Agenda, log: Log) -> None:
    """Write the visits of a browser whose owner never signs in."""
    dice = rng("stranger", number)
    browser, city = device("stranger", number), dice.choice(world.venues).city.name
    for _ in range(dice.choice((1, 1, 2, 3))):
        at = waking_moment(dice, FIRST_DAY + timedelta(days=dice.randrange(DAYS)))
        channel = dice.choice(CHANNELS)
        for _ in range(dice.choice((1, 2, 3, 4))):
            night = agenda.pick(city, at, dice)
            log.act("page_view", at, anonymousId=browser, eventId=night.directus_id, channel=channel)
            at += _pause(dice)
        if dice.random() < 0.3:
            log.act("ticket_click", at, anonymousId=browser, eventId=night.directus_id, channel=channel)


def _pause(dice: random.Random) -> timedelta:
    return timedelta(milliseconds=dice.randint(4_000, 240_000))


def _broken(exports: Exports) -> None:
    at = stamp(START + timedelta(days=40))
    exports.write("mongo/engagement", {"kind": "page_view", "at": at})
    exports.write("mongo/engagement", {"_id": oid("66f000000000000000000001"), "kind": None, "at": at})
    exports.write("mongo/engagement", {"_id": oid("66f000000000000000000002"), "kind": "share", "at": "mañana"})
    exports.raw("mongo/engagement", '{"_id":{"$oid":"66f000000000000000000003"},"kind":"page_vi')
    exports.raw("mongo/transactions", '{"_id":{"$oid":"66f000000000000000000004"},"amount":{"$numberDec')
    exports.write(
        "mongo/transactions",
        {
            "_id": oid("66f000000000000000000005"),
            "amount": "1.200,50",
            "userId": None,
            "currency": "MXN",
            "status": "completed",
            "updatedAt": at,
        },
    )
    exports.write("mongo/tickets", {"transactionId": None, "price": "gratis", "updatedAt": at})
