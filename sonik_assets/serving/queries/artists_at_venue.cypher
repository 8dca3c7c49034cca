// answers: which artists play at a venue, how often, and when last
// graph: operations
// scope: staff, agent, organizer
// reach: hops
// param: venue venue — the venue's name or id
// param: limit int(1..1000) = 50 — at most so many artists
// id: id artist
// example: sonik query artists_at_venue --param venue="Circo Rolex"
// The one that is named comes first, on its own (`WITH`): the planner would begin at all events to filter them.
MATCH (venue:Venue {id: $venue})
WITH venue
MATCH (venue)<-[:HOSTED_BY]-(event)
WHERE $own IS NULL OR event.id IN $own
WITH event
MATCH (event)<-[:PERFORMS_AT]-(artist)
RETURN artist.name AS artist, count(event) AS events, max(event.date) AS last_date, artist.id AS id
ORDER BY events DESC, artist, id LIMIT $limit
