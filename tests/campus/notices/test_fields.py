"""Every field type of the platform has its limit kept by us. PROTOCOLS 2.6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus.notices import CannotFit, Kind, check_mapping, fit
from campus.notices.fields import LIMITS

MOMENT = "2026-09-01T04:00:00+00:00"


@pytest.mark.parametrize(
    ("field", "fact", "value", "fitted"),
    [
        ("thing1", "text", "D12-402 空调\n不制冷", "D12-402 空调 不制冷"),
        ("thing1", "text", "一" * 25, "一" * 19 + "…"),
        ("thing1", "text", "修好了🥵", "修好了"),
        ("thing1", "text", "", "-"),
        ("thing1", "at", MOMENT, "09月01日 12:00"),
        ("short_thing1", "text", "水龙头漏水了", "水龙头漏…"),
        ("character_string2", "no", "WX2609017QK2M9X4CD", "WX2609017QK2M9X4CD"),
        ("character_string2", "no", "单号 WX1", "WX1"),
        ("character_string2", "at", MOMENT, "2026-09-01_12:00"),
        ("phrase3", "status", "已完成", "已完成"),
        ("phrase3", "status", "维修人员已到达", "维修人员已"),
        ("phrase3", "status", "OK", "通知"),
        ("name4", "worker", "买买提·艾力江·吐尔逊", "买买提·艾力江·吐…"),
        ("name4", "worker", "Alexander Hamilton Junior", "Alexander Hamilton …"),
        ("time5", "at", MOMENT, "2026年09月01日 12:00"),
        ("date5", "at", MOMENT, "2026年09月01日 12:00"),
        ("amount6", "amount", "¥12.00", "¥12.00"),
    ],
)
def test_a_value_is_fitted_to_its_field(field, fact, value, fitted):
    assert fit(field, fact, value) == fitted


@given(st.text(max_size=200), st.sampled_from(sorted(set(LIMITS) - {"time", "date"})))
def test_nothing_is_ever_too_long_empty_or_on_two_lines(value, kind):
    fitted = fit(f"{kind}1", "text", value)
    limit = 20 if kind == "name" and fitted.isascii() else LIMITS[kind]
    assert 1 <= len(fitted) <= limit or (kind == "name" and "…" in fitted and len(fitted) <= 20)
    assert "\n" not in fitted


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"phrase1": "place"}, "phrase1"),
        ({"character_string1": "fault"}, "character_string1"),
        ({"thing1": "amount"}, "thing1"),
        ({"wat1": "place"}, "wat1"),
        ({}, "fields"),
    ],
)
def test_a_mapping_that_cannot_fit_is_refused_when_it_is_configured(fields, wrong):
    kind = Kind("k", "t", "", facts=("place", "fault", "status"))
    with pytest.raises(CannotFit) as refused:
        check_mapping(kind, fields)
    assert wrong in refused.value.facts["fields"]


def test_a_mapping_that_fits_is_taken():
    check_mapping(
        Kind("k", "t", "", facts=("no", "place", "at")), {"character_string1": "no", "thing2": "place", "time3": "at"}
    )
