"""The machine room, the limits, the headers, and the files that prove a domain. DESIGN §4, ASVS 2.4, 13, 14."""

from types import SimpleNamespace

import pytest

from core.redis import Cache
from miniprogram_api.machine import metrics_token
from tests import servers
from tests.miniprogram_api import fakes


def test_alive_asks_nobody(tmp_path):
    nothing = SimpleNamespace(mini=None, official=None, wecom=None, sso=None)
    client = fakes.make_app(fakes.make_house(tmp_path, platforms=nothing)).test_client()
    assert client.get("/healthz").json == {"status": "ok"}


def test_ready_names_each_part(client, db):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json["parts"] == {
        "database": "ok",
        "files": "ok",
        "redis": "ok",
        "worker": "away",
        "migrations": "away",  # the tests make their tables without revisions
    }


def test_not_ready_while_the_database_is_away(client, db):
    from core import db as core_db

    core_db.use(core_db.Database("sqlite:///:memory:"))  # a database without our tables
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["parts"]["database"]) == (503, "away")


def test_not_ready_while_no_photo_could_be_kept(db, tmp_path):
    house = fakes.make_house(tmp_path)
    (tmp_path / "files").write_text("a file where the directory should be")
    answer = fakes.make_app(house).test_client().get("/readyz")
    assert (answer.status_code, answer.json["parts"]["files"]) == (503, "away")


def test_metrics_are_for_loopback_or_for_the_token(app, db):
    client, afar = app.test_client(), {"REMOTE_ADDR": "203.0.113.9"}
    assert b"houqin_requests_total" in client.get("/metrics").data
    assert client.get("/metrics", environ_overrides=afar).status_code == 403
    with app.app_context():
        token = metrics_token()
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/metrics", environ_overrides=afar, headers=headers).status_code == 200
    assert client.get("/metrics", environ_overrides=afar, headers={"Authorization": "Bearer \xff"}).status_code == 403


@pytest.mark.parametrize("name", ["MP_verify_aB3dE5gH7jK9mN1p.txt", "WW_verify_aB3dE5gH7jK9mN1p.txt"])
def test_a_verification_file_is_shown(client, tmp_path, name):
    (tmp_path / "verify").mkdir()
    (tmp_path / "verify" / name).write_text("aB3dE5gH7jK9mN1p")
    answer = client.get(f"/{name}")
    assert (answer.text, answer.mimetype) == ("aB3dE5gH7jK9mN1p", "text/plain")


@pytest.mark.parametrize(
    "name",
    [
        "secret.txt",
        "MP_verify_..%2fsecret.txt",
        "MP_verify_abcdefgh.html",
        "XX_verify_abcdefghij.txt",
        "MP_verify_nothing1234.txt",
    ],
)
def test_no_other_file_is(client, tmp_path, name):
    (tmp_path / "verify").mkdir()
    (tmp_path / "verify" / "secret.txt").write_text("canary")
    assert client.get(f"/{name}").status_code == 404


def test_who_asks_too_often_is_told_when_to_come_again(client, db):
    guess = {"campus_no": "x", "name": "x", "code": "x"}
    answers = [client.post("/api/v1/login/code", json=guess | {"campus_no": f"n{number}"}) for number in range(61)]
    assert {answer.status_code for answer in answers[:60]} == {422}
    assert (answers[60].status_code, answers[60].json["code"]) == (429, "too_many")
    assert 1 <= int(answers[60].headers["Retry-After"]) <= 60
    assert answers[60].content_type == "application/problem+json"


@pytest.mark.race  # needs a real Redis
def test_two_processes_count_together_and_apart_while_redis_is_away(db, tmp_path, redis_url):
    guess = {"campus_no": "x", "name": "x", "code": "x"}
    houses = [fakes.make_house(tmp_path, cache=Cache(redis_url)) for _ in range(2)]
    first, second = (fakes.make_app(house).test_client() for house in houses)
    for number in range(60):
        assert first.post("/api/v1/login/code", json=guess | {"campus_no": f"n{number}"}).status_code == 422
    assert second.post("/api/v1/login/code", json=guess).status_code == 429

    gone = Cache(f"redis://127.0.0.1:{servers.free_port()}/0")
    alone = fakes.make_app(fakes.make_house(tmp_path, cache=gone)).test_client()
    answers = [
        alone.post("/api/v1/login/code", json=guess | {"campus_no": f"m{number}"}).status_code for number in range(61)
    ]
    assert answers == [422] * 60 + [429]


def test_js_settings_are_signed_for_our_own_pages_only(client, db):
    ours = client.get("/api/v1/wechat/js-config", query_string={"url": f"{fakes.BASE}/m/?x=1", "account": "wecom"})
    assert (ours.status_code, ours.json["app_id"], ours.json["signature"]) == (200, "ww1", "b" * 40)
    for url in ("https://evil.example/m/", f"{fakes.BASE}.evil.example/", f"{fakes.BASE}@evil.example/", "http://["):
        answer = client.get("/api/v1/wechat/js-config", query_string={"url": url})
        assert (answer.status_code, answer.json["code"]) == (403, "not_our_page")


def test_what_is_personal_is_not_kept_by_anybody_between(as_, world):
    for path in ("/me", "/me/data", "/repairs", f"/repairs/{world.ticket}", "/inbox"):
        assert as_("requester").get(path).headers["Cache-Control"] in ("no-store", "private, no-cache")


def test_tokens_stand_in_no_log_line(client, db, capfd):
    client.post("/api/v1/login/mini", json={"code": "canary-js-code"})
    client.get("/api/v1/me", headers={"Authorization": "Bearer canary-bearer-token-0000"})
    client.get("/api/v1/login/sso/return?ticket=canary-ticket")
    said = "".join(capfd.readouterr())
    assert "canary" not in said
