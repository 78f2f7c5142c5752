"""Faults, clock, calls, sent messages, keys, limits: everything that is not a person's deed."""

import json
from typing import Any

from flask import Blueprint, request

from sandbox.answers import TEXTS
from sandbox.faults import ENDLESS, KINDS
from sandbox.wechat import qr
from sandbox.world import Row, world


def given() -> Row:
    """The JSON object of the request; {} when there is none."""
    if not request.get_data():
        return {}
    found = request.get_json(force=True)
    if not isinstance(found, dict):
        raise ValueError("a JSON object is needed")
    return found


def get_state() -> Row:
    """Who and what there is: persons, accounts with their keys, templates, menu, clock, counters."""
    w = world()
    accounts = []
    for a in w.accounts():
        before = w.store.value(f"keys_before:{a.name}")
        accounts.append(
            {
                **{k: getattr(a, k) for k in ("name", "app_id", "token", "aes_key", "mode", "format", "callback")},
                "previous": before,
                "templates": [{"key": t.key, "id": t.id, "title": t.title, "fields": t.fields} for t in a.templates],
            }
        )
    return {
        "url": w.settings.url,
        "service_url": w.settings.service_url,
        "seed": w.settings.seed,
        "now": w.clock.now(),
        "offset_s": w.clock.offset(),
        "people": [{k: v for k, v in p.items() if k != "crowd"} for p in w.people()],
        "accounts": accounts,
        "menu": w.store.value("menu:official", {}).get("button", []),
        "wecom_menu": w.store.value("menu:wecom", {}).get("button", []),
        "behaviour": w.behaviour,
        "limits": w.limits,
        "counters": dict(w.counters),
        "fast": w.fast,
    }


def get_faults() -> Row:
    """What is switched on, and what there is to switch on."""
    kinds = [
        {"kind": k, "what": what, "route": route, "args": args, "endless": k in ENDLESS}
        for k, (what, route, args) in KINDS.items()
    ]
    return {"faults": [f.shown() for f in world().faults.all()], "kinds": kinds}


def post_faults() -> tuple[Row, int]:
    """A fault is on: {kind, route?, count?, probability?, …arguments}."""
    data = given()
    if "kind" not in data:
        raise ValueError("kind is missing")
    return world().faults.add(**data).shown(), 201


def delete_faults() -> Row:
    """All faults, or ?id=… one, are off."""
    number = request.args.get("id")
    return {"removed": world().faults.remove(int(number) if number else None)}


def get_calls() -> Row:
    """Calls after `since`, oldest first. Filters: platform, direction, path (a piece of it), limit."""
    w, args = world(), request.args
    since, limit = int(args.get("since", 0)), int(args.get("limit", 1000))
    with w.store.lock:
        calls = [c for c in w.calls if c["seq"] > since]
    for name in ("platform", "direction"):
        if args.get(name):
            calls = [c for c in calls if c[name] == args[name]]
    if args.get("path"):
        calls = [c for c in calls if args["path"] in c["path"]]
    return {"calls": calls[-limit:], "last": calls[-1]["seq"] if calls else since}


def get_callbacks() -> Row:
    """What was pushed lately, with every attempt and the reply. Filter: account."""
    w, account = world(), request.args.get("account")
    with w.store.lock:
        listed = [x for x in w.callbacks.listed if account in (None, x["account"])]
    return {"callbacks": listed}


def get_sent() -> Row:
    """Every message the platforms accepted. Filters: kind, recipient, since; `count=1` gives numbers only."""
    w, args = world(), request.args
    where, values = ["id > ?"], [int(args.get("since", 0))]
    for name in ("kind", "recipient", "client_key"):
        if args.get(name):
            where.append(f"{name} = ?")
            values.append(args[name])  # type: ignore[arg-type]  # texts beside the number
    clause = " and ".join(where)
    if args.get("count"):
        sql = f"select kind, count(*) as n, count(distinct recipient) as recipients from sent where {clause} group by kind"  # noqa: S608
        return {"counts": w.store.all(sql, *values)}
    sql = f"select * from sent where {clause} order by id limit ?"  # noqa: S608  only names from the tuple above
    rows = w.store.all(sql, *values, int(args.get("limit", 100000)))
    return {"sent": [{**row, "body": json.loads(row["body"])} for row in rows]}


def get_pushes() -> Row:
    """What arrived on phones. Filters: person, since (the feed's number), limit."""
    args = request.args
    rows = world().feed(
        person=args.get("person", ""), since=int(args.get("since", 0)), limit=int(args.get("limit", 500))
    )
    if not args.get("all"):
        rows = [r for r in rows if r["direction"] == "in"]
    return {"pushes": rows}


def get_clock() -> Row:
    """The time both sides use."""
    clock = world().clock
    return {"now": clock.now(), "offset_s": clock.offset(), "file": str(clock.path)}


def post_clock() -> Row:
    """Time moves: {offset_s} sets it against real time, {advance_s} moves it on."""
    data, clock = given(), world().clock
    if "offset_s" in data:
        clock.move(float(data["offset_s"]))
    elif "advance_s" in data:
        clock.move(clock.offset() + float(data["advance_s"]))
    else:
        raise ValueError("offset_s or advance_s is needed")
    return get_clock()


def post_reset() -> Row:
    """Everything is as after `init`; the clock runs with real time."""
    world().reset()
    return {"ok": True}


def post_rotate() -> Row:
    """{account}: a new token and aes_key; the old ones stand beside them."""
    return world().rotate(str(given()["account"]))


def post_mode() -> Row:
    """{account, mode?, format?}: how the account pushes from now on."""
    data = given()
    wanted = {k: str(data[k]) for k in ("mode", "format") if k in data}
    if wanted.get("mode", "plain") not in ("plain", "compat", "secure"):
        raise ValueError("mode is plain, compat or secure")
    if wanted.get("format", "xml") not in ("xml", "json"):
        raise ValueError("format is xml or json")
    if world().account(str(data["account"])) is None:
        raise KeyError(data["account"])
    world().set_mode(str(data["account"]), **wanted)
    return {"ok": True}


def post_verify() -> Row:
    """{account}: the console's GET with an echostr, and whether the answer would be accepted."""
    account = world().account(str(given()["account"]))
    if account is None:
        raise KeyError("account")
    return world().callbacks.verify(account)


def _merge(name: str) -> Row:
    w, data = world(), given()
    present: Row = getattr(w, name)
    if unknown := sorted(set(data) - set(present)):
        raise KeyError(unknown[0])
    for key, value in data.items():
        if not isinstance(value, int | float):
            raise ValueError(f"{key} is a number")
    w.store.keep(name, {**w.store.value(name, {}), **data})
    setattr(w, name, {**present, **data})
    return dict(getattr(w, name))


def post_limits() -> Row:
    """Limits are other ones from now on (0: none); all of them are returned."""
    return _merge("limits")


def post_behaviour() -> Row:
    """Waiting times and habits are other ones from now on; all of them are returned."""
    return _merge("behaviour")


def get_doors() -> Row:
    """Codes minted so far and doors made known, by door code, with a label where there is one."""
    w = world()
    doors: dict[str, Row] = {}
    for row in w.store.all("select code, label from door order by rowid"):
        doors[row["code"]] = {"code": row["code"], "label": row["label"], "tickets": {}}
    for row in w.store.all("select * from qr where expires_at is null or expires_at > ? order by rowid", w.clock.now()):
        door = doors.setdefault(row["scene"], {"code": row["scene"], "label": "", "tickets": {}})
        door["tickets"][row["kind"]] = row["ticket"]
        if row["kind"] == "mini":
            door["page"] = row["page"]
    found = list(doors.values())
    if words := request.args.get("q", "").lower():
        found = [d for d in found if words in d["code"].lower() or words in d["label"].lower()]
    return {"doors": found[: int(request.args.get("limit", 200))], "total": len(found)}


def get_qr_url() -> Row:
    """?code=: what stands in the official account's permanent code of a door (minted when nobody has yet)."""
    w = world()
    with w.store.deed():
        made = qr.mint(w, "QR_LIMIT_STR_SCENE", request.args["code"], None)
    return {"url": made["url"], "ticket": made["ticket"]}


def post_doors() -> Row:
    """{doors: [{code, label}]}: what the scan list calls them."""
    doors: list[Any] = given()["doors"]
    with world().store.deed():
        for door in doors:
            world().store.run(
                "insert or replace into door (code, label) values (?, ?)", str(door["code"]), str(door["label"])
            )
    return {"doors": len(doors)}


def post_crowd() -> tuple[Row, int]:
    """{people: [{official_openid?, mini_openid?, wecom_userid?, name?}]}: they follow, allow every subscribe message and have no phone page.

    {count: N} makes N of them; their ids are returned.
    """
    w, data = world(), given()
    rows: list[Row] = list(data.get("people", ()))
    for _ in range(int(data.get("count", 0))):
        n = w.dice.number("crowd")
        rows.append(
            {
                "official_openid": "o" + w.dice.text("crowd.official", 27),
                "mini_openid": "o" + w.dice.text("crowd.mini", 27),
                "wecom_userid": f"crowd{n}",
            }
        )
    made = []
    with w.store.deed():
        for row in rows:
            n = w.dice.number("crowd.key")
            one = {k: row.get(k) or None for k in ("official_openid", "mini_openid", "wecom_userid")}
            w.store.run(
                "insert or ignore into person (key, name, official_openid, mini_openid, unionid, wecom_userid, follows,"
                " followed_at, crowd) values (?,?,?,?,?,?,1,?,1)",
                *(f"crowd{n}", row.get("name") or f"crowd{n}", one["official_openid"], one["mini_openid"]),
                *(row.get("unionid", ""), one["wecom_userid"], w.clock.second()),
            )
            made.append(one)
    return {"people": made}, 201


def get_errors() -> Row:
    """The errcodes the sandbox knows by heart."""
    return {str(code): text for code, text in TEXTS.items()}


def add(routes: Blueprint) -> None:
    """The routes of this file."""
    for path, function in (
        ("/state", get_state),
        ("/faults", get_faults),
        ("/calls", get_calls),
        ("/callbacks", get_callbacks),
        ("/sent", get_sent),
        ("/pushes", get_pushes),
        ("/clock", get_clock),
        ("/doors", get_doors),
        ("/qr_url", get_qr_url),
        ("/errors", get_errors),
    ):
        routes.get(path)(function)
    for path, deed in (
        ("/faults", post_faults),
        ("/clock", post_clock),
        ("/reset", post_reset),
        ("/rotate", post_rotate),
        ("/mode", post_mode),
        ("/verify", post_verify),
        ("/limits", post_limits),
        ("/behaviour", post_behaviour),
        ("/doors", post_doors),
        ("/crowd", post_crowd),
    ):
        routes.post(path)(deed)
    routes.delete("/faults")(delete_faults)
