"""Files below a URI: the same answers from a folder and from a bucket."""

import os
from pathlib import Path

import pytest

from resources.errors import TerminalError, TransientError
from resources.stores import objects
from resources.stores.objects import Objects
from tests.support.object_store import bucket, s3_server  # noqa: F401 - the fixture `s3`


@pytest.fixture(params=["folder", "file", "s3"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return bucket(request.getfixturevalue("s3")) + "/zone"
    return f"file://{tmp_path}/zone" if request.param == "file" else str(tmp_path / "zone")


def test_what_is_put_is_listed_and_read_and_never_changes(uri: str) -> None:
    here = Objects(uri)
    assert here.list() == []
    assert here.put_new("a/b/ñ 1.bin", b"first")
    assert not here.put_new("a/b/ñ 1.bin", b"second")
    assert here.put_new("c.bin", b"")
    assert [(f.path, f.size) for f in here.list()] == [("a/b/ñ 1.bin", 5), ("c.bin", 0)]
    assert [f.path for f in here.list("a")] == ["a/b/ñ 1.bin"]
    assert [here.open(f.path).read() for f in here.list()] == [b"first", b""]
    assert here.list("nowhere") == []


def test_unfinished_and_hidden_files_are_not_listed(uri: str) -> None:
    here = Objects(uri)
    for name in ("a.part", "b.tmp", "c.partial", ".d", "_SUCCESS", "e.bin", "f/_g"):
        here.put_new(name, b"x")
    assert [f.path for f in here.list()] == ["e.bin"]


def test_a_checksum_tells_contents_of_one_size_apart(uri: str) -> None:
    here = Objects(uri)
    for name, content in (("a", b"1"), ("b", b"2"), ("c", b"1")):
        here.put_new(name, content)
    a, b, c = (here.checksum(f) for f in here.list())
    assert a == c != b


def test_a_large_file_is_streamed_range_by_range(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "CHUNK", 1000)
    here, content = Objects(uri), os.urandom(3_500)
    here.put_new("a", content)
    with here.open("a") as file:
        assert file.read(10) + file.read() == content


def test_an_object_replaced_while_it_is_read_is_not_read_mixed(
    s3: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(objects, "CHUNK", 1000)
    uri = bucket(s3)
    here = Objects(uri)
    here.put_new("a", b"1" * 1_500_000)
    with here.open("a") as file:
        assert file.read(10) == b"1" * 10
        import obstore
        from obstore.store import from_url

        obstore.put(from_url(uri), "a", b"2" * 1_500_000)
        with pytest.raises(TransientError, match="changed while it was read; run again"):
            file.read()


def test_a_missing_file_or_bucket_is_terminal_and_names_it(s3: str, tmp_path: Path) -> None:
    for uri in (str(tmp_path), bucket(s3), "s3://no-such-bucket/x"):
        with pytest.raises(TerminalError, match=r"cannot read the zone at .*nothing\.bin"):
            Objects(uri, called="the zone").open("nothing.bin").read()
    with pytest.raises(TerminalError, match="NoSuchBucket; check the address"):
        Objects("s3://no-such-bucket/x").list()
    with pytest.raises(TerminalError):
        Objects("ftp://somewhere/x").list()


def test_a_store_that_is_down_is_transient_and_no_message_holds_a_secret(
    s3: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(objects, "RETRIES", 0)
    here = Objects("s3://key:hunter2@lake/x")
    for act in (here.list, lambda: here.put_new("a", b"x"), lambda: here.open("a").read()):
        with pytest.raises(TransientError, match="run again") as said:
            act()
        assert not any(secret in str(said.value) for secret in ("hunter2", "test-secret-key", "test-key-id"))


def test_a_failed_write_leaves_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file where a folder should be")
    with pytest.raises(TransientError, match=r"cannot write the lake at .*; make room and run again"):
        Objects(str(tmp_path / "lake")).put_new("a/b", b"x")
    assert [p.name for p in tmp_path.rglob("*")] == ["lake"]
