"""Watches Sonik's MongoDB: what was touched there is read within a minute. How: `changes.py`."""

from sensors.changes import source_sensor

mongo = source_sensor("mongo", "MONGO_URL")
