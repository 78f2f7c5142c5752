"""access_token: PROTOCOLS 1.10 and 3.1."""

import pytest

from tests.sandbox.conftest import Box

ANY = "/wechat/cgi-bin/user/get"


def errcode(box: Box, token: str) -> int:
    return box.call(ANY, token=token).get("errcode", 0)


def test_the_token_before_the_last_is_good_for_five_minutes(quiet: Box) -> None:
    first, second = quiet.plain()["access_token"], quiet.plain()["access_token"]
    assert first != second
    assert (errcode(quiet, first), errcode(quiet, second)) == (0, 0)
    quiet.advance(299)
    assert errcode(quiet, first) == 0
    quiet.advance(2)
    assert (errcode(quiet, first), errcode(quiet, second)) == (40001, 0)


def test_a_token_ends_after_two_hours_with_42001(quiet: Box) -> None:
    token = quiet.plain()["access_token"]
    quiet.advance(7199)
    assert errcode(quiet, token) == 0
    quiet.advance(2)
    assert errcode(quiet, token) == 42001


def test_stable_token_stays_the_same_with_less_time_left(quiet: Box) -> None:
    first = quiet.stable()
    quiet.advance(1000)
    second = quiet.stable()
    assert second["access_token"] == first["access_token"]
    assert 6195 <= second["expires_in"] <= 6201


def test_stable_token_is_renewed_five_minutes_before_its_end_and_both_are_good_meanwhile(quiet: Box) -> None:
    first = quiet.stable()["access_token"]
    quiet.advance(7200 - 290)
    second = quiet.stable()["access_token"]
    assert second != first
    assert (errcode(quiet, first), errcode(quiet, second)) == (0, 0)
    quiet.advance(300)
    assert (errcode(quiet, first), errcode(quiet, second)) == (42001, 0) or errcode(quiet, first) == 40001


def test_the_two_doors_do_not_end_each_others_tokens(quiet: Box) -> None:
    stable = quiet.stable()["access_token"]
    for _ in range(3):
        quiet.plain()
    quiet.advance(400)
    assert errcode(quiet, stable) == 0


def test_a_forced_refresh_ends_the_old_token_at_once_and_is_counted(quiet: Box) -> None:
    old = quiet.stable()["access_token"]
    new = quiet.stable(force_refresh=True)["access_token"]
    assert (errcode(quiet, old), errcode(quiet, new)) == (40001, 0)
    assert quiet.stable(force_refresh=True)["errcode"] == 45011
    for _ in range(19):
        quiet.advance(31)
        assert "access_token" in quiet.stable(force_refresh=True)
    quiet.advance(31)
    assert quiet.stable(force_refresh=True)["errcode"] == 45009


@pytest.mark.parametrize(
    ("change", "code"),
    [({"appid": "wx0"}, 40013), ({"secret": "x"}, 40125), ({"grant_type": "x"}, 40002), ({"appid": ""}, 41002)],
)
def test_bad_credentials_have_their_own_codes(quiet: Box, change: dict[str, str], code: int) -> None:
    answer = quiet.stable(**change)
    assert answer["errcode"] == code
    assert " rid: " in answer["errmsg"]


def test_plain_tokens_are_limited_by_the_day(quiet: Box) -> None:
    quiet.control("limits", token_daily=2)
    assert [quiet.plain().get("errcode", 0) for _ in range(3)] == [0, 0, 45009]
    quiet.advance(86400)
    assert "access_token" in quiet.plain()


def test_one_accounts_token_does_not_open_anothers_calls(quiet: Box) -> None:
    assert quiet.call("/wechat/cgi-bin/message/template/send", {}, token=quiet.token("mini"))["errcode"] == 48001
    assert quiet.call("/wechat/cgi-bin/message/subscribe/bizsend", {}, token=quiet.token("mini"))["errcode"] == 45103
    assert quiet.call("/wechat/cgi-bin/user/get", token=quiet.token("wecom"))["errcode"] == 40001
    assert quiet.call("/wecom/cgi-bin/user/get", token=quiet.token("official"))["errcode"] == 40014
    assert quiet.web.get("/wechat/cgi-bin/user/get").json["errcode"] == 41001


def test_wecom_gives_one_token_per_corp_and_secret(quiet: Box) -> None:
    app, again, contacts = quiet.corp(), quiet.corp(), quiet.corp("wecom_contacts")
    assert app["access_token"] == again["access_token"] != contacts["access_token"]
    assert quiet.call("/wecom/cgi-bin/user/get", token=contacts["access_token"], userid="G2001")["errcode"] == 48009
    quiet.advance(7201)
    assert quiet.call("/wecom/cgi-bin/user/get", token=app["access_token"], userid="G2001")["errcode"] == 42001
    assert quiet.corp()["access_token"] != app["access_token"]


def test_get_is_not_how_stable_token_is_asked(quiet: Box) -> None:
    assert quiet.web.get("/wechat/cgi-bin/stable_token").json["errcode"] == 43002


def test_a_wrong_path_or_method_is_answered_in_json(quiet: Box) -> None:
    assert quiet.web.get("/wechat/cgi-bin/nothing").json["errcode"] == 40066
    assert quiet.web.get("/wecom/cgi-bin/message/send").json["errcode"] == 43002
    assert quiet.web.post("/wecom/cgi-bin/gettoken").json["errcode"] == 43001
