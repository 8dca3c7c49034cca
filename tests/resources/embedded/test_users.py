"""Passwords and users: made once, for their owner's eyes only, and put right on a server that runs already."""

import shlex
import traceback
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from resources import embedded
from resources.embedded import redis as redis_server
from resources.embedded import secrets, users
from resources.embedded.layout import Layout
from resources.embedded.urls import as_user, redacted, without_user
from resources.embedded.users import AGENT, LIMITED, OWNER, READER
from resources.errors import TerminalError, TransientError
from resources.settings import Settings
from resources.stores import falkordb as falkordb_store
from resources.stores import redis as redis_store
from tests.support.homes import settings_of

PASSWORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(PASSWORDS, st.sampled_from(["unix:///a%20b/redis.sock", "redis://h:1/0", "unix:///s?db=1", "rediss://x:y@h:1"]))
def test_a_client_reads_the_login_back(password: str, url: str) -> None:
    with_login = as_user(url, "sonik_agent", password)
    read = redis.ConnectionPool.from_url(with_login).connection_kwargs
    assert (read["username"], read["password"]) == ("sonik_agent", password)
    bare = redis.ConnectionPool.from_url(without_user(url)).connection_kwargs
    assert "username" not in bare
    places = ("path", "host", "port", "db")
    assert [read.get(key) for key in places] == [bare.get(key) for key in places]
    assert redacted(with_login) == as_user(url, "sonik_agent", "0").replace(":0@", ":***@")
    assert as_user(without_user(with_login), "sonik_agent", password) == with_login


def test_a_login_in_the_query_is_replaced() -> None:
    assert as_user("unix:///s?username=a&password=b&db=1", "c", "d") == "unix://c:d@/s?db=1"


def test_only_their_owner_reads_the_files(settings: Settings) -> None:
    folder = settings.home / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [*folder.iterdir(), redis_server.access_file(Layout(settings.home))]
    assert sorted(file.name for file in files) == ["sonik", "sonik_agent", "sonik_reader", "users.acl"]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


def test_no_password_is_seen_anywhere_else(settings: Settings, endpoints: embedded.Endpoints) -> None:
    passwords = secrets.make(settings)
    assert len(set(passwords.values())) == len(passwords)
    with redis_store.connect(endpoints.redis) as client:
        users.apply(client, passwords)
        seen = str(client.slowlog_get(128)) + str(client.acl_log()) + str(client.config_get("*"))
    seen += redis_server.access_file(Layout(settings.home)).read_text()
    seen += "".join(file.read_text(errors="replace") for file in (settings.home / "logs").iterdir())
    seen += "".join(" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"]))
    seen += repr(endpoints) + repr(embedded.status(settings)) + repr(replace(settings, falkordb_url=endpoints.falkordb))
    assert "sonik:***@" in seen
    assert not any(password in seen for password in passwords.values())


@pytest.mark.parametrize("store", [falkordb_store, redis_store])
@pytest.mark.parametrize("url", ["unix://sonik:{}@/gone/redis.sock", "redis://sonik:{}@127.0.0.1:1"])
def test_no_error_tells_a_password(store: object, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = store.connect  # type: ignore[attr-defined]
    with pytest.raises(TransientError, match=r"\*\*\*.* cannot be reached") as caught:
        connect(url.format("hidden-word"))
    assert "hidden-word" not in "".join(traceback.format_exception_only(caught.value))
    with pytest.raises(TerminalError, match="percent-encode") as unreadable:
        connect("redis://sonik:hidden/word@h:1")
    assert "hidden" not in "".join(traceback.format_exception(unreadable.value, chain=True)).replace(
        'connect("redis://sonik:hidden/word@h:1")', ""
    )


def test_passwords_are_made_once(tmp_path: Path) -> None:
    first = secrets.make(settings_of(tmp_path))
    assert secrets.make(settings_of(tmp_path)) == first
    assert all(len(password) >= 40 for password in first.values())


def test_the_environment_goes_first_and_is_not_written(tmp_path: Path) -> None:
    given = Settings.from_env({"SONIK_HOME": str(tmp_path), "SONIK_FALKORDB_AGENT_PASSWORD": "chosen"})
    assert secrets.make(given)[AGENT] == "chosen"
    assert sorted(file.name for file in (tmp_path / "secrets").iterdir()) == [OWNER, READER]
    assert secrets.known(settings_of(tmp_path), AGENT) is None


def test_a_file_that_was_half_written_is_none(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / f".{AGENT}.new").write_text("hal")
    assert secrets.known(settings_of(tmp_path), AGENT) is None
    assert len(secrets.make(settings_of(tmp_path))[AGENT]) >= 40


def chosen(settings: Settings, *, agent: str, reader: str, owner: str | None = None) -> Settings:
    """Return the settings with passwords that somebody chose."""
    return replace(settings, falkordb_agent_password=agent, falkordb_reader_password=reader, falkordb_password=owner)


def test_a_server_of_an_older_home_gets_its_users(home: Path) -> None:
    settings = settings_of(home)
    embedded.up(settings)
    with redis.Redis.from_url(embedded.endpoints(settings).redis) as owner:
        owner.execute_command("GRAPH.QUERY", "operations", "CREATE (:X)")
        # What such a server is like: no users, and the default one may do everything.
        owner.execute_command("ACL SETUSER", "default", "reset", "on", "nopass", "~*", "&*", "+@all")
        plain = redis.Redis.from_url(without_user(embedded.endpoints(settings).redis))
        assert "without a password" in embedded.isolation(settings)[0]
        plain.execute_command("ACL DELUSER", OWNER, *LIMITED)
    for file in (home / "secrets").iterdir():
        file.unlink()
    redis_server.access_file(Layout(home)).unlink()
    assert embedded.endpoints(settings).redis == without_user(embedded.endpoints(settings).redis)
    with pytest.raises(TransientError, match="no user sonik_agent yet: run `sonik up`"):
        embedded.falkordb_url_for(settings, AGENT)
    found = embedded.up(settings)
    assert embedded.isolation(settings) == []
    with redis.Redis.from_url(found.redis) as owner:
        assert owner.execute_command("GRAPH.RO_QUERY", "operations", "MATCH (n:X) RETURN count(n)")[1] == [[1]]


def test_another_password_holds_from_the_next_up_on(home: Path) -> None:
    embedded.up(settings_of(home))
    before = redis_server.pid(Layout(home))
    other = chosen(settings_of(home), agent="another one", reader="a:/@third")
    embedded.up(other)
    assert embedded.isolation(other) == []
    assert "sonik_agent cannot log in" in embedded.isolation(settings_of(home))[0]
    assert redis_server.pid(Layout(home)) == before  # theirs are changed on the running server
    other = chosen(other, agent="another one", reader="a:/@third", owner="the owner's")
    embedded.up(other)
    assert embedded.isolation(other) == []
    assert redis_server.pid(Layout(home)) != before


def test_rules_that_somebody_changed_are_set_back(home: Path) -> None:
    settings = settings_of(home)
    found = embedded.up(settings)
    with redis.Redis.from_url(found.falkordb) as owner:
        owner.execute_command("ACL SETUSER", READER, "~*", "+@all")
        owner.execute_command("ACL SETUSER", "cognee", "on", ">x", "~memories", "+graph.query")
        owner.execute_command("ACL SETUSER", AGENT, "clearselectors")
        [agent, reader] = embedded.isolation(settings)
        assert reader.startswith(
            "sonik_reader may GRAPH.QUERY operations, may GRAPH.QUERY knowledge, may GRAPH.RO_QUERY"
        )
        assert agent.startswith("sonik_agent may not GRAPH.QUERY agent_memory, may not GRAPH.RO_QUERY operations")
        assert owner.dbsize() == 0  # asking made no graph
        embedded.up(settings)
        assert embedded.isolation(settings) == []
        assert owner.acl_getuser("cognee") is not None  # other people's users stay


def test_a_given_server_gets_the_users_whose_passwords_are_set(home: Path) -> None:
    """Its login may manage users; then one whose login may not."""
    server = settings_of(home)
    url = embedded.up(server).falkordb
    client = Settings.from_env({"SONIK_HOME": str(home / "other"), "SONIK_FALKORDB_URL": url})
    client = replace(client, redis_url=url, postgres_url=embedded.endpoints(server).postgres)
    embedded.up(client)
    assert embedded.isolation(server) == []  # nobody was locked out
    with pytest.raises(TerminalError, match="set SONIK_FALKORDB_READER_PASSWORD"):
        embedded.falkordb_url_for(client, READER)
    assert embedded.isolation(client) == ["sonik_agent has no password here", "sonik_reader has no password here"]
    client = chosen(client, agent="first", reader="second")
    embedded.up(client)
    assert embedded.isolation(client) == []
    with redis.Redis.from_url(url) as owner:
        owner.execute_command("ACL SETUSER", "bob", "on", ">b", "~*", "+@all", "-acl")
    bob = chosen(replace(client, falkordb_url=as_user(url, "bob", "b")), agent="third", reader="second")
    embedded.up(bob)
    [problem] = embedded.isolation(bob)
    assert "sonik_agent cannot log in" in problem
    with redis.Redis.from_url(url) as owner:  # what it says to type is right
        by_hand = problem.partition("administrator run ")[2]
        owner.execute_command(*shlex.split(by_hand.replace("PASSWORD", "third")))
    assert embedded.isolation(bob) == []
