"""A service that plays /api/v1 from a script: one student, one worker, one door, and bad days on demand.

It knows no campus. It answers what the client's contract says and writes down what it was asked.
"""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, jsonify, redirect, request, send_from_directory
from PIL import Image
from werkzeug.serving import WSGIRequestHandler, make_server

CAMPUS = timezone(timedelta(hours=8))
DOOR = "D7K2M9X4CDE"
ROOM = {"code": "D12-402", "label": "东校区 12 号楼 402"}
CSP = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "object-src 'none'; frame-ancestors *"
)

FAULTS = [
    {
        "code": "water",
        "name": "水",
        "hint": None,
        "emergency": None,
        "children": [
            {
                "code": "water.leak",
                "name": "水管漏水",
                "hint": "先关上洗手池下面的角阀",
                "emergency": None,
                "children": [],
            },
            {"code": "water.block", "name": "下水堵塞", "hint": None, "emergency": None, "children": []},
        ],
    },
    {
        "code": "power",
        "name": "电",
        "hint": None,
        "emergency": None,
        "children": [
            {"code": "power.light", "name": "灯不亮", "hint": None, "emergency": None, "children": []},
            {"code": "power.socket", "name": "插座没电", "hint": "先看看电费余额", "emergency": None, "children": []},
        ],
    },
    {"code": "ac", "name": "空调不制冷", "hint": None, "emergency": None, "children": []},
    {
        "code": "gas",
        "name": "燃气味",
        "hint": None,
        "emergency": {"phone": "83590110", "text": "开窗，不要开关电器，到楼外打电话。"},
        "children": [],
    },
    {"code": "other", "name": "其他", "hint": None, "emergency": None, "children": []},
]
COMMON = [
    {"code": "water.leak", "name": "水管漏水", "hint": "先关上洗手池下面的角阀", "emergency": None},
    {"code": "water.block", "name": "下水堵塞", "hint": None, "emergency": None},
    {"code": "power.light", "name": "灯不亮", "hint": None, "emergency": None},
    {"code": "ac", "name": "空调不制冷", "hint": None, "emergency": None},
    {"code": "power.socket", "name": "插座没电", "hint": "先看看电费余额", "emergency": None},
    {"code": "gas", "name": "燃气味", "hint": None, "emergency": FAULTS[3]["emergency"]},
]
PLACES = [
    ("E", None, "东校区", "东校区", "campus"),
    ("W", None, "西校区", "西校区", "campus"),
    ("E-12", "E", "12 号楼", "东校区 12 号楼", "building"),
    ("E-13", "E", "13 号楼", "东校区 13 号楼", "building"),
    ("D12-402", "E-12", "402", "东校区 12 号楼 402", "room"),
    ("D12-403", "E-12", "403", "东校区 12 号楼 403", "room"),
]
LETTERS = str.maketrans("0123456789", "ABCDEFGHJK")
STATE_TEXT = {
    "filed": "待受理", "assigned": "已派工", "working": "维修中", "done": "待验收",
    "closed": "已关闭", "cancelled": "已撤销", "unfixable": "无法修复",
}  # fmt: skip
DEEDS = {  # state: what the requester may do, what the worker may do
    "filed": (["cancel"], []),
    "assigned": (["cancel"], ["take"]),
    "working": ([], ["arrive", "finish", "cannot"]),
    "done": (["accept", "refuse", "rate"], []),
    "closed": (["rate"], []),
}


def stamp(minutes: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).astimezone(CAMPUS).isoformat(timespec="seconds")


@dataclass
class Script:
    """What the service knows, what it was asked, and how it misbehaves."""

    dist: Path
    who: str = "lin"
    bound: bool = True
    consent: str | None = "2026-09"
    tickets: dict[str, dict[str, Any]] = field(default_factory=dict)
    inbox: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    photos: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)  # path prefixes that answer 503
    silent_once: set[str] = field(default_factory=set)  # paths that do the deed and answer 504, once
    expired: bool = False  # the next request's token is refused

    def me(self) -> dict[str, Any]:
        student = self.who == "lin"
        return {
            "name": "林小雨" if student else "王建国",
            "campus_no": "2023010101" if student else "G2001",
            "kind": "student" if student else "worker",
            "department": "信息学院" if student else "维修中心 水工班",
            "phone_masked": "138****1234",
            "identities": [
                {"kind": "mini", "since": stamp(-60 * 24 * 40)},
                {"kind": "official", "since": stamp(-60 * 24 * 41)},
            ],
            "roles": ["requester"] if student else ["requester", "worker"],
            "permissions": ["repair.file"],
            "consents": {"privacy": self.consent},
            "home_place": ROOM if student else None,
            "unread": sum(not m["read"] for m in self.inbox),
        }

    def session(self) -> dict[str, Any]:
        return {
            "token": f"token-{self.who}", "expires_at": stamp(60 * 24 * 30), "bound": self.bound,
            "me": self.me() if self.bound else None, "to": None,
        }  # fmt: skip

    def file(self, said: dict[str, Any], *, state: str = "filed", minutes_ago: float = 0) -> dict[str, Any]:
        """A new ticket under a new number."""
        no = "WX261120" + f"{len(self.tickets):010d}".translate(LETTERS)
        fault = next(f for f in [*COMMON, *FAULTS] if f["code"] == said["fault"])
        self.tickets[no] = {
            "no": no, "state": state, "place": ROOM, "fault": {"code": fault["code"], "name": fault["name"]},
            "text": said.get("text") or "", "filed_at": stamp(-minutes_ago), "due_at": stamp(180 - minutes_ago),
            "worker_name": None if state == "filed" else "王建国", "urgent": False, "way": "mini",
            "photos": [{"no": p, "url": f"/api/v1/photos/{p}", "kind": "filed"} for p in said.get("photos", [])],
            "quantity": said.get("quantity") or 1, "severity": said.get("severity") or "normal",
            "window": said.get("window"), "entry": said.get("entry") or {"nobody_home_ok": False, "escort": False, "note": None},
            "steps": [{"at": stamp(-minutes_ago), "action": "file", "action_text": "报修", "by": "林小雨", "note": None}],
            "rating": None,
        }  # fmt: skip
        return self.tickets[no]

    def move(self, no: str, action: str, state: str, text: str, by: str, note: str | None = None) -> dict[str, Any]:
        ticket = self.tickets[no]
        ticket["state"] = state
        if state != "filed":
            ticket["worker_name"] = "王建国"
        ticket["steps"].append({"at": stamp(), "action": action, "action_text": text, "by": by, "note": note})
        return ticket

    def line(self, ticket: dict[str, Any]) -> dict[str, Any]:
        names = ("no", "state", "place", "fault", "text", "filed_at", "due_at", "worker_name", "urgent")
        return {**{name: ticket[name] for name in names}, "state_text": STATE_TEXT[ticket["state"]]}

    def told(self, ticket: dict[str, Any]) -> dict[str, Any]:
        mine, works = DEEDS.get(ticket["state"], ([], []))
        worker = self.who == "wang"
        actions = works if worker else [d for d in mine if not (d == "rate" and ticket["rating"])]
        return {
            **ticket, "state_text": STATE_TEXT[ticket["state"]], "actions": actions,
            "contact": {"name": "林小雨", "phone_masked": "138****1234", "phone": "13800001234" if worker else None},
            "why_me": "您负责东校区 12 号楼的水工" if worker else None, "etag": str(len(ticket["steps"])),
        }  # fmt: skip

    def deeds(self, path: str) -> list[Any]:
        """The bodies that were posted to the path, in order."""
        return [body for method, at, body in self.asked if method == "POST" and at == path]


def problem(status: int, code: str, detail: str) -> tuple[Response, int]:
    answer = jsonify(
        {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail, "request_id": "req-7"}
    )
    answer.mimetype = "application/problem+json"
    return answer, status


def make_app(script: Script) -> Flask:
    """The service and the H5 build at /m/, under the Content-Security-Policy the real one sends."""
    app = Flask(__name__)

    @app.before_request
    def _bad_days() -> Any:
        path = request.path.removeprefix("/api/v1")
        if not request.path.startswith("/api/v1"):
            return None
        body = request.get_json(silent=True) if request.is_json else request.content_length
        script.asked.append((request.method, path, body))
        if any(path.startswith(prefix) for prefix in script.down):
            return problem(503, "busy", "服务正在维护，请稍后再试")
        if script.expired and "/login" not in path and "Authorization" in request.headers:
            script.expired = False
            return problem(401, "sign_in_needed", "登录已失效")
        if "/login" not in path and path != "/privacy" and "Authorization" not in request.headers:
            return problem(401, "sign_in_needed", "请先登录")
        return None

    @app.after_request
    def _silence(answer: Response) -> Response:
        path = request.path.removeprefix("/api/v1")
        if path in script.silent_once:
            script.silent_once.discard(path)
            answer = Response("", 504)
        return answer

    @app.get("/m/")
    @app.get("/m/<path:name>")
    def client(name: str = "index.html") -> Response:
        if name == "config.js":
            return Response("window.HOUQIN = {bridges: []};", mimetype="text/javascript")
        answer = send_from_directory(script.dist, name)
        answer.headers["Content-Security-Policy"] = CSP
        return answer

    @app.get("/phone")
    def phone() -> Response:
        return Response(PHONE, mimetype="text/html")

    @app.post("/api/v1/login/<way>")
    def login(way: str) -> Any:
        if way == "code" and request.json["code"] != "7K2M9X4C":
            return problem(403, "code_wrong", "一次性码不对，还可以试 3 次")
        return script.session()

    @app.get("/api/v1/login/sso/url")
    def sso_url() -> Any:
        return {"url": "/sso?ticket=T1"}

    @app.get("/sso")
    def sso() -> Any:
        return redirect("/m/#/pages/sign-in/sign-in?ticket=T1&to=%2Fm%2F")

    @app.post("/api/v1/logout")
    @app.post("/api/v1/inbox/<no>/read")
    def nothing(no: str | None = None) -> Any:
        for message in script.inbox:
            if str(message["id"]) == no:
                message["read"] = True
        return "", 204

    @app.post("/api/v1/inbox/read-all")
    def read_all() -> Any:
        for message in script.inbox:
            message["read"] = True
        return "", 204

    @app.post("/api/v1/bindings")
    def bind() -> Any:
        if request.json.get("code", "7K2M9X4C") != "7K2M9X4C":
            return problem(429, "binding_locked", "请 15 分钟后再试")
        script.bound = True
        return script.me()

    @app.get("/api/v1/me")
    def me() -> Any:
        return script.me()

    @app.get("/api/v1/me/data")
    def my_data() -> Any:
        return {"person": {"name": "林小雨"}}

    @app.put("/api/v1/me/phone")
    def phone_number() -> Any:
        return script.me()

    @app.post("/api/v1/me/consents")
    def consents() -> Any:
        script.consent = request.json["version"]
        return script.me()

    @app.get("/api/v1/privacy")
    def privacy() -> Any:
        return {
            "version": "2026-09",
            "title": "隐私说明",
            "text": "我们只为报修收集必要的信息。\n\n照片只给处理这张单子的人看。",
        }

    @app.get("/api/v1/places")
    def places() -> Any:
        q, parent = request.args.get("q"), request.args.get("parent")
        rows = [p for p in PLACES if (q in p[3] or q in p[0] if q else p[1] == parent)]
        parents = {p[1] for p in PLACES}
        return {"next": None, "items": [
            {"code": c, "parent": up, "name": n, "label": lab, "kind": k, "has_children": c in parents} for c, up, n, lab, k in rows
        ]}  # fmt: skip

    @app.get("/api/v1/places/<code>")
    def place(code: str) -> Any:
        c, up, n, lab, k = next(p for p in PLACES if p[0] == code)
        return {"code": c, "parent": up, "name": n, "label": lab, "kind": k, "has_children": False}

    @app.get("/api/v1/doors/<code>")
    def door(code: str) -> Any:
        if code != DOOR:
            return problem(404, "door_unknown", "这个门码没有登记，请联系值班室")
        here = [script.line(t) for t in script.tickets.values() if t["state"] in ("filed", "assigned", "working")]
        return {"place": ROOM, "equipment": None, "open_tickets": here, "common_faults": COMMON, "home": True}

    @app.get("/api/v1/fault-types")
    def faults() -> Any:
        return jsonify(FAULTS)

    @app.post("/api/v1/photos")
    def post_photo() -> Any:
        no = f"ZP261120ABCDEFGHJ{'KMNPQRSTUV'[len(script.photos)]}"
        script.photos[no] = request.get_data()
        with Image.open(io.BytesIO(script.photos[no])) as picture:
            width, height = picture.size
        return {"no": no, "width": width, "height": height, "url": f"/api/v1/photos/{no}"}, 201

    @app.get("/api/v1/photos/<no>")
    def get_photo(no: str) -> Any:
        return Response(script.photos[no], mimetype="image/jpeg")

    @app.get("/api/v1/repairs")
    def repairs() -> Any:
        wanted = request.args.get("state", "all")
        is_open = {"filed", "assigned", "working", "done"}
        rows = [t for t in script.tickets.values() if wanted == "all" or (t["state"] in is_open) == (wanted == "open")]
        if request.args.get("mine") == "assigned":
            rows = [t for t in rows if t["worker_name"]]
        rows = sorted(rows, key=lambda t: t["filed_at"], reverse=True)
        at, limit = int(request.args.get("cursor", 0)), int(request.args.get("limit", 20))
        more = str(at + limit) if at + limit < len(rows) else None
        return {"items": [script.line(t) for t in rows[at : at + limit]], "next": more}

    @app.get("/api/v1/repairs/suggest")
    def suggest() -> Any:
        rows = [
            t for t in script.tickets.values() if t["fault"]["code"] == request.args["fault"] and t["state"] != "closed"
        ]
        return {"items": [script.line(t) for t in rows], "next": None}

    @app.post("/api/v1/repairs")
    def file_repair() -> Any:
        key = request.headers["Idempotency-Key"]
        if key not in script.keys:
            script.keys[key] = script.file(request.json)["no"]
        return script.told(script.tickets[script.keys[key]]), 201

    @app.get("/api/v1/repairs/<no>")
    def repair(no: str) -> Any:
        if no not in script.tickets:
            return problem(404, "ticket_unknown", "没有这张单子，或者您看不到它")
        told = script.told(script.tickets[no])
        answer = jsonify(told)
        answer.headers["Retry-After"] = "2"
        answer.set_etag(f"{no}-{told['etag']}-{script.who}")
        return answer.make_conditional(request)

    @app.post("/api/v1/repairs/<no>/<deed>")
    def move(no: str, deed: str) -> Any:
        said = request.get_json(silent=True) or {}
        ticket = script.tickets[no]
        match deed:
            case "take":
                script.move(no, deed, "working", "接单", "王建国")
            case "arrive":
                script.move(no, deed, "working", "到场", "王建国", "扫门码" if said.get("door") else "没有扫门码")
            case "finish":
                ticket["photos"] += [
                    {"no": p, "url": f"/api/v1/photos/{p}", "kind": "finished"} for p in said["photos"]
                ]
                script.move(no, deed, "done", "完工", "王建国", said.get("note"))
            case "cannot":
                script.move(no, deed, "unfixable", "无法修复", "王建国", f"{said['note']}；建议：{said['proposal']}")
            case "cancel":
                script.move(no, deed, "cancelled", "撤销", "林小雨", said["reason"])
            case "refuse":
                script.move(no, deed, "assigned", "验收不通过", "林小雨", said["reason"])
            case "accept":
                script.move(no, deed, "closed", "验收", "林小雨")
            case "rate":
                ticket["rating"] = {name: said[name] for name in ("quality", "attitude", "speed", "result", "text")}
                script.move(no, deed, "closed", "评价", "林小雨")
            case _:
                abort(404)
        return script.told(ticket)

    @app.get("/api/v1/inbox")
    def inbox() -> Any:
        return {"items": script.inbox, "next": None}

    @app.get("/api/v1/inbox/unread")
    def unread() -> Any:
        return {"unread": sum(not m["read"] for m in script.inbox)}

    @app.get("/api/v1/subscriptions")
    def subscriptions() -> Any:
        return {"ask": ["tmpl-progress"]}

    @app.post("/api/v1/subscriptions")
    def subscribed() -> Any:
        return {"quota": {name: int(said == "accept") for name, said in request.json["answers"].items()}}

    return app


PHONE = f"""<!doctype html><html><body style="margin:0"><script>
const client = new URLSearchParams(location.search).get('client');
const asked = [];
window.asked = asked;
const answers = {{
  login: () => ({{code: 'mini-code'}}),
  scanCode: () => ({{result: window.nextScan || 'https://houqin.example/m/#/pages/repair/file?door={DOOR}'}}),
  requestSubscribeMessage: (a) => Object.fromEntries([...a.tmplIds.map((id) => [id, 'accept']), ['errMsg', 'requestSubscribeMessage:ok']]),
  getPhoneNumber: () => ({{code: 'phone-code'}}),
  setNavigationBarTitle: () => ({{}}),
}};
addEventListener('message', (e) => {{
  if (e.origin !== new URL(client).origin || e.data.source !== 'houqin-client') return;
  asked.push(e.data.api);
  e.source.postMessage({{source: 'houqin-phone', id: e.data.id, ok: true, result: answers[e.data.api](e.data.args)}}, e.origin);
}});
const frame = document.createElement('iframe');
frame.style = 'border:0;width:100vw;height:100vh;display:block';
frame.src = client;
document.body.append(frame);
</script></body></html>"""


class Quiet(WSGIRequestHandler):
    """No line per request: what was asked stands in the script."""

    def log_request(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def served(script: Script) -> Iterator[str]:
    """The scripted service on a free loopback port."""
    server = make_server("127.0.0.1", 0, make_app(script), threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
