// answers: which modules implement a feature, what they need, and how central they are
// graph: knowledge
// param: feature feature — the feature's name or id
// example: sonik query code_of_feature --param feature="Semantic search"
MATCH (module:CodeModule)-[:IMPLEMENTS]->(:Feature {id: $feature})
OPTIONAL MATCH (module)-[:DEPENDS_ON]->(needed:CodeModule)
RETURN module.path AS module, module.importance AS importance, collect(DISTINCT needed.path) AS depends_on
ORDER BY importance DESC, module
