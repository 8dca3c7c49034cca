"""Watches Directus, where people edit the CMS: what was touched there is read within a minute. How: `changes.py`."""

from sensors.changes import source_sensor

directus = source_sensor("directus", "DIRECTUS_URL")
