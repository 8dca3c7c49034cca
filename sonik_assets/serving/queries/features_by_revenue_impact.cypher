// answers: which features earn the most
// graph: knowledge
// scope: staff, agent — the platform's own features and revenue
// reach: hops
// param: limit int(1..1000) = 20 — at most so many features
// id: id feature
// example: sonik query features_by_revenue_impact
MATCH (feature:Feature)-[impact:IMPACTS]->(:Revenue)
RETURN feature.name AS feature, feature.suite AS suite, feature.revenue_impact AS revenue_impact,
       max(impact.weight) AS weight, feature.id AS id
ORDER BY revenue_impact DESC, weight DESC, id LIMIT $limit
