"""What all resources are made of."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from firstresponder.api.base import Time, format_time

TIME: TypeAdapter[Time] = TypeAdapter(Time)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2026-03-14T03:07:12", "a time needs its zone"),
        ("0001-01-01T00:00:00+09:00", "the years 1 to 9999 of UTC"),
        ("9999-12-31T23:59:59-09:00", "the years 1 to 9999 of UTC"),
    ],
)
def test_a_time_that_could_not_be_written_again_is_not_read(text: str, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TIME.validate_python(text)


def test_a_time_is_written_in_utc_with_whole_seconds() -> None:
    assert format_time(TIME.validate_python("2026-03-14T05:07:12.9+02:00")) == "2026-03-14T03:07:12Z"
