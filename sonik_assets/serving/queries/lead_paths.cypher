// answers: who of those we know can lead to an organizer, over people, artists, venues and events, nearest first
// graph: operations
// scope: staff — a row names a person
// reach: search
// param: organizer organization — the organizer's name or id
// param: hops int(1..6) = 4 — at most so many steps
// param: half_life_days half_life = never — after so many days a tie counts half
// param: limit int(1..100) = 20 — at most so many people
// runner: lead_paths
// example: sonik query lead_paths --param organizer="Producciones Neón"
// One step: ties of work and referrals. Who went to the same concert is no lead.
UNWIND $frontier AS number
MATCH (node) WHERE ID(node) = number
WITH node
MATCH (node)-[:WORKS_FOR|OWNS|MANAGES|PROMOTED_BY|HOSTED_BY|PERFORMS_AT|REFERRED]-(neighbour)
WITH node, neighbour LIMIT $most
RETURN toJSON(collect(ID(node))) AS origins, toJSON(collect(ID(neighbour))) AS reached
