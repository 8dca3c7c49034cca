"""The organizers worth calling: reads `marts.organizer_leads`, where the score and the sentence are made."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection


def leads(pg: "Connection[Any]", *, limit: int) -> list[dict[str, Any]]:
    """Return organizers with the best score first."""
    from psycopg.rows import dict_row

    with pg.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select name, sentence, clicks, views, conversions, events, contact_name, contact_email,"
            " crm_stage, claim_status, score, domain, instagram_url, organization_id"
            " from marts.organizer_leads as l"
            # A claim counts at once, the mart only with the next run.
            " where not exists (select from unified.entities as e"
            " where e.id = l.organization_id and e.claim_status <> 'unclaimed')"
            " order by score desc nulls last, organization_id limit %s",
            [limit],
        ).fetchall()
