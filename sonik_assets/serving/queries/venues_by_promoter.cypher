// answers: which venues a promoter works with, how often, and when last
// graph: operations
// param: promoter organization — the promoter's name or id
// param: limit int = 50 — at most so many venues
// example: sonik query venues_by_promoter --param promoter="Producciones Neón"
MATCH (:Organization {id: $promoter})<-[:PROMOTED_BY]-(event:Event)-[:HOSTED_BY]->(venue:Venue)
RETURN venue.name AS venue, venue.city AS city, count(DISTINCT event) AS events, max(event.date) AS last_date,
       venue.id AS id
ORDER BY events DESC, venue, id LIMIT $limit
