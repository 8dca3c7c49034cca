// answers: which artists play at a venue, how often, and when last
// graph: operations
// param: venue venue — the venue's name or id
// param: limit int = 50 — at most so many artists
// example: sonik query artists_at_venue --param venue="Circo Rolex"
MATCH (artist:Artist)-[:PERFORMS_AT]->(event:Event)-[:HOSTED_BY]->(:Venue {id: $venue})
RETURN artist.name AS artist, count(DISTINCT event) AS events, max(event.date) AS last_date, artist.id AS id
ORDER BY events DESC, artist, id LIMIT $limit
