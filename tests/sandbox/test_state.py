"""The same seed gives the same run; a restart forgets nothing; a reset forgets everything."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from pytest_httpserver import HTTPServer

import sandbox
from sandbox import settings
from sandbox.dice import Dice
from sandbox.store import Store
from tests.sandbox.conftest import Box, new_box

ROOT = Path(__file__).parents[2]


def test_init_writes_the_same_file_for_the_same_seed_and_never_twice(tmp_path: Path) -> None:
    one = settings.write(tmp_path, service="http://a", url="http://b", seed=7)
    first = one.read_text()
    settings.write(tmp_path, service="http://other", url="http://b", seed=8)
    assert one.read_text() == first
    assert settings.text(7, url="http://b", service="http://a", clock_file=tmp_path / "clock") == first
    assert settings.text(8, url="http://b", service="http://a", clock_file=tmp_path / "clock") != first


def test_random_seeds_differ(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run = CliRunner().invoke(sandbox.main, ["init", "--dir", str(tmp_path / name), "--seed", "random"])
        assert run.exit_code == 0
    a, b = (settings.read(tmp_path / name).accounts["official"].secret for name in ("a", "b"))
    assert a != b


def test_the_settings_are_what_the_service_is_configured_from(tmp_path: Path) -> None:
    settings.write(tmp_path, service="http://127.0.0.1:8000", url="http://127.0.0.1:8001", seed=1)
    found = settings.read(tmp_path)
    assert set(found.accounts) == {"official", "mini", "wecom", "wecom_contacts"}
    assert found.accounts["wecom"].app_id == found.accounts["wecom_contacts"].app_id
    assert [p.key for p in found.people] == ["lin", "chen", "wang", "li", "zhao", "zhou"]
    assert len({len(a.aes_key) for a in found.accounts.values()}) == 1
    assert [t.key for t in found.accounts["mini"].templates] == ["repair_progress", "repair_dispatch", "notice"]


def test_a_mistyped_key_stops_the_start_and_is_named(tmp_path: Path) -> None:
    path = settings.write(tmp_path, service="http://a", url="http://b", seed=1)
    path.write_text(path.read_text().replace("service_url", "servce_url"))
    with pytest.raises(settings.Invalid, match="servce_url"):
        settings.read(tmp_path)
    answer = CliRunner().invoke(sandbox.main, ["serve", "--dir", str(tmp_path)])
    assert answer.exit_code == 1
    assert "servce_url" in answer.output


def run_of(directory: Path, seed: int) -> list[object]:
    box = new_box(directory, seed=seed)
    box.control("faults", kind="busy", route="/wechat/cgi-bin/message/*", probability=0.5)
    token = box.token("official")
    out: list[object] = [token, box.corp()["access_token"], box.do("lin", "login_code")["code"]]
    for _ in range(20):
        answer = box.call("/wechat/cgi-bin/message/template/send", box.message(), token=token)
        out.append(answer.get("msgid", answer["errcode"]))
    box.world.close()
    return out


def test_the_same_seed_repeats_ids_codes_and_fault_dice(tmp_path: Path) -> None:
    first, second, other = (run_of(tmp_path / name, seed) for name, seed in (("a", 5), ("b", 5), ("c", 6)))
    assert first == second != other
    assert -1 in first
    assert any(isinstance(x, int) and x > 0 for x in first)


def test_a_restart_keeps_everything(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/official").respond_with_data("success")
    service.expect_request("/wx/mini").respond_with_data("success")
    token, template = box.token("official"), box.template(name="mini")
    msg_id = box.send(client_msg_id="k")["msgid"]
    box.call("/wechat/cgi-bin/menu/create", {"button": [{"type": "click", "name": "报修", "key": "k"}]})
    box.do("chen", "follow")
    box.do("lin", "subscribe", answers={template: "accept"})
    box.control("faults", kind="daily_limit", route="/wechat/cgi-bin/user/get", count=2)
    rotated = box.control("rotate", account="official")["new"]
    code = box.do("lin", "login_code")["code"]
    box.control("clock", offset_s=1000)
    before = box.ask("pushes", all=1)["pushes"]

    box.restart()

    assert box.ask("pushes", all=1)["pushes"] == before
    assert box.send(client_msg_id="k")["msgid"] == msg_id or box.send(client_msg_id="k")["errcode"] == 0
    assert box.token("official") == token
    assert box.call("/wechat/cgi-bin/user/get")["errcode"] == 45009
    assert box.call("/wechat/cgi-bin/menu/get")["menu"]["button"][0]["name"] == "报修"
    assert box.world.person("chen")["follows"] == 1
    assert box.account("official").token == rotated["token"]
    assert box.ask("people/lin/quota")["quota"][0]["n"] == 1
    assert box.ask("clock")["offset_s"] == 1000
    assert box.do("lin", "login_code")["code"] != code
    assert box.web.get(f"/wechat/sns/jscode2session?appid={box.account('mini').app_id}").status_code == 200


def test_numbers_are_never_handed_out_twice(tmp_path: Path) -> None:
    seen: list[int] = []
    for _ in range(3):
        store = Store(tmp_path / "s.db")
        dice = Dice(1, store)
        seen += [dice.number("x") for _ in range(5)]
        store.close()
    assert len(set(seen)) == 15


def test_reset_begins_the_run_again(quiet: Box) -> None:
    first = (quiet.token("official"), quiet.send()["msgid"])
    quiet.control("clock", offset_s=500)
    quiet.control("limits", template_daily=1)
    quiet.control("faults", kind="drop", route="/sms/*")
    assert quiet.control("reset") == {"ok": True}
    assert quiet.ask("sent")["sent"] == quiet.ask("calls")["calls"] == quiet.ask("faults")["faults"] == []
    assert quiet.ask("clock")["offset_s"] == 0
    assert (quiet.token("official"), quiet.send()["msgid"]) == first
    assert quiet.send()["errcode"] == 0


@pytest.mark.parametrize("grouped", [False, True])
def test_a_deed_that_fails_changes_nothing(tmp_path: Path, grouped: bool) -> None:
    store = Store(tmp_path / "s.db", grouped=grouped)
    with store.deed():
        store.keep("before", 1)

    def half() -> None:
        with store.deed():
            store.keep("a", 1)
            with store.deed():
                store.keep("b", 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    store.close()
    again = Store(tmp_path / "s.db")
    assert (again.value("before"), again.value("a"), again.value("b")) == (1, None, None)
    again.close()


def test_a_counting_run_takes_strangers_and_loses_nothing_at_its_end(tmp_path: Path) -> None:
    box = new_box(tmp_path)
    box.world.close()
    box.app = sandbox.create_app(tmp_path, fast=True)
    token, strangers = box.token("official"), [f"o{n:027}" for n in range(200)]
    for openid in strangers:
        body = box.message(touser=openid, client_msg_id=openid)
        answer = box.call("/wechat/cgi-bin/message/template/send", body, token=token)
        assert answer["errcode"] == 0
    assert box.ask("calls")["calls"] == []
    box.restart()
    assert {s["client_key"] for s in box.ask("sent")["sent"]} == set(strangers)


def test_the_clock_file_moves_the_sandbox_when_somebody_else_writes_it(quiet: Box) -> None:
    before = quiet.ask("clock")["now"]
    quiet.world.clock.path.write_text("86400")
    assert 86390 < quiet.ask("clock")["now"] - before < 86410
    quiet.control("clock", advance_s=-86400)
    assert float(quiet.world.clock.path.read_text()) == 0
    quiet.world.clock.path.write_text("nonsense")
    assert quiet.ask("clock")["offset_s"] == 0


def test_the_sandbox_imports_nothing_of_the_house() -> None:
    code = (
        "import sys, sandbox; house = {'core','models','payments','campus','platforms','wxbot','miniprogram_api',"
        "'console','jobs','commands'}; print(sorted(house & {m.split('.')[0] for m in sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"
