// answers: which venues a promoter works with, how often, and when last
// graph: operations
// scope: staff, agent, organizer
// reach: hops
// param: promoter organization — the promoter's name or id
// param: limit int(1..1000) = 50 — at most so many venues
// id: id venue
// example: sonik query venues_by_promoter --param promoter="Producciones Neón"
// The one that is named comes first, on its own (`WITH`): the planner would begin at all events to filter them.
MATCH (promoter:Organization {id: $promoter})
WITH promoter
MATCH (promoter)<-[:PROMOTED_BY]-(event)
WHERE $own IS NULL OR event.id IN $own
WITH event
MATCH (event)-[:HOSTED_BY]->(venue)
RETURN venue.name AS venue, venue.city AS city, count(event) AS events, max(event.date) AS last_date,
       venue.id AS id
ORDER BY events DESC, venue, id LIMIT $limit
