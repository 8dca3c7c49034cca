from datetime import date, datetime, timedelta
from xml.etree import ElementTree as Xml

from hypothesis import given
from hypothesis import strategies as st

from sonik_assets.cache import picture
from sonik_assets.cache.log import Day, Hot

COUNT = st.integers(0, 10**6)
DAYS = st.lists(
    st.builds(
        lambda days, kind, asked, share, saved: Day(
            date(2026, 1, 1) + timedelta(days), kind, asked + 1, int(share * asked), saved
        ),
        *(st.integers(0, 13), st.text(max_size=20), COUNT, st.floats(0, 1), st.floats(0, 1e9)),
    ),
    max_size=20,
)


@given(DAYS)
def test_any_days_make_a_picture(days: list[Day]) -> None:
    root = Xml.fromstring(picture.svg(days))  # noqa: S314 - it is ours
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(rect.get("height", "0")) >= 0
    assert "nan" not in picture.svg(days)
    assert picture.kinds_table(days).count("\n") == 1 + len({day.kind for day in days})


def test_questions_are_text_and_nothing_else() -> None:
    hot = Hot("search", "staff", "a | b\n<script> [x](y) `c` \u202e", 4, 1, None, datetime.now())  # noqa: DTZ005
    table = picture.hottest_table([hot])
    assert table.splitlines()[2] == "| search | staff | a \\| b &lt;script> \\[x\\](y) \\`c\\` | 4 | 25% |  |"


def test_a_picture_is_carried_whole() -> None:
    day = Day(date(2026, 1, 1), "search", 10, 4, 1500.0)
    assert "1.5 s" in picture.svg([day])
    assert picture.as_markdown(picture.svg([day])).startswith("![cache](data:image/svg+xml;base64,")
    assert "| search | 10 | 4 | 40% | 1.5 |" in picture.kinds_table([day])
