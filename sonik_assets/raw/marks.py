"""Webhooks -> marks: which records their tables read again. Only a webhook that is new and signed marks anything."""

import polars as pl
import psycopg

from resources.settings import Settings
from resources.sources import catalogue, webhooks
from sonik_assets.raw import state

WEBHOOKS = "raw_twenty.webhooks"


def from_webhooks(settings: Settings, connection: psycopg.Connection, rows: pl.DataFrame) -> None:
    """Mark what rows of `raw_twenty.webhooks` name, before they are loaded. The caller commits."""
    query = "select record_id from raw_twenty.webhooks where record_id = any(%s)"
    known = [row[0] for row in connection.execute(query, [rows["record_id"].drop_nulls().to_list()])]
    new = rows.filter(~pl.col("record_id").is_in(known))
    for relation, record_id in webhooks.marks(new, settings.twenty_webhook_secret):
        state.mark(connection, catalogue.table(relation), [record_id])
