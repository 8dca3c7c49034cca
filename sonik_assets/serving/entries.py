"""Kept answers in Redis: one hash each, under a key that names tenant, kind, terms and prompt. Who asks is `answers`.

An entry ends at a time that was set when it was stored. Sorted sets tell which entries cite a record and which ones
there are; their scores are the entries' ends. Every drop draws a new epoch before it looks for anything: an answer that
was begun under another epoch is not stored, for it may have been made from what the drop was about.
"""

import hashlib
import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import redis

    from resources.encoders import Vectors

EVERYTHING = "*"
"""Cited by an answer that any change may make wrong."""
MOST_CITES = 500
"""An answer that cites more records is taken to cite everything."""
MOST_ENTRIES = 50_000
"""Of one database; the one that ends first makes room."""
MOST_BYTES = 1 << 20
"""A longer answer is not kept."""
BATCH = 500


@dataclass(frozen=True)
class Asked:
    """A question. Two with the same `terms` and `prompt` (case aside) of one tenant and kind have one answer.

    `kind` names the policy; `prompt` is what may be compared by meaning; `terms` is a hash of all that must be equal
    (filters, limit, model, version of the code); `tenant` is `str(scope)`. `again`: JSON that tells the stage `cache`
    how to ask it again, "" where it cannot be.
    """

    kind: str
    prompt: str
    terms: str
    tenant: str
    again: str = ""

    @property
    def key(self) -> str:
        """The question's hash."""
        return _hash(self.tenant, self.kind, self.terms, self.prompt.casefold())


class Found(NamedTuple):
    """A kept answer; `similar`: it was made for a question that means the same."""

    value: Any
    similar: bool


_STORE = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + ARGV[2]
local entry = KEYS[2]
redis.call('unlink', entry)
redis.call('hset', entry, 'value', ARGV[3], 'check', ARGV[4], 'about', ARGV[5])
redis.call('pexpireat', entry, ends)
if ARGV[6] ~= '' then
    redis.call('zadd', KEYS[4], ends, entry)
end
redis.call('zadd', KEYS[3], ends, entry)
for place = 3, #KEYS do
    redis.call('zremrangebyscore', KEYS[place], '-inf', now)
    if place > 4 then
        redis.call('zadd', KEYS[place], ends, entry)
        if redis.call('pexpireat', KEYS[place], ends, 'NX') == 0 then
            redis.call('pexpireat', KEYS[place], ends, 'GT')
        end
    end
end
while redis.call('zcard', KEYS[3]) > tonumber(ARGV[7]) do
    redis.call('unlink', redis.call('zpopmin', KEYS[3])[1])
end
return 1
"""
_SAME = """
local ends = redis.call('pexpiretime', KEYS[2])
if ends > 0 then
    redis.call('unlink', KEYS[1])
    redis.call('hset', KEYS[1], 'value', ARGV[1], 'check', ARGV[2], 'same', '1')
    redis.call('pexpireat', KEYS[1], ends)
end
"""
# KEYS: the two registries, then entries, or sorted sets of entries, which go with them. Atomic: what is stored
# meanwhile is stored before, and found, or after, and stays with all that points to it.
_DROP = """
local dropped = {}
local function drop(entry)
    local about = redis.call('hget', entry, 'about')
    if about then table.insert(dropped, about) end
    redis.call('unlink', entry)
    redis.call('zrem', KEYS[1], entry)
    redis.call('zrem', KEYS[2], entry)
end
for place = 3, #KEYS do
    if ARGV[1] == 'each' then
        drop(KEYS[place])
    else
        for _, entry in ipairs(redis.call('zrange', KEYS[place], 0, -1)) do drop(entry) end
        redis.call('unlink', KEYS[place])
    end
end
return dropped
"""


class Entries:
    """The kept answers of one database. Every method but `find` lets errors of Redis through."""

    def __init__(self, client: "redis.Redis", root: str) -> None:
        """Take a client that returns bytes. `root` begins every key."""
        self.client = client
        self.root = root

    def find(self, key: str) -> Found | None:
        """Return the answer that is kept under a question's key; what cannot be read is no answer."""
        found = self._read(key)
        if found is None or not found[1]:
            return None if found is None else Found(json.loads(found[0]), similar=False)
        same = self._read(found[0].decode())
        return None if same is None or same[1] else Found(json.loads(same[0]), similar=True)

    def epoch(self) -> str:
        """Return what an answer that is begun now has to show when it is stored."""
        drawn = uuid.uuid4().hex
        there: Any = self.client.set(self._epoch, drawn, nx=True, get=True)
        return drawn if there is None else str(there, "ascii")

    def keep(
        self,
        asked: Asked,
        value: Any,
        cites: Collection[str],
        *,
        seconds: int,
        epoch: str,
        vector: "Vectors | None" = None,
        facts: Mapping[str, Any] | None = None,
    ) -> bool:
        """Keep an answer for `seconds`; False where it is too long, or something was dropped since `epoch`.

        `vector`: of the question, where any changed document drops the answer. `facts` are told with the question
        (`about`). An answer that cites nothing was made of what is not there: any change
        may be what it lacked.
        """
        text = json.dumps(value, ensure_ascii=False).encode()
        if len(text) > MOST_BYTES:
            return False
        cited = {EVERYTHING} if not cites or len(cites) > MOST_CITES else set(cites)
        entry = self._entry(asked.key)
        keys = [self._epoch, entry, self._registry, self._near, *map(self._cited, sorted(cited))]
        about = json.dumps(asdict(asked) | {"key": asked.key, **(facts or {})})
        arguments = (
            epoch,
            seconds * 1000,
            text,
            _check(entry, text, b"answer"),
            about,
            "" if vector is None else "1",
            MOST_ENTRIES,
        )
        return bool(self.client.eval(_STORE, len(keys), *keys, *arguments))

    def same_as(self, key: str, other: str) -> None:
        """Remember that the question `key` means the same as `other`, as long as that one's answer is kept."""
        entry, there = self._entry(key), other.encode()
        arguments = (there, _check(entry, there, b"same"))
        self.client.eval(_SAME, 2, entry, self._entry(other), *arguments)

    def begin_drop(self) -> None:
        """Draw a new epoch: what was begun before is not stored any more."""
        self.client.set(self._epoch, uuid.uuid4().hex)

    def drop_cited(self, ids: Collection[str]) -> list[dict[str, Any]]:
        """Drop the answers that cite any of these records, or everything; return what each was asked."""
        names = [*map(self._cited, ids), self._cited(EVERYTHING)] if ids else []
        return [each for keys in batched(names, BATCH) for each in self._drop("sets", keys)]

    def drop_semantic(self) -> list[dict[str, Any]]:
        """Drop every answer that a changed document may belong in."""
        return self._drop("sets", (self._near,))

    def counts(self) -> tuple[int, int]:
        """Return how many answers are kept, and how many of them a changed document may drop."""
        return len(self._live(self._registry)), len(self._live(self._near))

    def drop_all(self) -> list[dict[str, Any]]:
        """Drop every answer; return what each was asked."""
        return self._drop("sets", (self._registry, self._near))

    def about(self) -> list[tuple[dict[str, Any], float]]:
        """Return what every kept answer was asked, and the seconds that it has left."""
        found = []
        for entries in batched(self._live(self._registry), BATCH):
            with self.client.pipeline(transaction=False) as pipe:
                for entry in entries:
                    pipe.hget(entry, "about")
                    pipe.pttl(entry)
                replies = pipe.execute()
            pairs = zip(replies[::2], replies[1::2], strict=True)
            found += [(json.loads(about), left / 1000) for about, left in pairs if about is not None]
        return found

    def lock(self, key: str) -> str:
        """Return the name of the lock under which a question's answer is made."""
        return f"{self.root}:making:{key}"

    @property
    def _epoch(self) -> str:
        return f"{self.root}:epoch"

    @property
    def _registry(self) -> str:
        return f"{self.root}:entries"

    @property
    def _near(self) -> str:
        return f"{self.root}:near"

    def _entry(self, key: str) -> str:
        return f"{self.root}:answer:{key}"

    def _cited(self, id: str) -> str:
        return f"{self.root}:cites:{id}"

    def _read(self, key: str) -> tuple[bytes, bool] | None:
        """Return the value under a key, and whether it is the key of another question."""
        import redis

        entry = self._entry(key)
        try:
            fields: list[Any] = self.client.hmget(entry, ["value", "check", "same"])
        except redis.ResponseError:
            return None  # no hash: somebody else's, and replaced by the next answer
        value, check, same = fields
        if value is None or check != _check(entry, value, b"same" if same else b"answer"):
            return None
        return value, same is not None

    def _live(self, registry: str) -> list[bytes]:
        seconds, micros = self.client.time()
        found: Any = self.client.zrangebyscore(registry, seconds * 1000 + micros // 1000, "+inf")
        return list(found)

    def _drop(self, what: str, keys: Collection[str | bytes]) -> list[dict[str, Any]]:
        names = (self._registry, self._near, *keys)
        reply: Any = self.client.eval(_DROP, len(names), *names, what)
        return [json.loads(about) for about in reply]


def _hash(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _check(entry: str, value: bytes, sort: bytes) -> bytes:
    """Return what proves that a value is whole, and was stored under this key."""
    return hashlib.blake2s(b"\0".join((entry.encode(), sort, value)), digest_size=16).hexdigest().encode()
