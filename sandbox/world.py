"""One sandbox: its settings, memory, clock, dice, faults, outgoing callbacks and recorded calls."""

import json
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import current_app

from sandbox import settings
from sandbox.callbacks import Callbacks
from sandbox.clock import Clock
from sandbox.dice import Dice, derive_text
from sandbox.faults import Faults
from sandbox.settings import KEY_END, Account
from sandbox.store import Store

Row = dict[str, Any]
CALLS_KEPT = 20000


class World:
    """Everything the platforms know, shared by all of them."""

    def __init__(self, directory: Path, *, fast: bool = False) -> None:
        self.directory = directory
        self.settings = settings.read(directory)
        self.fast = fast
        self.store = Store(directory / "sandbox.db", grouped=fast)
        self.clock = Clock(self.settings.clock_file)
        self.dice = Dice(self.settings.seed, self.store)
        self.faults = Faults(self.store, self.dice)
        self.calls: deque[Row] = deque(maxlen=CALLS_KEPT)
        self.counters: dict[str, int] = {}
        self.behaviour: dict[str, Any] = {}
        self.limits: dict[str, Any] = {}
        self.callbacks = Callbacks(self)
        self._accounts: dict[str, Account] = {}
        self._seed()

    def _seed(self) -> None:
        """Persons of the settings and doors of doors.json exist; what was changed since is read back."""
        with self.store.deed():
            for p in self.settings.people:
                self.store.run(
                    "insert or ignore into person (key, name, campus_no, kind, phone, official_openid, mini_openid,"
                    " unionid, wecom_userid, follows, followed_at) values (?,?,?,?,?,?,?,?,?,?,?)",
                    *(p.key, p.name, p.campus_no, p.kind, p.phone, p.official_openid or None, p.mini_openid or None),
                    *(p.unionid, p.wecom_userid or None, int(p.follows), self.clock.second() if p.follows else None),
                )
            doors = self.directory / "doors.json"
            if doors.exists():
                self.store.many(
                    "insert or replace into door (code, label) values (?, ?)",
                    [(str(d["code"]), str(d["label"])) for d in json.loads(doors.read_text(encoding="utf-8"))],
                )
        fast = {"strangers": True} if self.fast else {}
        self.behaviour = {**self.settings.behaviour, **fast, **self.store.value("behaviour", {})}
        self.limits = {**self.settings.limits, **self.store.value("limits", {})}
        self.faults.load()
        self._accounts = {}

    def reset(self) -> None:
        """The run begins again from the settings file; the clock goes back to real time."""
        self.callbacks.forget()
        self.store.clear()
        self.dice.forget()
        self.calls.clear()
        self.counters.clear()
        self.clock.move(0)
        self._seed()

    def close(self) -> None:
        """No callback leaves any more and the file is closed."""
        self.callbacks.close()
        self.store.close()

    # accounts and their keys

    def account(self, name: str) -> Account | None:
        """The account with the keys that are valid now."""
        if name not in self._accounts:
            base = self.settings.accounts.get(name)
            if base is None:
                return None
            self._accounts[name] = replace(base, **self.store.value(f"keys:{name}", {}))
        return self._accounts[name]

    def accounts(self) -> list[Account]:
        """Every account of the settings file."""
        return [a for name in self.settings.accounts if (a := self.account(name))]

    def account_by_app_id(self, app_id: str) -> Account | None:
        """The official account or mini-program with this app id."""
        return next((a for a in self.accounts() if not a.wecom and a.app_id == app_id), None)

    def rotate(self, name: str) -> Row:
        """The account has a new token and aes_key; the old ones are returned beside them."""
        with self.store.deed():
            old = self.account(name)
            if old is None:
                raise KeyError(name)
            n = self.dice.number("rotate")
            new = {
                "token": derive_text(self.settings.seed, f"{name}.token.rotated", 24, number=n),
                "aes_key": derive_text(self.settings.seed, f"{name}.aes.rotated", 42, number=n)
                + derive_text(self.settings.seed, f"{name}.aes.rotated.end", 1, KEY_END, number=n),
            }
            before = {"token": old.token, "aes_key": old.aes_key}
            self.store.keep(f"keys:{name}", {**self.store.value(f"keys:{name}", {}), **new})
            self.store.keep(f"keys_before:{name}", before)
            self._accounts.pop(name, None)
        return {"account": name, "new": new, "old": before}

    def set_mode(self, name: str, **changes: str) -> None:
        """The account pushes in another mode (plain, compat, secure) or format (xml, json)."""
        with self.store.deed():
            self.store.keep(f"keys:{name}", {**self.store.value(f"keys:{name}", {}), **changes})
            self._accounts.pop(name, None)

    # people

    def person(self, key: str) -> Row | None:
        """A person by key."""
        return self.store.one("select * from person where key = ?", key)

    def person_by(self, column: str, value: str) -> Row | None:
        """A person by official_openid, mini_openid or wecom_userid."""
        if column == "wecom_userid":
            return self.store.one("select * from person where wecom_userid = ? collate nocase", value)
        if column not in ("official_openid", "mini_openid"):
            raise KeyError(column)
        return self.store.one(f"select * from person where {column} = ?", value)  # noqa: S608

    def people(self) -> list[Row]:
        """Everybody who has a phone page (not the crowd)."""
        return self.store.all("select * from person where crowd = 0 order by rowid")

    # what people see

    def show(self, person: str, app: str, kind: str, body: Row, *, direction: str = "in") -> int:
        """The person's phone shows it; the number by which the phone asks for what is newer."""
        return self.store.insert(
            "insert into feed (at, person, app, direction, kind, body) values (?,?,?,?,?,?)",
            *(self.clock.now(), person, app, direction, kind, json.dumps(body, ensure_ascii=False)),
        )

    def feed(self, *, person: str = "", since: int = 0, limit: int = 500) -> list[Row]:
        """What was shown after the number, oldest first; without a number the newest ones."""
        rows = self.store.all(
            "select * from (select * from feed where id > ? and (? = '' or person = ?) order by id desc limit ?)"
            " order by id",
            *(since, person, person, limit),
        )
        return [{**row, "body": json.loads(row["body"])} for row in rows]

    def sent(self, kind: str, recipient: str, client_key: str, msg_id: str, body: Row) -> int:
        """The platform accepted a message. `/control/sent` lists it."""
        return self.store.insert(
            "insert into sent (at, kind, recipient, client_key, msg_id, body) values (?,?,?,?,?,?)",
            *(self.clock.now(), kind, recipient, client_key, msg_id, json.dumps(body, ensure_ascii=False)),
        )

    # counting

    def bump(self, name: str, by: int = 1) -> None:
        """One more of these, on /metrics and the panel."""
        with self.store.lock:
            self.counters[name] = self.counters.get(name, 0) + by

    def over(self, name: str, limit: str, span: str) -> bool:
        """Whether this one exceeds the limit within the span of time. It is counted either way."""
        most = self.limits.get(limit, 0)
        return bool(most) and self.store.count(name, span) > most

    def record(self, **call: Any) -> None:
        """A call, in or out, stands in the list (unless only counting)."""
        self.bump(f"calls_{call['direction']}")
        if self.fast:
            return
        with self.store.lock:
            call["seq"] = self.counters["seq"] = self.counters.get("seq", 0) + 1
            call["at"] = self.clock.now()
            self.calls.append(call)


def world() -> World:
    """The sandbox of the running app."""
    return current_app.extensions["sandbox"]
