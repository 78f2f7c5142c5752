"""Field limits of template messages: the table of PROTOCOLS 2.6, type by type."""

import pytest

from sandbox import fields
from tests.sandbox.conftest import FIT, Box

GOOD = {
    "thing": ["a", "报" * 20, "D12-402 空调不制冷"],
    "number": ["0", "1" * 32, "39.80", "-3"],
    "letter": ["A", "z" * 32],
    "symbol": ["+-*/!", "，"],
    "character_string": ["WX261120K7Q2M9X4CD", "A" * 32, "a-b/c:1"],
    "time": ["15:01", "2019年10月1日 15:01", "2026-11-20 17:30", "08:00~09:30", "2026年11月20日"],
    "date": ["2019年10月1日", "2019-12-25 09:42", "2026.11.20~2026.11.22"],
    "amount": ["¥39.8", "39.8元", "1234567890"],
    "phone_number": ["13800000000", "+86-766-66888866"],
    "car_number": ["粤A8Z888挂", "A12345"],
    "name": ["林小雨", "报" * 10, "Anna Karenina"],
    "phrase": ["已派工", "报" * 5],
}
BAD = {
    "thing": ["报" * 21, "a\nb", ""],
    "number": ["1" * 33, "十二", "12a"],
    "letter": ["A1", "z" * 33, "报"],
    "symbol": ["++++++", "a+"],
    "character_string": ["报修", "A" * 33],
    "time": ["下午三点", "25:00", "15:01:99", "15.30"],
    "date": ["10月1日", "明天"],
    "amount": ["¥¥3", "12345678901", "三元"],
    "phone_number": ["1" * 18, "电话"],
    "car_number": ["粤A8Z8888挂", "粤报告888"],
    "name": ["报" * 11, "x" * 21, "林小雨12345678"],
    "phrase": ["已派工给你了", "OK", "已 派"],
}


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in GOOD.items() for v in values])
def test_a_value_within_its_limit_is_taken(kind: str, value: str) -> None:
    assert fields.fault_in((f"{kind}3",), {f"{kind}3": {"value": value}}) == ""


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in BAD.items() for v in values])
def test_a_value_beyond_its_limit_is_refused_with_the_fields_name(kind: str, value: str) -> None:
    said = fields.fault_in((f"{kind}3",), {f"{kind}3": {"value": value}})
    assert said.startswith(f"argument invalid! data.{kind}3.value ")


def test_47003_names_the_field_and_nothing_is_sent(quiet: Box) -> None:
    wrong = {**FIT["notice"], "thing2": {"value": "很" * 21}}
    answer = quiet.send(data=wrong)
    assert answer["errcode"] == 47003
    assert answer["errmsg"].startswith("argument invalid! data.thing2.value invalid rid: ")
    missing = {k: v for k, v in FIT["notice"].items() if k != "time3"}
    assert quiet.send(data=missing)["errmsg"].startswith("argument invalid! data.time3.value is empty")
    assert quiet.ask("sent")["sent"] == []


def test_emoji_are_taken_out_of_what_is_shown(quiet: Box) -> None:
    assert quiet.send(data={**FIT["notice"], "thing1": {"value": "停水🚰通知"}})["errcode"] == 0
    assert quiet.ask("pushes", person="lin")["pushes"][-1]["body"]["data"]["thing1"] == "停水通知"
