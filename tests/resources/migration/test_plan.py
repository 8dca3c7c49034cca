"""Cutting units into parts, and how they travel: no server."""

from hypothesis import given
from hypothesis import strategies as st

from resources.migration import plan
from resources.migration.catalogue import Column, Unit


def unit(*columns: Column, name: str = "t") -> Unit:
    return Unit("public", name, partitioned=False, pages=0, columns=columns, key=())


def column(type_: str, *, built_in: bool = True, generated: bool = False) -> Column:
    return Column("a", type_, built_in=built_in, generated=generated)


@given(st.integers(0, 10**9), st.integers(1, 10**5))
def test_ranges_cover_every_block_once_and_are_few(pages: int, size: int) -> None:
    found = plan.ranges(pages, size)
    assert found[0][0] == 0
    assert found[-1][1] is None
    assert [last for _, last in found[:-1]] == [first for first, _ in found[1:]]
    assert all(last is None or first < last for first, last in found)
    assert len(found) <= plan.MOST_PARTS


def test_a_small_table_is_one_part_without_a_condition() -> None:
    (first, last) = plan.ranges(plan.PART_PAGES)[0]
    part = plan.Part(unit(column("int4")), first, last)
    assert part.whole
    assert plan.reading(part).as_string() == 'copy (select "a" from only "public"."t") to stdout (format binary)'


def test_types_that_hold_catalogue_numbers_travel_as_text() -> None:
    assert plan.binary(unit(column("int4[]"), column("enum"), column("jsonb")))
    assert not plan.binary(unit(column("int4"), column("regclass")))
    assert not plan.binary(unit(column("enum[]", built_in=False)))
    assert not plan.binary(unit(column("vector", built_in=False)))
    assert plan.binary(unit(column("int4"), column("vector", built_in=False, generated=True)))


def test_names_are_quoted() -> None:
    awkward = Column('x"; drop table y; --', "text", built_in=True, generated=False)
    written = plan.writing(unit(awkward, name='a"b')).as_string()
    assert written == 'copy "public"."a""b" ("x""; drop table y; --") from stdin (format binary)'
