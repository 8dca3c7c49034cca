"""Random changes of a small `unified` schema: people, venues and edges that come, change, merge, move and go."""

import random
from collections.abc import Callable

from tests.support.unified import World

KINDS = ("Person", "Venue", "Organization")


class History:
    """A random history of a world; the same for the same seed. `step` is one transaction of a few changes."""

    def __init__(self, world: World, seed: int) -> None:
        self.gone: list[tuple[str, str]] = []
        self.world, self.dice = world, random.Random(seed)  # noqa: S311 - repeatable, not secret

    def step(self) -> None:
        """Commit one to four random changes together."""
        with self.world.pg.transaction():
            for _ in range(self.dice.randint(1, 4)):
                self.dice.choice(self._kinds())()

    def _kinds(self) -> tuple[Callable[[], None], ...]:
        some = (self._change, self._weigh, self._merge, self._split, self._go, self._back, self._move, self._tell)
        return (self._come, self._come, self._relate, self._relate, *some)

    def _pick(self, kind: str | None = None) -> tuple[str, str] | None:
        query = (
            "select entity_type, id::text from unified.entities where %s::text is null or entity_type = %s order by id"
        )
        rows = self.world.pg.execute(query, [kind, kind]).fetchall()
        return (rows[0][0].title(), rows[0][1]) if (rows := self.dice.sample(rows, min(1, len(rows)))) else None

    def _come(self) -> None:
        self.world.entity(self.dice.choice(KINDS), f"n{self.dice.random()}", capacity=self.dice.randint(1, 9))

    def _relate(self) -> None:
        start, end = self._pick("person"), self._pick()
        if start and end and start != end:
            type = "REFERRED" if end[0] == "Person" else "OWNS"
            self.world.pg.execute("savepoint relate")
            try:
                self.world.relate(start, type, end, weight=self.dice.random())
            except Exception:  # noqa: BLE001 - the edge is there already
                self.world.pg.execute("rollback to savepoint relate")

    def _change(self) -> None:
        if found := self._pick():
            self.world.pg.execute(
                "update unified.entities set name = %s where id = %s", [f"c{self.dice.random()}", found[1]]
            )

    def _weigh(self) -> None:
        self.world.pg.execute("update unified.relationships set weight = %s where get_byte(uuid_send(id), 0) %% 7 = %s",
                              [self.dice.random(), self.dice.randrange(7)])  # fmt: skip

    def _merge(self) -> None:
        """One entity goes into another of its kind; edges move, those that would double go."""
        one = self._pick()
        other = self._pick(one[0].lower()) if one else None
        if not one or not other or one == other:
            return
        for column in ("from_id", "to_id"):
            edges = "select from_label, from_id::text, type, to_label, to_id::text from unified.relationships"
            rows = self.world.pg.execute(f"{edges} where {column} = %s", [one[1]]).fetchall()
            self.world.pg.execute(f"delete from unified.relationships where {column} = %s", [one[1]])
            for from_label, from_id, type, to_label, to_id in rows:
                start, end = (other[1], to_id) if column == "from_id" else (from_id, other[1])
                there = self.world.pg.execute(
                    "select 1 from unified.relationships where from_id = %s and type = %s and to_id = %s",
                    [start, type, end],
                ).fetchone()
                if start != end and not there:
                    self.world.relate((from_label, start), type, (to_label, end), weight=self.dice.random())
        self.world.delete(one[1])

    def _split(self) -> None:
        """A new entity takes half of the edges of another."""
        if found := self._pick("venue"):
            new = self.world.entity("Venue", f"s{self.dice.random()}")
            rows = self.world.pg.execute(
                "delete from unified.relationships where to_id = %s and get_byte(uuid_send(from_id), 15) %% 2 = 0"
                " returning from_id::text", [found[1]],
            ).fetchall()  # fmt: skip
            for (start,) in rows:
                self.world.relate(("Person", start), "OWNS", ("Venue", new))

    def _go(self) -> None:
        """An entity goes and its edges stay, dangling; or with them."""
        if found := self._pick():
            self.world.delete(found[1])
            self.gone.append(found)
            if self.dice.random() < 0.5:
                self.world.pg.execute("delete from unified.relationships where %s in (from_id, to_id)", [found[1]])

    def _move(self) -> None:
        """A venue turns out to be an organization; its edges are told of it at once, later or never."""
        if found := self._pick("venue"):
            self.world.pg.execute("update unified.entities set entity_type = 'organization' where id = %s", [found[1]])
            if self.dice.random() < 0.7:
                self.world.pg.execute(
                    "update unified.relationships set to_label = 'Organization' where to_id = %s", [found[1]]
                )

    def _tell(self) -> None:
        """An identifier becomes known, changes or is gone."""
        if found := self._pick():
            self.world.pg.execute(
                "insert into unified.entity_identifiers (entity_id, domain) values (%s, %s)"
                " on conflict (entity_id) do update set domain = excluded.domain",
                [found[1], f"{self.dice.randrange(9)}.example"],
            )

    def _back(self) -> None:
        """What went comes back under its id, perhaps as something else; edges may have waited for it."""
        if self.gone:
            kind, id = self.gone.pop(self.dice.randrange(len(self.gone)))
            there = self.world.pg.execute("select 1 from unified.entities where id = %s", [id]).fetchone()
            if not there:  # the transaction in which it went may have been lost
                kind = self.dice.choice((kind, "Organization"))
                self.world.add("unified.entities", id=id, entity_type=kind.lower(), name="back")
