"""What goes wrong while PostgreSQL is read is told as what failed, from whichever batch it comes."""

import pytest

from resources.errors import TransientError
from sonik_assets.graph.bulk_read import snapshot_rows
from tests.support.unified import World

VIEW = """
drop table unified.sentiments;
create view unified.sentiments as
select uuidv7() as id, (1 / (%s - n))::text as name from generate_series(1, 200000) as n
"""


@pytest.mark.parametrize("row", [1, 200_000])
def test_an_error_of_the_server_is_told(world: World, row: int) -> None:
    world.pg.execute(VIEW % row)
    with pytest.raises(TransientError, match="graph knowledge: reading it from PostgreSQL failed"):
        list(snapshot_rows(world.pg.info.dsn, "knowledge"))
