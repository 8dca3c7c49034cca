"""The measures of a pair, as SQL over the prepared records `l` and `r`: numbers and truths, no judgement.

What a measure is worth is decided by the levels in `kinds.py` and the weights that EM finds for them.
"""

# Equal, one slip of the keyboard, or cut short. Jaro, far cheaper than the distance, is at least 0.83 after one slip.
_LIKENESS = """(case when a = b then 1
    when least(length(a), length(b)) >= 4 and abs(length(a) - length(b)) <= 1
        and jaro_similarity(a, b) >= 0.8 and damerau_levenshtein(a, b) = 1 then 0.9
    when least(length(a), length(b)) >= 2 and (starts_with(a, b) or starts_with(b, a)) then 0.8
    else 0 end)::double"""

_BEST = "list_max(list_transform(ys, lambda y: token_likeness(x.t, y.t)))"

# The part of the letters that stayed in place; 0 for texts so unlike that it is not worth the time.
_LETTERS = """(case when a = b then 1
    when jaro_similarity(least(a, b), greatest(a, b)) < 0.7 then 0
    else 1 - damerau_levenshtein(a, b) / greatest(length(a), length(b), 1) end)::double"""

MACROS = (
    f"create or replace macro token_likeness(a, b) as {_LIKENESS}",
    f"create or replace macro letters_likeness(a, b) as {_LETTERS}",
    # What of the weight of the words `xs` is found among `ys`; 0..total.
    f"create or replace macro found_weight(xs, ys) as list_sum(list_transform(xs, lambda x: x.w * {_BEST}))",
    "create or replace macro total_weight(xs) as list_sum(list_transform(xs, lambda x: x.w))",
    # Which part of the words of the shorter list is in the other, spelling mistakes forgiven; 0..1.
    """create or replace macro cover_of(xs, ys) as list_avg(list_transform(xs,
        lambda x: list_max(list_transform(ys, lambda y: token_likeness(x, y)))))""",
    """create or replace macro cover(xs, ys) as greatest(cover_of(xs, ys), cover_of(ys, xs))""",
    """create or replace macro disjoint(xs, ys) as case when len(xs) > 0 and len(ys) > 0
        then not list_has_any(xs, ys) end""",
    """create or replace macro shared(xs, ys) as case when len(xs) > 0 and len(ys) > 0
        then len(list_intersect(xs, ys)) / least(len(list_distinct(xs)), len(list_distinct(ys))) end""",
    # The name before the @, or one cut short by a mistake, with the same number in it.
    r"""create or replace macro same_mailbox(a, b) as
        a = b or jaro_winkler_similarity(least(a, b), greatest(a, b)) >= 0.93
        and regexp_matches(a, '\d{2}') and regexp_replace(a, '\D', '', 'g') = regexp_replace(b, '\D', '', 'g')""",
    # The great-circle distance of two points (haversine formula); `least` would take a null for 1.
    """create or replace macro metres(a, b, c, d) as case when a + b + c + d is not null then
        12742000 * asin(sqrt(least(1.0, pow(sin(radians(c - a) / 2), 2)
        + cos(radians(a)) * cos(radians(c)) * pow(sin(radians(d - b) / 2), 2)))) end""",
)

MEASURES = {
    "name_total_l": "total_weight(l.tokens)",
    "name_total_r": "total_weight(r.tokens)",
    "name_found_l": "found_weight(l.tokens, r.tokens)",
    "name_found_r": "found_weight(r.tokens, l.tokens)",
    "letters": "letters_likeness(l.letters, r.letters)",
    "other_part": "len(list_filter(l.parts, lambda x: not list_contains(r.words, x)))"
    " + len(list_filter(r.parts, lambda x: not list_contains(l.words, x))) > 0",
    "numbers_differ": "disjoint(l.numbers, r.numbers)",
    "numbers_missing": "(len(l.numbers) > 0) != (len(r.numbers) > 0)",
    "street": "cover(l.street, r.street)",
    "same_house": "l.house = r.house",
    "same_postcode": "left(l.postcode, 5) = left(r.postcode, 5)",
    "house_gap": "abs(try_cast(l.house as bigint) - try_cast(r.house as bigint))",
    "same_city": "l.city_key = r.city_key",
    "same_country": "l.country_code = r.country_code",
    "metres": "metres(l.latitude, l.longitude, r.latitude, r.longitude)",
    "same_phone": "not disjoint(l.phones, r.phones)",
    "phone_slip": "damerau_levenshtein(l.phones[1], r.phones[1]) <= 1",
    "phone_weight": "least(l.phone_weight, r.phone_weight)",
    "domain_weight": "least(l.domain_weight, r.domain_weight)",
    "same_domain": "not disjoint(l.domains, r.domains)",
    "same_handle": "not disjoint(l.handles, r.handles)",
    "same_email": "not disjoint(l.emails, r.emails)",
    "same_mailbox": "same_mailbox(l.mailboxes[1], r.mailboxes[1])",
    "same_birth": "l.birth_date = r.birth_date",
    "birth_slip": "damerau_levenshtein(l.birth_date, r.birth_date) <= 1",
    "genres": "shared(l.genres, r.genres)",
    "lineup": "cover(l.lineup, r.lineup)",
    "start_gap": "abs(l.minute - r.minute)",
    "same_path": "l.path = r.path",
    "deep_path": "l.path != '' and r.path != ''",
    "same_kind": "not disjoint(l.kinds, r.kinds)",
}
"""Column of a pair -> the expression over `l` and `r`."""

COMBINED = {
    "name_least": "least(name_found_l / name_total_l, name_found_r / name_total_r)",
    "name_most": "greatest(name_found_l / name_total_l, name_found_r / name_total_r)",
    "name_shared": "least(name_found_l, name_found_r)",
    "name_own": "least(name_total_l - name_found_l, name_total_r - name_found_r)",
    "name_extra": "name_total_l - name_found_l + name_total_r - name_found_r",
}
"""Column of a pair -> the expression over MEASURES."""


def measured(pairs: str, left: str, right: str) -> str:
    """Return the query of all measures of the pairs (tables of left_row, right_row; of prepared records)."""
    first = ", ".join(f"{sql} as {name}" for name, sql in MEASURES.items())
    second = ", ".join(f"{sql} as {name}" for name, sql in COMBINED.items())
    joins = f"from {pairs} p join {left} l on l.row = p.left_row join {right} r on r.row = p.right_row"
    return f"select *, {second} from (select p.*, l.marker as marker_l, r.marker as marker_r, {first} {joins})"
