// answers: which features a change of a module may touch: those it implements, and those of modules that import it
// graph: knowledge
// scope: staff, agent — the platform's own code
// reach: hops
// param: module text — the module's path, as in a.b.c
// param: limit int(1..1000) = 100 — at most so many features
// id: id feature
// example: sonik query features_of_code --param module=search.ranking
// Two imports away at most, each module once: all ways through a graph of imports grow by the power.
MATCH (module:CodeModule {path: $module})<-[:DEPENDS_ON*0..1]-(near:CodeModule)
WITH DISTINCT module, near
MATCH (near)<-[:DEPENDS_ON*0..1]-(user:CodeModule)
WITH user, min(CASE WHEN user = module THEN 0 WHEN near = module OR user = near THEN 1 ELSE 2 END) AS imports
MATCH (user)-[:IMPLEMENTS]->(feature:Feature)
WITH feature, min(imports) AS imports, count(DISTINCT user) AS modules
RETURN feature.name AS feature, imports, modules, feature.revenue_impact AS revenue_impact, feature.id AS id
ORDER BY imports, revenue_impact DESC, id LIMIT $limit
