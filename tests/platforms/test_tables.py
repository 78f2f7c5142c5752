"""Every row of the error tables, through a real call. PROTOCOLS 1.15, 2, 3.11; FEATURES N4."""

import json

import pytest
from structlog.testing import capture_logs

from core.errors import Busy, PlatformError, Refused, Unknown
from platforms import mini as mini_module
from platforms import official as official_module
from platforms import wecom as wecom_module
from tests.platforms.conftest import API

TODAY_S = 12 * 3600  # from noon to the next campus day
OFFICIAL = {
    -1: (Busy, 5),
    45011: (Busy, 60),
    45009: (Busy, TODAY_S),
    43108: (Busy, 5),
    **dict.fromkeys(
        [
            *(40125, 40013, 40243, 41002, 41004, 40164, 40003, 43004, 50005, 43101, 43107, 40037, 41030, 47001, 47003),
            *(44002, 45015, 45047, 45168, 48001, 48002, 48004, 50002, 40029, 40163, 42003, 61451, 65400, 45103),
        ],
        (Refused, None),
    ),
    **dict.fromkeys([99999, 1, 40099, -2], (Unknown, None)),
}
MINI = OFFICIAL | {
    **dict.fromkeys([40226, 61010, 40169, 85096, 87009, 1400001, 10060002], (Refused, None)),
    44991: (Busy, 60),
    44993: (Busy, TODAY_S),
}
WECOM = {
    -1: (Busy, 5),
    6000: (Busy, 2),
    45009: (Busy, 60),
    45033: (Busy, 5),
    **dict.fromkeys(
        [
            *(40001, 40013, 40029, 42003, 42022, 40003, 60111, 46004, 40008, 40035, 40058, 40063, 40056, 42014, 42016),
            *(42039, 42045, 42051, 42052, 44004, 45002, 48002, 48009, 50001, 50003, 60011, 60021, 60020, 60123, 60003),
            *(60140, 81013),
        ],
        (Refused, None),
    ),
    **dict.fromkeys([99999, 43101], (Unknown, None)),
}


def says(code: object) -> str:
    return json.dumps({"errcode": code, "errmsg": "ok everything is fine rid: 66bdb248"})  # only the code decides


@pytest.mark.parametrize(("code", "kind", "after_s"), [(c, *want) for c, want in OFFICIAL.items()])
def test_every_official_account_code(official, tokens, moving, code, kind, after_s):
    tokens.add("POST", f"{API}/cgi-bin/message/template/send", body=says(code))
    with pytest.raises(PlatformError) as caught:
        official.send_template("o", "t", {"thing1": "x"})
    assert (type(caught.value), caught.value.code, caught.value.retry_after_s) == (kind, str(code), after_s)


@pytest.mark.parametrize(("code", "kind", "after_s"), [(c, *want) for c, want in MINI.items()])
def test_every_mini_program_code(mini, tokens, moving, code, kind, after_s):
    tokens.add("POST", f"{API}/cgi-bin/message/subscribe/send", body=says(code))
    with pytest.raises(PlatformError) as caught:
        mini.send_subscribe("o", "t", {"thing1": "x"})
    assert (type(caught.value), caught.value.code, caught.value.retry_after_s) == (kind, str(code), after_s)


@pytest.mark.parametrize(("code", "kind", "after_s"), [(c, *want) for c, want in WECOM.items()])
def test_every_wecom_code(wecom, tokens, moving, code, kind, after_s):
    tokens.add("POST", f"{API}/cgi-bin/message/send", body=says(code))
    with pytest.raises(PlatformError) as caught:
        wecom.send_text(["u"], "x")
    assert (type(caught.value), caught.value.code, caught.value.retry_after_s) == (kind, str(code), after_s)


@pytest.mark.parametrize("code", ["zero", None, [], {"a": 1}, 1.5, True])
def test_a_code_that_is_no_code_is_unknown(official, tokens, code):
    tokens.add("POST", f"{API}/cgi-bin/message/template/send", body=says(code))
    with pytest.raises(Unknown):
        official.send_template("o", "t", {})


@pytest.mark.parametrize("table", [official_module.CODES, mini_module.CODES, wecom_module.CODES])
def test_no_code_is_in_two_rows(table):
    rows = [table.token, table.refused, frozenset(table.busy_s), table.until_tomorrow]
    assert sum(map(len, rows)) == len(frozenset().union(*rows))
    assert not table.alert & (table.token | table.refused | frozenset({0}))


TOKEN_CODES = {"official": [40001, 40014, 42001, 41001], "mini": [40001, 42001], "wecom": [40014, 42001, 41001]}


@pytest.mark.parametrize(("app", "code"), [(app, code) for app, codes in TOKEN_CODES.items() for code in codes])
def test_a_failed_token_is_replaced_and_the_call_repeated_once(request, tokens, app, code):
    adapter = request.getfixturevalue(app)
    path, send = {
        "official": ("/cgi-bin/message/template/send", lambda: adapter.send_template("o", "t", {})),
        "mini": ("/cgi-bin/message/subscribe/send", lambda: adapter.send_subscribe("o", "t", {})),
        "wecom": ("/cgi-bin/message/send", lambda: adapter.send_text(["u"], "x")),
    }[app]
    tokens.add("POST", API + path, body=says(code))
    tokens.add("POST", API + path, body='{"errcode":0,"errmsg":"ok","msgid":7}')
    send()
    sent = [call.request.url for call in tokens.calls if path in call.request.url]
    assert [url.split("access_token=")[1] for url in sent] == ["T1", "T2"]


def test_endless_40001_is_bounded(official, tokens, moving):
    tokens.add("POST", f"{API}/cgi-bin/message/template/send", body=says(40001))
    for _ in range(50):
        with pytest.raises(Busy):
            official.send_template("o", "t", {})
    fetches = [call for call in tokens.calls if "stable_token" in call.request.url]
    assert len(fetches) <= 12  # six a minute, each perhaps forced once
    assert len([call for call in tokens.calls if "template/send" in call.request.url]) <= 100


def test_what_only_an_operator_can_mend_is_said_once(official, tokens, moving):
    tokens.add("POST", f"{API}/cgi-bin/message/template/send", body=says(48001))
    with capture_logs() as lines:
        for _ in range(5):
            with pytest.raises(Refused):
                official.send_template("o", "t", {})
    assert [line["errcode"] for line in lines if line["event"] == "platform needs an operator"] == ["48001"]
