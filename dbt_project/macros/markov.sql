{#
    Removal effects of the states of an absorbing first-order Markov chain: columns state, removal_effect.
    `transitions` is a relation of from_state, to_state and times: states are 1 to n without gaps, 0 is the start, -1 is
    conversion and -2 is loss; from every state an end can be reached; no state leads to itself (that changes nothing).

    The removal effect of state r is the share of conversions that are lost when all who come to r are lost
    (Anderl et al. 2016). Solved exactly, by one inverse for all states: N = (I - Q)^-1 is the expected number of visits
    (Kemeny and Snell 1960, ch. 3), N[s,r] / N[r,r] the chance to come to r at all, and from r the chance to convert is
    (N R)[r]; so effect(r) = N[s,r] / N[r,r] * (N R)[r] / (N R)[s].
    I - Q is diagonally dominant, which is why Gauss-Jordan needs no pivoting. The matrix is one array, row after row.
#}
{% macro removal_effects(transitions) -%}
    with recursive chances as (
        select from_state, to_state, times / sum(times) over (partition by from_state) as p
        from (select from_state, to_state, times::float8 as times from {{ transitions }}) as counted
    ),

    size as (
        select max(to_state) as n
        from {{ transitions }}
    ),

    inverse (step, m) as (
        select 0, array(
            select (i.i = j.j)::int - coalesce(c.p, 0)
            from generate_series(1, size.n) as i (i)
            cross join generate_series(1, size.n) as j (j)
            left join chances as c on i.i = c.from_state and j.j = c.to_state
            order by i.i, j.j
        )
        from size
        union all
        select step + 1, array(
            select
                case
                    when i.i = k and j.j = k then 1 / pivot
                    when i.i = k then m[(k - 1) * n + j.j] / pivot
                    when j.j = k then - m[(i.i - 1) * n + k] / pivot
                    else m[(i.i - 1) * n + j.j] - m[(i.i - 1) * n + k] * m[(k - 1) * n + j.j] / pivot
                end
            from generate_series(1, n) as i (i)
            cross join generate_series(1, n) as j (j)
            order by i.i, j.j
        )
        from inverse
        cross join size
        cross join lateral (select step + 1 as k, m[step * n + step + 1] as pivot) as p
        where step < n
    ),

    visits as (
        select i.i as from_state, j.j as to_state, m[(i.i - 1) * n + j.j] as visits
        from inverse
        cross join size
        cross join generate_series(1, n) as i (i)
        cross join generate_series(1, n) as j (j)
        where step = n
    ),

    converts as (
        select v.from_state as state, sum(v.visits * c.p order by v.to_state) as p
        from visits as v
        inner join chances as c on v.to_state = c.from_state and c.to_state = -1
        group by v.from_state
    ),

    reached as (
        select v.to_state as state, sum(v.visits * c.p order by v.from_state) as visits
        from visits as v
        inner join chances as c on v.from_state = c.to_state and c.from_state = 0
        group by v.to_state
    ),

    started as (
        select sum(c.p * o.p order by o.state) as p
        from converts as o
        inner join chances as c on o.state = c.to_state and c.from_state = 0
    )

    select
        v.from_state as state,
        coalesce(r.visits / v.visits * o.p / nullif(s.p, 0), 0) as removal_effect
    from visits as v
    inner join reached as r on v.from_state = r.state
    left join converts as o on v.from_state = o.state
    cross join started as s
    where v.from_state = v.to_state
{%- endmacro %}
