"""K25: secrets never leave. Every kind of deed is done, well and badly; then every secret is looked for everywhere.

The secrets are those of the run's own configuration (fresh for each run), the access tokens the platforms gave out, the
sessions, password, authenticator secret and one-time code of an operator, and phone numbers. They are looked for in the
logs, in every page and answer (but the one whose business it is), in /metrics, in Redis, in every column of the
database (numbers are sealed there, tokens hashed), and in the addresses of calls to platforms other than their owner.
Control: with redaction switched off the logs hold some.

    python -m tests.drills.k25_secrets [--short] [--seed N]
    python -m tests.drills.k25_secrets --search PATH…      the canaries of tests/conftest.py in the logs of a test run
"""

import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import click
import pyotp
import redis
import requests
import sqlalchemy as sa
from pydantic import BaseModel, SecretStr

from campus import operators, repairs
from core import clock, db
from models.access import Actor
from models.people import Follower
from models.places import DoorCode
from tests import kit
from tests.drills.load import line
from tests.drills.rig import NEVER, Rig, session

CANARY = re.compile(rb"canary[-0][A-Za-z0-9-]{6,}")
OWNERS = {
    "official_account": "wechat", "mini_program": "wechat", "wecom": "wecom", "wecom_contacts": "wecom", "sms": "sms",
    "sso": "sso",
}  # fmt: skip
PHONES = {"lin": "13877610101", "contact": "13977620202", "typed": "13677630303", "chen": "13777650505"}
PASSWORD = "Kein-Wort-fuer-Fremde-25"
FAULTS = ("token_invalidated", "http", "timeout_after", "garbage", "busy", "drop")


@dataclass(frozen=True)
class Secret:
    """What must not be found, and the platform that may see it in an address of its own."""

    name: str
    value: str
    owner: str = ""
    in_database: bool = True  # whether it may not stand in the database either


@dataclass
class Seen:
    """Everything that anybody outside could read, by where it was read."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def read(self, where: str, answer: requests.Response, *, keep: bool = True) -> requests.Response:
        """The answer was read. Without `keep` it is the one that hands its secret to its owner."""
        self.statuses[answer.status_code] += 1
        if keep:
            heads = "\n".join(f"{name}: {value}" for name, value in answer.headers.items() if name != "Set-Cookie")
            self.texts.append((f"{where} ({answer.status_code})", f"{heads}\n{answer.text}"))
        return answer


# ---- deeds -----------------------------------------------------------------------------------------------------------


class Day:
    """One day on the campus, good and bad."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.seen, self.secrets = rig, Seen(), list(configured(rig.config))
        self.people = {row["key"]: row for row in rig.platform["person"]}
        self.secrets += [Secret(f"phone {name}", phone) for name, phone in PHONES.items()]

    def lay_out(self) -> None:
        """Lin, known to WeChat on every channel; an operator with password and authenticator; a door."""
        self.rig.people(0, rooms=[f"D12-K{number}" for number in range(len(FAULTS))])
        lin = self.people["lin"]
        person = kit.make_person("林小雨", campus_no=lin["campus_no"], phone=PHONES["lin"])
        kit.bind(person, "official", lin["official_openid"], unionid=lin["unionid"])
        kit.bind(person, "mini", lin["mini_openid"], unionid=lin["unionid"])
        db.run(lambda s: s.add(Follower(openid=lin["official_openid"], follows=True, changed_at=clock.now())))
        self.door = db.run(lambda s: s.scalars(sa.select(DoorCode.code)).first())
        chen = kit.make_person("陈思远", phone=PHONES["chen"])
        self.by_phone = db.run(
            lambda s: (
                repairs.file_repair(
                    s,
                    place_code="D12",
                    fault_code="aircon",
                    text="空调不制冷",
                    by=kit.actor(chen, "desk"),
                    now=clock.now(),
                ).no
            )
        )
        zhou = kit.make_person("周卫东", campus_no="T1002", kind="staff", roles=("admin",), phone="13877640404")
        self.totp = pyotp.random_base32()
        by = Actor(person_id=zhou.id, way="console", request_id="RQDRILL", ip="127.0.0.1")
        db.run(
            lambda s: operators.make_operator(
                s, person_id=zhou.id, password=PASSWORD, by=by, now=clock.now(), totp_secret=self.totp
            )
        )
        self.secrets += [Secret("authenticator", self.totp), Secret("password", PASSWORD)]

    def ask_sandbox(self, path: str, **data: Any) -> dict[str, Any]:
        answer = session().post(f"{self.rig.sandbox_url}/control{path}", json=data, timeout=60)
        found: dict[str, Any] = answer.json()
        return found

    def chat(self) -> None:
        """Scan, choose, type, click, send a photo; a forged push; unknown accounts."""
        for deed, data in (
            ("scan", {"code": self.door}), ("text", {"text": "1"}), ("text", {"text": "报修 D12-402 空调不制冷"}),
            ("text", {"text": "进度"}), ("photo", {"sample": "leak"}), ("unfollow", {}),
            ("follow", {}),
        ):  # fmt: skip
            self.ask_sandbox(f"/people/lin/{deed}", **data)
        self.ask_sandbox("/faults", kind="callback_forge", count=1)
        self.ask_sandbox("/people/lin/text", text="报修")

    def client(self) -> None:
        """The mini-program: signed in, refused, agreed, filed, looked at."""
        rig, seen, http = self.rig, self.seen, session()
        api = f"{rig.url}/api/v1"
        seen.read("login refused", http.post(f"{api}/login/mini", json={"code": "0a1b2c3d4e5f"}, timeout=30))
        code = self.ask_sandbox("/people/lin/login_code")["code"]
        token = seen.read("login", http.post(f"{api}/login/mini", json={"code": code}, timeout=30), keep=False).json()[
            "token"
        ]
        self.secrets += [Secret("session", token), Secret("login code", code, "wechat")]
        http.headers["Authorization"] = f"Bearer {token}"
        me = seen.read("me", http.get(f"{api}/me", timeout=30))
        version = seen.read("privacy", http.get(f"{api}/privacy", timeout=30)).json()["version"]
        seen.read("consent", http.post(f"{api}/me/consents", json={"kind": "privacy", "version": version}, timeout=30))
        seen.read("phone", http.put(f"{api}/me/phone", json={"phone": PHONES["typed"]}, timeout=30))
        phone = self.ask_sandbox("/people/lin/phone_code")["code"]
        seen.read("phone by WeChat", http.put(f"{api}/me/phone", json={"wechat_code": phone}, timeout=30))
        seen.read("phone again", http.put(f"{api}/me/phone", json={"phone": PHONES["lin"]}, timeout=30))
        body = {
            "place": "D12-402",
            "fault": "aircon",
            "text": "空调不制冷",
            "photos": [],
            "contact_phone": PHONES["contact"],
        }
        filed = http.post(f"{api}/repairs", json=body, headers={"Idempotency-Key": "drill-secret"}, timeout=30)
        seen.read("filed", filed, keep=False)  # the requester reads her own number
        seen.read(
            "refused",
            http.post(
                f"{api}/repairs",
                json={**body, "contact_phone": "x"},
                headers={"Idempotency-Key": "drill-refused"},
                timeout=30,
            ),
        )
        seen.read("nothing", http.get(f"{api}/repairs/WX250901AAAAAAAAAA?access_token={token}", timeout=30))
        seen.read("js-config", http.get(f"{api}/wechat/js-config", params={"url": f"{rig.url}/m/"}, timeout=30))
        for name in ("official", "wecom", "sso"):
            url = seen.read(f"{name} url", http.get(f"{api}/login/{name}/url", timeout=30)).json().get("url", "")
            self._through(name, http, url)
        http.headers["Authorization"] = f"Bearer {token[:-1]}x"
        seen.read("wrong session", http.get(f"{api}/me", timeout=30))
        assert me.status_code == 200, me.text

    def _through(self, name: str, http: requests.Session, url: str) -> None:
        """The browser goes to the sign-in page of the platform and comes back."""
        back = self.ask_sandbox("/people/zhou/oauth" if name != "official" else "/people/lin/oauth", url=url).get(
            "redirect", ""
        )
        said = dict(part.split("=", 1) for part in back.split("#")[0].partition("?")[2].split("&") if "=" in part)
        said |= dict(part.split("=", 1) for part in back.partition("#")[2].partition("?")[2].split("&") if "=" in part)
        said = {key: unquote(value) for key, value in said.items()}
        if name == "sso":
            self.seen.read("sso return", http.get(back, timeout=30, allow_redirects=False), keep=False)
            return
        body = {"code": said.get("code", ""), "state": said.get("state", "")}
        answer = self.seen.read(
            name, http.post(f"{self.rig.url}/api/v1/login/{name}", json=body, timeout=30), keep=False
        )
        if answer.ok:
            self.secrets += [Secret(f"{name} session", answer.json()["token"])]

    def console(self) -> None:
        """The operator: a wrong code, the right one, every page, a phone revealed, a one-time code."""
        rig, seen, http = self.rig, self.seen, session()

        def csrf(page: requests.Response) -> str:
            return page.text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]

        url = f"{rig.url}/console"
        for code in ("000000", pyotp.TOTP(self.totp).at(clock.now())):
            page = seen.read("sign-in", http.get(f"{url}/sign-in", timeout=30))
            data = {"csrf_token": csrf(page), "campus_no": "T1002", "password": PASSWORD, "code": code}
            seen.read("signed in", http.post(f"{url}/sign-in", data=data, timeout=30))
        self.secrets += [Secret("console session", http.cookies["houqin_console"])]
        no = self.people["lin"]["campus_no"]
        for path in (
            "",
            "/tickets",
            f"/people/{no}",
            "/people",
            "/audit",
            "/cases",
            "/notices",
            "/settings",
            "/account",
            "/nothing",
        ):
            page = seen.read(f"console{path}", http.get(f"{url}{path}", timeout=30))
        token = csrf(http.get(f"{url}/account", timeout=30))
        reason = {"csrf_token": token, "reason": "上门联系不上，电话确认"}
        rejected = http.post(f"{url}/tickets/{self.by_phone}/reject", data=reason, timeout=30)
        seen.read("rejected", rejected)  # whoever has only a phone is told by SMS
        seen.read("revealed", http.post(f"{url}/people/{no}/phone", data=reason, timeout=30), keep=False)
        page = seen.read(
            "code", http.post(f"{url}/people/{no}/code", data={"csrf_token": token}, timeout=30), keep=False
        )
        code = page.text.split('data-copy="', 1)[1].split('"', 1)[0]
        self.secrets += [Secret("one-time code", code), Secret("one-time code", code.replace("-", ""))]
        seen.read("no csrf", http.post(f"{url}/people/{no}/phone", data={"reason": "x"}, timeout=30))

    def faults(self) -> None:
        """The platforms misbehave while there is something to tell them."""
        for number, kind in enumerate(FAULTS):
            self.ask_sandbox("/faults", kind=kind, route="/wechat/*", count=2)
            self.ask_sandbox("/faults", kind=kind, route="/wecom/*", count=2)
            self.ask_sandbox("/people/lin/text", text=f"报修 D12-K{number} 空调不制冷")
            NEVER.wait(1)  # so that the worker meets this one
        openid = self.people["lin"]["official_openid"]
        for reply in (
            session().post(f"{self.rig.url}/api/v1/login/mini", json={"code": self.ask_sandbox("/people/lin/login_code")["code"]}, timeout=60),
            session().post(f"{self.rig.url}/wx/official?signature=x&openid={openid}&timestamp=1&nonce=2", data=b"<xml/>", timeout=30),
        ):  # fmt: skip
            self.seen.read("under faults", reply, keep=not reply.ok)
        requests.delete(f"{self.rig.sandbox_url}/control/faults", timeout=30)

    def bug(self) -> None:
        """A route fails with everything in its mouth that an exception of a library might hold."""
        secret = self.rig.config.official_account.app_secret.get_secret_value()  # type: ignore[union-attr]  # the rig has one
        token = next((one.value for one in self.secrets if one.name == "session"), "")
        saying = f"GET /cgi-bin/token?appid=x&secret={secret}&js_code=y failed; Authorization: Bearer {token}; {PHONES['lin']}; {self.people['lin']['mini_openid']}"
        headers = {"Authorization": f"Bearer {token}", "Cookie": f"houqin_console={token}"}
        self.seen.read(
            "bug", session().get(f"{self.rig.url}/drill/bug", params={"saying": saying}, headers=headers, timeout=30)
        )

    def machine_room(self) -> None:
        for path in ("/metrics", "/readyz", "/healthz", "/openapi.json", "/nothing"):
            self.seen.read(path, session().get(f"{self.rig.url}{path}", timeout=30))


# ---- secrets, and where they are looked for --------------------------------------------------------------------------


def configured(config: BaseModel, section: str = "") -> Iterator[Secret]:
    """Every secret of the configuration that is one: not the addresses of the drill's own servers."""
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield from configured(value, name)
        for one in value if isinstance(value, tuple) else (value,):
            text = one.get_secret_value() if isinstance(one, SecretStr) else ""
            if len(text) >= 8 and "://" not in text:
                yield Secret(f"[{section}] {name}", text, OWNERS.get(section, ""))


def access_tokens(rig: Rig) -> Iterator[Secret]:
    """What the platforms gave out meanwhile."""
    for path in (rig.folder / "sandbox").rglob("*"):
        if path.is_file() and path.read_bytes()[:15] == b"SQLite format 3":
            with sqlite3.connect(path) as there:
                for account, token in there.execute("select account, token from token"):
                    yield Secret(f"access token of {account}", token, "wecom" if "wecom" in account else "wechat")


def found(day: Day) -> Counter[str]:
    """How often a secret was found, by where; each is told with its name, never with its value."""
    rig = day.rig
    secrets = list(dict.fromkeys([*day.secrets, *access_tokens(rig)]))
    openids = [
        Secret("openid", day.people["lin"][name], in_database=False) for name in ("official_openid", "mini_openid")
    ]
    counts = Counter[str](secrets=len(secrets), logs=0, pages=0, metrics=0, redis=0, database=0, addresses=0)

    def search(kind: str, where: str, text: str, among: list[Secret]) -> None:
        for one in among:
            if one.value in text:
                counts[kind] += 1
                print(f"  {one.name} in {where}")

    for path in sorted(rig.folder.glob("*.log")):
        if path.name != "sandbox.log":
            search("logs", path.name, path.read_text(errors="replace"), [*secrets, *openids])
    for where, text in day.seen.texts:
        search("metrics" if where.startswith("/metrics") else "pages", where, text, secrets)
    with redis.Redis.from_url(rig.config.redis.url.get_secret_value(), decode_responses=True) as client:
        among = [
            one for one in secrets if not one.name.startswith("access token")
        ]  # shared there on purpose (DESIGN 3)
        for key in client.scan_iter():
            text = f"{key} {client.get(key) if client.type(key) == 'string' else ''}"
            search("redis", f"Redis {key[:40]}", text, [*among, *openids])
    for table in rig.rows("select table_name from information_schema.tables where table_schema = database()"):
        for row in rig.rows(f"select * from `{table[0]}`"):
            search("database", f"table {table[0]}", "\n".join(map(str, row)), secrets)
    for call in (
        session()
        .get(f"{rig.sandbox_url}/control/calls", params={"direction": "in", "limit": 10**6}, timeout=60)
        .json()["calls"]
    ):
        address = f"{call['path']}?{unquote(call['query'])}"
        for one in secrets:
            # The sandbox keeps the last four characters of what it knows to be secret.
            if one.owner != call["platform"] and (one.value in address or f"=…{one.value[-4:]}&" in address + "&"):
                counts["addresses"] += 1
                print(f"  {one.name} in a call to {call['platform']}{call['path']}")
    return counts


def drill(rig: Rig, *, quick: bool = False) -> tuple[Counter[str], bool]:
    """The counts, and whether nothing was found though everything was done."""
    day = Day(rig)
    day.lay_out()
    day.client()
    day.bug()
    if not quick:
        day.chat()
        day.console()
        day.faults()
        rig.settle(seconds=60)
        NEVER.wait(1)
    day.machine_room()
    counts = found(day)
    counts.update(
        texts=len(day.seen.texts), answers=sum(day.seen.statuses.values()), bugs=day.seen.statuses[500],
        tickets=rig.count("select count(*) from ticket"), sent=len(rig.sent()),
    )  # fmt: skip
    nothing = ("logs", "pages", "metrics", "redis", "database", "addresses")
    done = quick or (counts["tickets"] >= 2 and counts["sent"] > 0 and day.seen.statuses[200] > 15)
    return counts, done and counts["bugs"] == 1 and not any(map(counts.get, nothing))


def search(paths: list[Path]) -> int:
    """Prints where a canary of the tests' own keys stands in these files, and how many; the exit code."""
    hits = 0
    files = [one for path in paths for one in (sorted(path.rglob("*")) if path.is_dir() else [path]) if one.is_file()]
    for path in files:
        with path.open("rb") as lines:
            for number, text in enumerate(lines, start=1):
                for match in CANARY.findall(text):
                    hits += 1
                    print(f"{path}:{number}: {match[:12].decode()}…")
    ok = bool(files) and not hits
    print(f"K25 search files={len(files)} canaries={hits} {'PASS' if ok else 'FAIL'}")
    return 0 if ok else 1


@click.command()
@click.option("--seed", default=25, show_default=True)
@click.option("--short", is_flag=True, help="the version of `make test`; it is the whole")
@click.option("--search", "searching", is_flag=True, help="look for the tests' canaries in these files and folders")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
def main(seed: int, short: bool, searching: bool, paths: tuple[Path, ...]) -> None:
    """Prints a line for the control and one for the drill; exits 0 when nothing was found and the control was caught."""
    if searching:
        sys.exit(search(list(paths)))
    rigs = {"sandbox_counts_only": False, "web_workers": 1}
    with Rig(seed=seed, workers=1, broken={"web": "failing_route"}, **rigs) as rig:  # type: ignore[arg-type]  # as named there
        counts, passed = drill(rig)
    with Rig(seed=seed, workers=0, broken={"web": "without_redaction"}, **rigs) as rig:  # type: ignore[arg-type]  # likewise
        control, fooled = drill(rig, quick=True)
    caught = not fooled and control["logs"] > 0
    ok = passed and caught
    print(f"control without_redaction: {'caught' if caught else 'NOT CAUGHT'}: {line(control)}")
    print(f"K25 secrets seed={seed} {line(counts)} {'PASS' if ok else 'FAIL'}", flush=True)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
