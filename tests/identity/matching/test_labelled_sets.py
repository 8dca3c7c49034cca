"""Quality on real labelled sets: below these figures something broke. Measured figures: docs/matching.md."""

from benchmarks import labelled_sets


def test_overture_pairs() -> None:
    found = labelled_sets.overture()
    assert found.review.f1 >= 0.85
    assert found.link.precision >= 0.98


def test_fodors_and_zagats_guides() -> None:
    assert labelled_sets.fodors_zagats().review.f1 >= 0.97
