// answers: which modules implement a feature, what they need, and how central they are
// graph: knowledge
// scope: staff, agent — the platform's own code
// reach: hops
// param: feature feature — the feature's name or id
// param: limit int(1..1000) = 200 — at most so many modules
// example: sonik query code_of_feature --param feature="Semantic search"
MATCH (module:CodeModule)-[:IMPLEMENTS]->(:Feature {id: $feature})
OPTIONAL MATCH (module)-[:DEPENDS_ON]->(needed:CodeModule)
RETURN module.path AS module, module.importance AS importance, collect(DISTINCT needed.path) AS depends_on
ORDER BY importance DESC, module LIMIT $limit
