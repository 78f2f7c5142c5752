"""The door over HTTP: who is let in, what is refused, and that nothing is stored of what was refused."""


from tests.kit import NOON
from tests.wxbot import wire
from tests.wxbot.conftest import Platform, arrivals


def test_a_typed_message_is_answered_and_stored_once(platform: Platform):
    reply = platform.ask(wire.OFFICIAL, wire.text("你好", 1, NOON))
    assert reply["ToUserName"] == wire.OPENID
    assert reply["FromUserName"] == "gh_school"
    assert "报修" in reply["Content"]
    assert [row[:2] for row in arrivals()] == [("official", "m:1")]
