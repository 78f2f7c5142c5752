"""Signing in to the console over HTTP: password with code, campus sign-on, what is refused and what that leaves. P7."""

from datetime import timedelta
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa

from campus import operators
from core import clock
from core.db import reading, run
from core.errors import Refused
from models.access import SYSTEM, LoginSession
from models.audit import AuditLine
from platforms import Platforms
from platforms.sso import Login, SsoIdentity
from tests.console.conftest import Desk, make_app
from tests.kit import make_person

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "梅园的夜晚很安静 2026"


@pytest.fixture
def zhao(db):
    person = make_person("赵敏", roles=("dispatcher",), kind="staff", campus_no="T1001")
    run(
        lambda s: operators.make_operator(
            s, person_id=person.id, password=PASSWORD, totp_secret=SECRET, by=SYSTEM, now=clock.now()
        )
    )
    return person


def code(after: timedelta = timedelta(0)) -> str:
    return pyotp.TOTP(SECRET).at(int((clock.now() + after).timestamp()))


def try_in(desk: Desk, **values: str) -> Any:
    return desk.post("/sign-in", **{"campus_no": "T1001", "password": PASSWORD, "code": code(), **values})


def sessions_open() -> int:
    with reading() as s:
        return s.scalar(sa.select(sa.func.count()).select_from(LoginSession)) or 0


def test_password_and_code_open_a_session_that_the_audit_knows(desk, zhao):
    nobody = desk()
    answer = try_in(nobody)
    assert answer.status_code == 303
    assert answer.location == "/console/"
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if value.startswith("houqin_console="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert nobody.get("/").status_code == 200
    with reading() as s:
        assert "console.sign_in" in s.scalars(sa.select(AuditLine.deed)).all()


@pytest.mark.parametrize(
    "wrong",
    [{"password": "another one entirely"}, {"code": "000000"}, {"campus_no": "T9999"}, {"campus_no": "' OR 1=1 --"}],
)
def test_whatever_is_wrong_the_answer_is_the_same(desk, zhao, wrong):
    answer = try_in(desk(), **wrong)
    assert answer.status_code == 401
    assert "工号、密码或动态码不正确" in answer.get_data(as_text=True)
    assert sessions_open() == 0


def test_a_code_works_once(desk, zhao):
    once = code()
    assert try_in(desk(), code=once).status_code == 303
    assert try_in(desk(), code=once).status_code == 401
    assert sessions_open() == 1


def test_a_code_of_five_minutes_ago_does_not_work(desk, zhao):
    assert try_in(desk(), code=code(-timedelta(minutes=5))).status_code == 401


def test_five_wrong_tries_lock_the_number_and_say_for_how_long(desk, zhao):
    nobody = desk()
    for _ in range(5):
        assert try_in(nobody, code="000000").status_code == 401
    answer = try_in(nobody)
    assert answer.status_code == 429
    assert "15 分钟后再试" in answer.get_data(as_text=True)
    assert "Retry-After" in answer.headers
    assert sessions_open() == 0


def test_signing_in_needs_the_form_token(desk, zhao):
    nobody = desk()
    answer = nobody.client.post("/console/sign-in", data={"campus_no": "T1001", "password": PASSWORD, "code": code()})
    assert answer.status_code == 400
    assert sessions_open() == 0


def test_a_session_that_somebody_planted_is_not_the_one_that_is_opened(desk, zhao):
    victim = desk()
    victim.client.set_cookie("houqin_console", "planted-by-somebody-else-0123456789")
    before = victim.csrf
    try_in(victim)
    assert victim.client.get_cookie("houqin_console").value != "planted-by-somebody-else-0123456789"
    stale = victim.client.post("/console/sign-out", data={"csrf_token": before})
    assert stale.status_code == 400  # the form token from before the sign-in belongs to nobody


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/api/v1/me",
        "javascript:alert(1)",
        "/console//evil.example",
    ],
)
def test_after_signing_in_nobody_is_sent_elsewhere(desk, zhao, back):
    assert try_in(desk(), next=back).location == "/console/"


def test_after_signing_in_the_page_that_was_asked_for_opens(desk, zhao):
    assert try_in(desk(), next="/console/tickets?state=all").location == "/console/tickets?state=all"


def test_somebody_without_a_role_for_the_console_is_told_so(desk):
    person = make_person("王建国", roles=("worker",), kind="worker", campus_no="G2001")
    run(
        lambda s: operators.make_operator(
            s, person_id=person.id, password=PASSWORD, totp_secret=SECRET, by=SYSTEM, now=clock.now()
        )
    )
    answer = try_in(desk(), campus_no="G2001")
    assert answer.status_code == 403
    assert "console.sign_in" in answer.get_data(as_text=True)
    assert sessions_open() == 0


class Sso:
    """A campus sign-on that says what the test wants."""

    kind = "cas"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def login_url(self, return_to: str, state: str) -> Login:
        return Login(f"https://sso.example/login?state={state}", {"state": state, "return_to": return_to})

    def identity(self, args: Any, stored: Any) -> SsoIdentity:
        if args.get("state") != stored["state"]:
            raise Refused("state", "this answer belongs to another sign-in")
        return self.answers.pop(0)


@pytest.fixture
def by_sso(db, tmp_path):
    def sit(*answers: Any) -> Desk:
        return Desk(make_app(tmp_path, platforms=Platforms(sso=Sso(*answers))).test_client(), None)

    return sit


def state_of(answer: Any) -> str:
    return answer.location.split("state=", 1)[1]


def test_the_campus_sign_on_opens_the_console(by_sso, zhao):
    desk = by_sso(SsoIdentity("T1001", "赵敏"))
    state = state_of(desk.get("/sign-in/sso?next=/console/tickets"))
    answer = desk.get(f"/sign-in/sso/return?ticket=ST-1&state={state}")
    assert (answer.status_code, answer.location) == (303, "/console/tickets")
    assert desk.get("/").status_code == 200


def test_an_answer_for_another_browser_signs_nobody_in(by_sso, zhao):
    desk = by_sso(SsoIdentity("T1001", "赵敏"))
    desk.get("/sign-in/sso")
    answer = desk.get("/sign-in/sso/return?ticket=ST-1&state=somebody-elses")
    assert answer.location == "/console/sign-in"
    assert desk.get("/sign-in/sso/return?ticket=ST-1&state=x").status_code == 403  # and the try is used up
    assert sessions_open() == 0


def test_somebody_the_campus_knows_and_the_console_does_not(by_sso, zhao):
    desk = by_sso(SsoIdentity("2023010101", "林小雨"))
    state = state_of(desk.get("/sign-in/sso"))
    answer = desk.get(f"/sign-in/sso/return?ticket=ST-1&state={state}")
    assert answer.status_code == 403
    assert sessions_open() == 0
