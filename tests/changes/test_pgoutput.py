import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import TerminalError
from sonik_assets.changes import pgoutput
from sonik_assets.changes.lsn import Lsn
from sonik_assets.changes.pgoutput import (
    UNCHANGED,
    Begin,
    Column,
    Commit,
    Delete,
    Insert,
    Logical,
    Message,
    Origin,
    Relation,
    Row,
    Truncate,
    Type,
    Update,
)
from tests.support.pgoutput import encode, row

U32 = st.integers(0, 2**32 - 1)
LSN = st.integers(0, 2**64 - 1).map(Lsn)
I64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
NAME = TEXT.filter(bool)
VALUE = st.none() | st.just(UNCHANGED) | TEXT | st.binary(max_size=8)
ROW = st.lists(VALUE, min_size=1, max_size=6).map(tuple)
COLUMN = st.builds(Column, st.booleans(), NAME, U32, st.integers(-1, 2**31 - 1))
MESSAGES = st.one_of(
    st.builds(Begin, LSN, I64, U32),
    st.builds(Commit, st.just(0), LSN, LSN, I64),
    st.builds(Origin, LSN, NAME),
    st.builds(Relation, U32, NAME, NAME, st.sampled_from("dnfi"), st.lists(COLUMN, max_size=4).map(tuple)),
    st.builds(Type, U32, NAME, NAME),
    st.builds(Insert, U32, ROW),
    st.builds(Update, U32, st.just(""), st.none(), ROW),
    st.builds(Update, U32, st.sampled_from("KO"), ROW, ROW),
    st.builds(Delete, U32, st.sampled_from("KO"), ROW),
    st.builds(Truncate, st.integers(0, 3), st.lists(U32, max_size=4).map(tuple)),
    st.builds(Logical, st.booleans(), LSN, NAME, st.binary(max_size=20)),
)


@given(MESSAGES)
def test_what_was_encoded_is_decoded(message: Message) -> None:
    assert pgoutput.decode(encode(message)) == message


@given(ROW, st.data())
def test_one_value_is_read_without_the_others(values: Row, data: st.DataObject) -> None:
    written = b"......" + row(values)
    index = data.draw(st.integers(0, len(values) - 1))
    assert pgoutput.value_at(written + b"N", 6, index) == values[index]
    assert pgoutput.skip(written + b"N", 6) == len(written)


@pytest.mark.parametrize("data", [b"S\0\0\0\1\1", b"", b"Z"])
def test_a_message_of_another_protocol_is_refused(data: bytes) -> None:
    with pytest.raises(TerminalError, match="none of pgoutput's protocol version 1"):
        pgoutput.decode(data)


def test_a_value_of_another_kind_is_refused() -> None:
    with pytest.raises(TerminalError, match="'x'"):
        pgoutput.decode(b"I\0\0\0\1N\0\1x")


@given(LSN)
def test_a_position_reads_as_it_is_written(lsn: Lsn) -> None:
    assert Lsn.parse(str(lsn)) == lsn


def test_a_position_is_written_as_postgresql_does() -> None:
    assert str(Lsn(0x16B374D848)) == "16/B374D848"
    for wrong in ("", "16", "16/", "G/0", "123456789/0", " 1/0"):
        with pytest.raises(ValueError, match="no position"):
            Lsn.parse(wrong)
