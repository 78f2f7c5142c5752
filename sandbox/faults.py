"""Bad days on demand: which calls go wrong, how, and how often.

A fault names a route pattern (`/wechat/cgi-bin/message/*`, optionally `POST ` in front; for callbacks
the account's name), a count or a probability, and arguments. Each time it strikes, one is taken off.
"""

import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from sandbox.dice import Dice
from sandbox.store import Store

SEND = "/wechat/cgi-bin/message/*"
SUBSCRIBE = "/wechat/cgi-bin/message/subscribe/*"
# kind: (what happens, default route, default arguments)
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "delay": ("等 delay_s 秒再办", "*", {"delay_s": 3}),
    "drop": ("不办，断开连接", "*", {}),
    "hang": ("不办，也不回答", "*", {}),
    "timeout_after": ("办了，但不回答", "*", {}),
    "drop_after": ("办了，断开连接", "*", {}),
    "busy": ("-1 系统繁忙（未办）", "*", {"errcode": -1}),
    "busy_after": ("办了，却答 -1", "*", {"errcode": -1}),
    "answer": ("直接答 errcode", "*", {"errcode": 50002}),
    "http": ("直接答 HTTP status", "*", {"status": 502}),
    "garbage": ("办了，回答不是 JSON", "*", {}),
    "truncate": ("办了，回答只到一半", "*", {}),
    "token_invalidated": ("别人刷新了 access_token（40001/40014）", "*", {}),
    "daily_limit": ("45009 当日次数用完", SEND, {"errcode": 45009}),
    "minute_limit": ("45011 太频繁", SEND, {"errcode": 45011}),
    "quota_used": ("43101 用户未订阅或次数用完", SUBSCRIBE, {"errcode": 43101}),
    "outage": ("整个平台没有反应（也不推送）", "/wechat/*", {}),
    "ip_whitelist": ("调用方 IP 不在白名单（40164/60020）", "*", {}),
    "snapshot_user": ("网页授权得到快照页虚拟账号", "/wechat/sns/oauth2/access_token", {}),
    "finish_failed": ("模板消息送达失败（TEMPLATESENDJOBFINISH）", "official", {"status": "failed: system failed"}),
    "callback_duplicate": ("同一推送同时来 copies 次", "*", {"copies": 2}),
    "callback_reorder": ("这次推送晚于下一次到", "*", {"wait_s": 3}),
    "callback_delay": ("推送晚 delay_s 秒", "*", {"delay_s": 3}),
    "callback_lose": ("推送丢失", "*", {}),
    "callback_forge": ("推送签名错误", "*", {}),
}
ENDLESS = {"outage", "ip_whitelist", "snapshot_user"}  # without a count or probability these stay until removed


class UnknownFault(ValueError):
    """No such fault, or its arguments do not fit."""


@dataclass
class Fault:
    """One line of the panel."""

    id: int
    kind: str
    route: str
    remaining: int | None
    probability: float
    args: dict[str, Any] = field(default_factory=dict)
    hits: int = 0

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "what": KINDS[self.kind][0]}


def matches(route: str, target: str) -> bool:
    """Whether a target (`POST /wechat/…` or an account's name) falls under the pattern."""
    if route == "*" or fnmatchcase(target, route):
        return True
    return " " not in route and fnmatchcase(target.partition(" ")[2], route)


class Faults:
    """The faults that are switched on."""

    def __init__(self, store: Store, dice: Dice) -> None:
        self._store, self._dice = store, dice
        self._on: dict[int, Fault] = {}

    def load(self) -> None:
        """What was switched on before a restart is on again."""
        self._on = {
            row["id"]: Fault(**{**row, "args": json.loads(row["args"])})
            for row in self._store.all("select * from fault")
        }

    def add(
        self, kind: str, route: str = "", count: int | None = None, probability: float | None = None, **args: Any
    ) -> Fault:
        """The fault is on: `count` times, or with a probability, or (neither given) once."""
        if kind not in KINDS:
            raise UnknownFault(f"{kind}: one of {', '.join(KINDS)}")
        _, usual_route, usual_args = KINDS[kind]
        if unknown := set(args) - set(usual_args) - {"errmsg", "errcode", "status", "how"}:
            raise UnknownFault(f"{kind} has no argument {sorted(unknown)[0]}")
        if count is not None and (not isinstance(count, int) or count < 1):
            raise UnknownFault("count is a whole number from 1")
        if probability is not None and not 0 < float(probability) <= 1:
            raise UnknownFault("probability lies above 0 and up to 1")
        if count is None and probability is None and kind not in ENDLESS:
            count = 1
        fault = Fault(
            0,
            kind,
            route or usual_route,
            count,
            1.0 if probability is None else float(probability),
            {**usual_args, **args},
        )
        fault.id = self._store.insert(
            "insert into fault (kind, route, remaining, probability, args) values (?,?,?,?,?)",
            *(fault.kind, fault.route, fault.remaining, fault.probability, json.dumps(fault.args)),
        )
        self._on[fault.id] = fault
        return fault

    def remove(self, number: int | None = None) -> int:
        """One fault, or all of them, are off; how many that was."""
        with self._store.lock:
            gone = [n for n in self._on if number in (None, n)]
            for n in gone:
                del self._on[n]
                self._store.run("delete from fault where id = ?", n)
        return len(gone)

    def all(self) -> list[Fault]:
        """What is on."""
        with self._store.lock:
            return list(self._on.values())

    def strike(self, target: str, *kinds: str) -> list[Fault]:
        """The faults of these kinds that hit this target now; each has been used once by it."""
        if not self._on:
            return []
        struck = []
        with self._store.lock:
            for fault in list(self._on.values()):
                if fault.kind not in kinds:
                    continue
                if not matches(fault.route, target):
                    continue
                if not self._dice.strikes(f"fault:{fault.kind}:{fault.route}", fault.probability):
                    continue
                fault.hits += 1
                if fault.remaining is not None:
                    fault.remaining -= 1
                if fault.remaining == 0:
                    self.remove(fault.id)
                else:
                    self._store.run(
                        "update fault set remaining = ?, hits = ? where id = ?", fault.remaining, fault.hits, fault.id
                    )
                struck.append(fault)
        return struck

    def has(self, kind: str, target: str) -> bool:
        """Whether such a fault covers the target, without using it up."""
        return any(f.kind == kind and matches(f.route, target) for f in self.all())
