"""Which text shows an order, and which doesn't."""

from __future__ import annotations

import pytest

from bayeslmm.design.readings import reading_of

READ: list[tuple[list[str], list[float]]] = [
    (["1", "10", "2"], [1, 10, 2]),
    (["1.5", "-2", "1e2"], [1.5, -2, 100]),
    (["visit 1", "Visit 10", " visit  2"], [1, 10, 2]),
    (["T-1", "T-2", "T-10"], [1, 2, 10]),
    (["day -3", "day 0", "day 3"], [-3, 0, 3]),
    (["2.5 h", "3 h", "10 h"], [2.5, 3, 10]),
    (["1 day", "2 days", "12 days"], [1, 2, 12]),
    (["Jan", "february", "DEC."], [1, 2, 12]),
    (["May"], [5]),
    (["Mon", "Thursday", "Sun"], [1, 4, 7]),
]
UNREAD = [
    ["low", "high", "middle"],
    ["baseline", "week 1", "week 2"],
    ["1", "01", "2"],  # two texts for one number
    ["Jan", "January"],
    ["week 1", "month 2", "week 3"],
    ["5 m", "5 ms", "6 m"],
    ["1-2", "2-3"],
    ["2020-01", "2020-02"],
    ["2,5", "3,5"],  # a decimal comma, or two numbers
    ["a1b2", "a1b3"],
    ["T-1", "T0", "T1"],
    ["Jan", "Mon"],
    ["1_000", "2_000"],
    [""],
]


@pytest.mark.parametrize(("labels", "numbers"), READ)
def test_numbers_in_a_common_text_and_calendar_names(
    labels: list[str], numbers: list[float]
) -> None:
    reading = reading_of(labels)
    assert reading is not None
    assert [reading.number(text) for text in labels] == numbers
    assert reading.number("something else") is None


@pytest.mark.parametrize("labels", UNREAD)
def test_anything_ambiguous_has_no_order(labels: list[str]) -> None:
    assert reading_of(labels) is None
