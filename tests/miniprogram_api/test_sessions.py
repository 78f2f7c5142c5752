"""Signing in, binding and signing out over HTTP. FEATURES P2, P3, P11."""

from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from campus import people
from core import clock
from core.db import reading, run
from models.access import LoginSession
from models.people import Identity
from tests.kit import actor, bind, make_person
from tests.miniprogram_api import fakes


@pytest.fixture
def house(db, tmp_path):
    platforms = SimpleNamespace(
        mini=fakes.Mini({"good": ("o-lin", None), "union": ("o-mini", "u-1"), "phone": "13900001111"}),
        official=fakes.Official({"good": ("oa-lin", "u-1", False), "snap": ("oa-virtual", None, True)}),
        wecom=fakes.WeCom({"good": "T1001", "far": "nobody-here"}),
        sso=fakes.Sso({"ST-1": ("2023010102", "陈思远"), "ST-2": ("9999", "外人")}),
    )
    return fakes.make_house(tmp_path, platforms=platforms)


def post(client, path, json, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.post(f"/api/v1{path}", json=json, headers=headers)


def sessions_open():
    with reading() as s:
        return s.scalar(sa.select(sa.func.count()).select_from(LoginSession).where(LoginSession.ended_at.is_(None)))


def test_a_known_visitor_is_signed_in_by_a_mini_program_code(client, db):
    lin = make_person("林小雨")
    bind(lin, "mini", "o-lin")
    answer = post(client, "/login/mini", {"code": "good"})
    assert answer.status_code == 200
    assert (answer.json["bound"], answer.json["me"]["name"]) == (True, "林小雨")
    assert answer.json["expires_at"].endswith("+08:00")


def test_the_same_code_heard_twice_signs_in_twice_and_is_asked_once(client, house, db):
    answers = [post(client, "/login/mini", {"code": "good"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert house.platforms.mini.asked == ["good"]
    assert "o-lin" not in str(house.cache.kept)


def test_a_code_the_platform_refuses_opens_nothing(client, db):
    answer = post(client, "/login/mini", {"code": "stale"})
    assert (answer.status_code, answer.json["code"]) == (403, "login_refused")
    assert sessions_open() == 0


def test_a_silent_platform_is_a_502_and_opens_nothing(client, db):
    answer = post(client, "/login/mini", {"code": "silence"})
    assert (answer.status_code, answer.json["code"]) == (502, "platform_away")
    assert sessions_open() == 0


def test_a_platform_that_is_off_is_said_so(db, tmp_path):
    off = fakes.make_house(tmp_path, platforms=SimpleNamespace(mini=None, official=None, wecom=None, sso=None))
    client = fakes.make_app(off).test_client()
    for path in ("/login/official/url", "/login/wecom/url", "/login/sso/url"):
        answer = client.get(f"/api/v1{path}")
        assert (answer.status_code, answer.json["code"]) == (404, "platform_off")
    assert post(client, "/login/mini", {"code": "good"}).json["code"] == "platform_off"


def test_unionid_makes_the_second_door_know_who_it_is(client, db):
    lin = make_person("林小雨")
    bind(lin, "mini", "o-mini", unionid="u-1")
    state = state_of(client.get("/api/v1/login/official/url"))
    answer = post(client, "/login/official", {"code": "good", "state": state})
    assert answer.json["me"]["name"] == "林小雨"
    assert {one["kind"] for one in answer.json["me"]["identities"]} == {"mini", "official"}


def state_of(answer):
    return parse_qs(urlsplit(answer.json["url"]).query)["state"][0]


def test_official_sign_in_ends_where_it_was_begun(client, db):
    url = client.get("/api/v1/login/official/url", query_string={"to": "/m/#/pages/inbox/inbox"})
    state = state_of(url)
    assert state.isalnum()
    answer = post(client, "/login/official", {"code": "good", "state": state})
    assert (answer.status_code, answer.json["to"], answer.json["bound"]) == (200, "/m/#/pages/inbox/inbox", False)


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example/m/",
        "/m/../console/",
        "/m//evil",
        "\\\\evil",
        "/m/\\evil",
        "/m/#\r\nX: 1",
        "javascript:alert(1)",
        "/console/",
    ],
)
def test_nobody_is_sent_elsewhere(client, db, to):
    state = state_of(client.get("/api/v1/login/official/url", query_string={"to": to}))
    assert post(client, "/login/official", {"code": "good", "state": state}).json["to"] == "/m/"


def test_a_code_slipped_into_another_browser_opens_nothing(client, app, db):
    state = state_of(client.get("/api/v1/login/official/url"))
    stranger = app.test_client()
    answer = post(stranger, "/login/official", {"code": "good", "state": state})
    assert (answer.status_code, answer.json["code"]) == (403, "state_lost")
    assert sessions_open() == 0


def test_a_forged_or_old_state_opens_nothing(client, db, monkeypatch):
    state = state_of(client.get("/api/v1/login/official/url"))
    assert post(client, "/login/official", {"code": "good", "state": "A" * 24}).json["code"] == "state_lost"
    assert post(client, "/login/wecom", {"code": "good", "state": state}).json["code"] == "state_lost"
    from miniprogram_api import oauth

    monkeypatch.setattr(oauth, "STATE_LIVES_S", -1)
    assert post(client, "/login/official", {"code": "good", "state": state}).json["code"] == "state_lost"
    assert sessions_open() == 0


def test_a_snapshot_visitor_is_told_kindly_and_never_bound(client, db):
    state = state_of(client.get("/api/v1/login/official/url"))
    answer = post(client, "/login/official", {"code": "snap", "state": state})
    assert (answer.status_code, answer.json["code"]) == (403, "snapshot_visitor")
    assert sessions_open() == 0


def test_wecom_binds_a_staff_number_by_itself(client, db):
    make_person("赵敏", campus_no="T1001", kind="staff")
    state = state_of(client.get("/api/v1/login/wecom/url"))
    answer = post(client, "/login/wecom", {"code": "good", "state": state})
    assert answer.json["me"]["name"] == "赵敏"


def test_campus_sign_in_comes_back_with_a_ticket_that_works_once(client, db):
    make_person("陈思远", campus_no="2023010102")
    state = state_of(client.get("/api/v1/login/sso/url", query_string={"to": "/m/#/pages/home/home"}))
    back = client.get("/api/v1/login/sso/return", query_string={"ticket": "ST-1", "state": state})
    assert back.status_code == 302
    where = urlsplit(back.headers["Location"])
    assert (where.netloc, where.path) == ("", "/m/")
    page, _, query = where.fragment.partition("?")
    assert page == "/pages/sign-in/sign-in"
    ticket = parse_qs(query)["ticket"][0]
    assert post(client, "/login/sso", {"ticket": ticket}).json["me"]["name"] == "陈思远"
    again = post(client, "/login/sso", {"ticket": ticket})
    assert (again.status_code, again.json["code"]) == (403, "sso_ticket_used")


def test_campus_sign_in_that_failed_comes_back_with_why(client, db):
    for query in ({"ticket": "ST-1", "state": "A" * 24}, {}):
        back = client.get("/api/v1/login/sso/return", query_string=query)
        assert back.status_code == 302
        assert "error=state_lost" in back.headers["Location"]


def a_code_for(person):
    make = make_person("周卫东", roles=("admin",), kind="staff")
    return run(lambda s: people.issue_code(s, person_id=person.id, by=actor(make), now=clock.now()))


def test_a_visitor_is_bound_by_a_one_time_code(client, db):
    chen = make_person("陈思远", campus_no="2023010102")
    code = a_code_for(chen)
    token = post(client, "/login/mini", {"code": "good"}).json["token"]
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).json["code"] == "binding_needed"
    proof = {"way": "code", "campus_no": "2023010102", "name": "陈思远", "code": code}
    bound = post(client, "/bindings", proof, token)
    assert (bound.status_code, bound.json["name"]) == (200, "陈思远")
    assert (
        client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).json["identities"][0]["kind"] == "mini"
    )


def test_a_worker_signs_in_with_a_one_time_code(client, db):
    wang = make_person("王建国", campus_no="G2001", kind="worker", roles=("worker",))
    proof = {"campus_no": "G2001", "name": "王建国", "code": a_code_for(wang)}
    answer = post(client, "/login/code", proof)
    assert answer.json["me"]["roles"] == ["worker"]
    assert post(client, "/login/code", proof).status_code == 422


def test_five_wrong_codes_lock_the_number(client, db):
    chen = make_person("陈思远", campus_no="2023010102")
    code = a_code_for(chen)
    proof = {"campus_no": "2023010102", "name": "陈思远", "code": "WRONG"}
    assert [post(client, "/login/code", proof).json["code"] for _ in range(5)] == ["wrong_proof"] * 5
    locked = post(client, "/login/code", proof | {"code": code})
    assert (locked.status_code, locked.json["code"]) == (429, "number_locked")
    assert int(locked.headers["Retry-After"]) > 600


def test_unbinding_ends_the_sessions_of_that_identity(client, db):
    lin = make_person("林小雨")
    bind(lin, "mini", "o-lin")
    token = post(client, "/login/mini", {"code": "good"}).json["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert client.delete("/api/v1/bindings/mini", headers=headers).status_code == 204
    assert client.get("/api/v1/me", headers=headers).status_code == 401
    with reading() as s:
        assert s.scalars(sa.select(Identity.live)).one() is None


def test_after_signing_out_the_token_opens_nothing(client, db):
    token = post(client, "/login/mini", {"code": "good"}).json["token"]
    assert post(client, "/logout", {}, token).status_code == 204
    assert post(client, "/logout", {}, token).status_code == 401


def test_a_console_session_does_not_open_the_api(client, db):
    from campus import sessions

    zhao = make_person("赵敏", roles=("dispatcher",), kind="staff")
    token = run(
        lambda s: sessions.open_session(
            s, door="console", way="password", identity=None, person_id=zhao.id, now=clock.now(), ip="", agent=""
        )
    )
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_consent_comes_before_the_phone_number(client, db):
    lin = make_person("林小雨")
    bind(lin, "mini", "o-lin")
    token = post(client, "/login/mini", {"code": "good"}).json["token"]
    headers = {"Authorization": f"Bearer {token}"}
    refused = client.put("/api/v1/me/phone", json={"phone": "13900001111"}, headers=headers)
    assert (refused.status_code, refused.json["code"]) == (403, "consent_needed")
    version = client.get("/api/v1/privacy").json["version"]
    assert (
        post(client, "/me/consents", {"kind": "privacy", "version": version}, token).json["consents"]["privacy"]
        == version
    )
    given = client.put("/api/v1/me/phone", json={"wechat_code": "phone"}, headers=headers)
    assert given.json["phone_masked"] == "139****1111"
    stale = client.put("/api/v1/me/phone", json={"wechat_code": "phone"}, headers=headers)
    assert (stale.status_code, stale.json["code"]) == (403, "login_refused")


def test_everything_stored_about_the_person_can_be_taken_home(client, db):
    lin = make_person("林小雨", phone="13812340101")
    bind(lin, "mini", "o-lin")
    token = post(client, "/login/mini", {"code": "good"}).json["token"]
    answer = client.get("/api/v1/me/data", headers={"Authorization": f"Bearer {token}"})
    assert answer.json["person"][0]["phone"] == "13812340101"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert token not in answer.text
