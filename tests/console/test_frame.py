"""The frame of the console: who gets in, what a request must bring, what an answer carries. FEATURES P7."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from core import clock
from core import db as core_db
from core.db import reading, run
from models.access import LoginSession, RoleGrant
from tests.console.conftest import make_app, sign_in
from tests.kit import NOON, make_person


def test_who_is_not_signed_in_is_sent_to_the_sign_in_page_and_back(desk):
    answer = desk().get("/?x=1")
    assert answer.status_code == 303
    assert answer.location == "/console/sign-in?next=/console/?x%3D1"


def test_a_signed_in_operator_sees_the_overview(desk):
    page = desk("dispatcher").get("/")
    assert page.status_code == 200
    assert "总览" in page.get_data(as_text=True)


def test_every_page_forbids_framing_inline_script_and_caching(desk):
    answer = desk("dispatcher").get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_pages_hold_no_inline_script_style_or_handler(desk):
    page = desk("admin").get("/").get_data(as_text=True)
    assert "<script>" not in page
    assert " style=" not in page
    assert " onclick=" not in page


def test_a_person_without_the_right_to_sign_in_is_told_which_one_is_missing(desk):
    zhao = desk("dispatcher")
    run(lambda s: s.execute(sa.update(RoleGrant).values(taken_back_at=NOON)))
    answer = zhao.get("/")
    assert answer.status_code == 403
    assert "console.sign_in" in answer.get_data(as_text=True)


def test_a_changing_request_without_the_form_token_is_refused(desk):
    zhao = desk("dispatcher")
    answer = zhao.client.post("/console/sign-out")
    assert answer.status_code == 400
    assert zhao.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_changing_request_from_another_site_is_refused_even_with_the_token(desk, headers):
    zhao = desk("dispatcher")
    answer = zhao.client.post("/console/sign-out", data={"csrf_token": zhao.csrf}, headers=headers)
    assert answer.status_code == 403
    assert zhao.get("/").status_code == 200


def test_a_form_token_of_another_browser_is_refused(desk):
    zhao, li = desk("dispatcher"), desk("dispatcher")
    assert zhao.client.post("/console/sign-out", data={"csrf_token": li.csrf}).status_code == 400


def test_signing_out_ends_the_session_on_the_server(desk):
    zhao = desk("dispatcher")
    token = zhao.client.get_cookie("houqin_console").value
    assert zhao.post("/sign-out").status_code == 303
    zhao.client.set_cookie("houqin_console", token)
    assert zhao.get("/").status_code == 303


def test_signing_out_everywhere_ends_the_other_browser_too(app, desk):
    zhao = desk("dispatcher")
    other = app.test_client()
    sign_in(other, zhao.person)
    assert other.get("/console/").status_code == 200
    zhao.post("/account/sign-out-everywhere")
    assert other.get("/console/").status_code == 303


@pytest.mark.parametrize(
    ("idle", "age", "open"),
    [
        (timedelta(minutes=29), timedelta(hours=1), True),
        (timedelta(minutes=31), timedelta(hours=1), False),
        (timedelta(minutes=1), timedelta(hours=8, minutes=1), False),
    ],
)
def test_a_session_ends_when_idle_and_in_any_case_after_a_shift(desk, idle, age, open):
    zhao = desk("dispatcher")
    now = clock.now()
    run(
        lambda s: s.execute(
            sa.update(LoginSession).values(
                opened_at=now - age, seen_at=now - idle, expires_at=now - age + timedelta(hours=8)
            )
        )
    )
    assert zhao.get("/").status_code == (200 if open else 303)


def test_a_page_that_asks_again_by_itself_keeps_no_session_alive(desk):
    zhao = desk("dispatcher")
    five_minutes_ago = clock.now() - timedelta(minutes=5)
    run(lambda s: s.execute(sa.update(LoginSession).values(seen_at=five_minutes_ago)))
    zhao.get("/", headers={"HX-Request": "true", "X-Poll": "1"})
    assert seen_at() == five_minutes_ago
    zhao.get("/")
    assert seen_at() > five_minutes_ago


def seen_at():
    with reading() as s:
        return s.scalars(sa.select(LoginSession.seen_at)).one()


def test_a_database_that_is_away_is_said_on_a_page_of_ours(desk):
    zhao = desk("dispatcher")
    core_db.connect("mysql+pymysql://nobody@127.0.0.1:1/nothing")
    answer = zhao.get("/")
    assert answer.status_code == 503
    assert "暂时办不了" in answer.get_data(as_text=True)
    assert "Retry-After" in answer.headers
    assert zhao.get("/", headers={"HX-Request": "true"}).headers["HX-Retarget"] == "#notes"


def test_an_expired_session_answers_htmx_with_the_way_to_the_sign_in_page(desk):
    answer = desk().get("/", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/console/sign-in"


def test_the_token_is_stored_hashed(desk):
    zhao = desk("dispatcher")
    token = zhao.client.get_cookie("houqin_console").value
    with reading() as s:
        assert token not in str(s.execute(sa.select(LoginSession.token_hash)).all())


def test_cookies_are_bound_to_the_host_where_there_is_https(db, tmp_path):
    app = make_app(tmp_path, base_url="https://hq.example.edu.cn")
    client = app.test_client()
    answer = client.get("/console/sign-in", base_url="https://hq.example.edu.cn")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-houqin_form=")
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Strict-Transport-Security" in answer.headers


def test_a_page_that_is_not_there_is_a_page_of_ours(desk):
    answer = desk("dispatcher").get("/no/such/page")
    assert answer.status_code == 404
    assert "没有这个页面" in answer.get_data(as_text=True)


def test_only_named_vendor_files_are_served(app):
    client = app.test_client()
    assert client.get("/console/static/vendor/package.json").status_code == 404
    assert client.get("/console/static/vendor/..%2f..%2fframe.py").status_code == 404


def test_vendor_files_may_be_kept_for_a_year(app):
    client = app.test_client()
    page = client.get("/console/sign-in").get_data(as_text=True)
    address = page.split('src="/console/static/vendor/htmx.js', 1)[1].split('"', 1)[0]
    answer = client.get("/console/static/vendor/htmx.js" + address)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    answer.close()


def test_a_suspended_person_is_out_at_once(desk):
    zhao = desk("dispatcher")
    make_person()
    run(lambda s: s.execute(sa.text("UPDATE person SET status = 'suspended' WHERE id = :id"), {"id": zhao.person.id}))
    assert zhao.get("/").status_code == 303


def test_signing_in_is_limited_by_address(desk):
    nobody = desk()
    answers = [nobody.post("/sign-in", campus_no="", password="", code="").status_code for _ in range(12)]
    assert answers == [422] * 10 + [429] * 2
