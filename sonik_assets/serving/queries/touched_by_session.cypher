// answers: what the queries of an agent's session touched in the other graphs, by name
// graph: agent_memory
// scope: staff, agent — what agents do for the platform; agents get no person
// reach: hops
// param: session text — the session's name or id
// param: limit int(1..1000) = 100 — at most so many things
// runner: touched
// example: sonik query touched_by_session --param session=s-1
MATCH (session:Session)-[:ASKED]->(asked:Query)-[:TOUCHED]->(thing:Reference)
WHERE session.id = $session OR session.name = $session
RETURN thing.graph AS graph, thing.label AS label, thing.ref_id AS id, count(DISTINCT asked) AS queries
ORDER BY queries DESC, graph, label, id LIMIT $limit
