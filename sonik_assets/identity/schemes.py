"""Which identifiers link records of a type, and which names an entity for the world (requirement I1)."""

LINKING = {
    "venue": ("google_places_id", "instagram_url"),
    "organization": ("google_places_id", "domain", "instagram_url"),
    "artist": ("instagram_url", "domain"),
    "brand": ("instagram_url", "domain"),
    "person": ("email", "instagram_url", "source_id"),
    "event": ("event_key",),
}
"""The strong schemes of each entity type, the strongest first."""

CANONICAL = {
    "venue": ("google_places_id",),
    "organization": ("google_places_id", "domain", "instagram_url"),
    "artist": ("instagram_url",),
    "brand": ("instagram_url", "domain"),
    "person": ("instagram_url",),
    "event": ("event_key",),
}
"""The schemes of a canonical id, the best first; without one it is scheme `uuid`, the entity's own id."""

OWN_ID = "uuid"
