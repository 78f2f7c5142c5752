"""The menu keeps to the platform's limits, and each of its keys leads to a deed. PROTOCOLS 1.6."""

from typing import Any

import pytest

from tests.kit import NOON
from tests.wxbot import wire
from wxbot.deeds import TABLE
from wxbot.menu import KEYED, check, menu_of

CONFIGS = {
    "with a mini-program": wire.config(),
    "without": wire.config().model_copy(update={"mini_program": None}),
}


def buttons(menu: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for top in menu["button"] for one in top.get("sub_button", [top])]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_the_menu_keeps_to_the_limits(config: Any):
    menu = menu_of(config)
    assert check(menu) == []
    kinds = {button["type"] for button in buttons(menu)}
    assert ("miniprogram" in kinds) == (config.mini_program is not None)
    assert next(button for button in buttons(menu) if button["name"] == "绑定身份")["type"] == "view"


def test_every_key_leads_to_a_deed():
    from platforms.wechat_message import message_of

    for button in buttons(menu_of(wire.config())):
        if button["type"] not in KEYED:
            continue
        fields = wire.event(button["type"].upper() if button["type"] == "click" else button["type"], NOON)
        fields |= {"EventKey": button["key"], "CreateTime": str(fields["CreateTime"])}
        deed, _ = TABLE.deed("official", message_of(fields))
        assert callable(deed) or deed, button["name"]


def top(**changes: Any) -> dict[str, Any]:
    return {"type": "click", "name": "报修", "key": "repair"} | changes


@pytest.mark.parametrize(
    ("menu", "says"),
    [
        ({}, "1 to 3 top"),
        ({"button": []}, "1 to 3 top"),
        ({"button": [top()] * 4}, "1 to 3 top"),
        ({"button": [top(name="六个汉字名字")]}, "16 bytes"),
        ({"button": [top(name="五个汉字呀")]}, "shows 4"),
        ({"button": [top(name="")]}, "1 to 16"),
        ({"button": [top(sub_button=[top()] * 6)]}, "at most 5"),
        ({"button": [top(sub_button=[top(name="九个汉字的名字啊呀")])]}, "shows 8"),
        ({"button": [top(sub_button=[top(name="字" * 21)])]}, "60 bytes"),
        ({"button": [top(type="clack")]}, "no type 'clack'"),
        ({"button": [top(key="k" * 129)]}, "128 bytes"),
        ({"button": [top(type="scancode_waitmsg", key="")]}, "1 to 128"),
        ({"button": [top(type="view", url="ftp://a")]}, "begin with http"),
        ({"button": [top(type="view", url="https://a/" + "b" * 1020)]}, "1024 bytes"),
        ({"button": [top(type="miniprogram", url="https://a/")]}, "appid and pagepath"),
    ],
)
def test_what_the_platform_would_refuse_is_found_before(menu: dict[str, Any], says: str):
    assert any(says in wrong for wrong in check(menu)), check(menu)
