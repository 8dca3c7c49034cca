"""Watches Twenty CRM: what was touched there is read within a minute. How: `changes.py`."""

from sensors.changes import source_sensor

twenty = source_sensor("twenty", "TWENTY_URL")
