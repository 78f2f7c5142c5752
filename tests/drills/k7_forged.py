"""K7 for callbacks: 10,000 forged, replayed and probing requests at the four callback paths. PROTOCOLS 1.2, 2.9, 3.2.

What cannot be verified is refused and stores nothing: every forgery carries a message that never came before, so one
that slipped through would leave a row. What is only repeated is answered as before. No 5xx; each refusal is logged once,
and no token, key, signature or typed word stands in the log. Controls: a door that acts before it verifies, one that
does not compare whom a message is for, and one that takes any timestamp.

    python -m tests.drills.k7_forged [--short] [--seed N] [--requests N]
"""

import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import click
import requests

from core import clock
from tests.drills.load import line
from tests.drills.rig import Rig, dice, session
from tests.wxbot.wire import Sender, sign

CONTROLS = ("act_before_verifying", "any_receive_id", "any_timestamp")
REFUSED = (400, 403, 413)
SAID = "请勿外传的一句话"
BASES = 6


class Sent(NamedTuple):
    """One request, and what may become of it: it is refused, or, with `base`, it is the repetition of that message."""

    kind: str
    door: str
    query: str
    body: bytes
    base: int | None = None
    may_be_refused: bool = True
    get: bool = False


@dataclass
class Forger:
    """Makes mutations. `doors` are the accounts with their true keys; `answers` what each base message was answered."""

    doors: dict[str, Sender]
    rig: Rig
    openid: str
    chance: random.Random
    bases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    answers: dict[tuple[str, int], str] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: count(30_000_000_000))

    def fresh(self, door: str) -> dict[str, Any]:
        """A message that nobody has sent before and whose acceptance would leave a row."""
        now = int(clock.now().timestamp())
        common = {"ToUserName": "gh_drill", "FromUserName": self.openid, "CreateTime": now}
        if door == "contacts":
            event = {
                "MsgType": "event",
                "Event": "change_contact",
                "ChangeType": "update_user",
                "UserID": f"U{next(self.numbers)}",
            }
            return common | {"FromUserName": "sys"} | event
        return common | {"MsgType": "text", "Content": SAID, "MsgId": next(self.numbers)}

    def one(self) -> Sent:
        """A mutation of a kind and at a door drawn by chance."""
        door = self.chance.choice(list(self.doors))
        kind = self.chance.choice(KINDS)
        return kind(self, door)._replace(kind=kind.__name__)

    def request(self, door: str, fields: dict[str, Any], **changes: Any) -> tuple[str, bytes]:
        return self.doors[door].request(fields, clock.now(), **changes)

    def flip(self, data: bytes) -> bytes:
        at = self.chance.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << self.chance.randrange(8))]) + data[at + 1 :]


Kind = Callable[[Forger, str], Sent]


def refused(door: str, query: str, body: bytes, **more: Any) -> Sent:
    return Sent("", door, query, body, **more)


def changed(query: str, **changes: str | None) -> str:
    return urlencode({name: value for name, value in (dict(parse_qsl(query)) | changes).items() if value is not None})


def sealed_part(body: bytes) -> tuple[int, int]:
    """Where the value of Encrypt stands in the body."""
    found = re.search(rb"[A-Za-z0-9+/=]{64,}", body)
    assert found is not None
    return found.span()


def bit_in_encrypt(f: Forger, door: str) -> Sent:
    query, body = f.request(door, f.fresh(door))
    start, end = sealed_part(body)
    return refused(door, query, body[:start] + f.flip(body[start:end]) + body[end:])


def bit_outside_encrypt(f: Forger, door: str) -> Sent:
    """What is not signed does not count: whatever stands there, the message is the one in Encrypt, or it is refused."""
    base = f.chance.randrange(BASES)
    query, body = f.request(door, f.bases[door][base])
    start, end = sealed_part(body)
    around = (f.flip(body[:start]), body[end:]) if f.chance.random() < 0.6 else (body[:start], f.flip(body[end:]))
    return refused(door, query, around[0] + body[start:end] + around[1], base=base)


def bit_in_signature(f: Forger, door: str) -> Sent:
    query, body = f.request(door, f.fresh(door))
    return refused(door, _flipped(f, query, "msg_signature"), body)


def bit_in_nonce(f: Forger, door: str) -> Sent:
    query, body = f.request(door, f.fresh(door))
    return refused(door, _flipped(f, query, "nonce"), body)


def bit_in_timestamp(f: Forger, door: str) -> Sent:
    query, body = f.request(door, f.fresh(door))
    return refused(door, _flipped(f, query, "timestamp"), body)


def _flipped(f: Forger, query: str, name: str) -> str:
    value = dict(parse_qsl(query))[name]
    return changed(query, **{name: f.flip(value.encode()).decode("latin-1")})


def an_hour_away(f: Forger, door: str) -> Sent:
    """Signed with our own token, but an hour too early or too late."""
    hours = f.chance.choice((-1, 1))
    query, body = f.doors[door].request(f.fresh(door), clock.now() + timedelta(hours=hours))
    return refused(door, query, body)


def timestamp_moved(f: Forger, door: str) -> Sent:
    """An old request with a fresh timestamp under its old signature."""
    query, body = f.doors[door].request(f.fresh(door), clock.now() - timedelta(hours=1))
    return refused(door, changed(query, timestamp=str(int(clock.now().timestamp()))), body)


def timestamp_is_no_number(f: Forger, door: str) -> Sent:
    sender, fields = f.doors[door], f.fresh(door)
    strange = f.chance.choice(("", "-1", "1e9", "99999999999999", "0x10", "１７００００００００", " 1", "NaN"))
    query, body = sender.request(fields, clock.now())
    sealed = body[slice(*sealed_part(body))].decode()
    nonce = dict(parse_qsl(query))["nonce"]
    good = sign(sender.token, strange, nonce, sealed)
    return refused(door, changed(query, timestamp=strange, msg_signature=good), body)


def other_account(f: Forger, door: str) -> Sent:
    """Everything right, for another of the school's accounts."""
    other = f.chance.choice([one for one in f.doors if one != door])
    sender = f.doors[other].but(form=f.doors[door].form, wecom=f.doors[door].wecom)
    return refused(door, *sender.request(f.fresh(door), clock.now()))


def other_key(f: Forger, door: str) -> Sent:
    """Our token, somebody else's key."""
    other = f.chance.choice([one for one in f.doors if one != door])
    sender = f.doors[door].but(aes_key=f.doors[other].aes_key, receive_id=f.doors[other].receive_id)
    return refused(door, *sender.request(f.fresh(door), clock.now()))


def wrong_receive_id(f: Forger, door: str) -> Sent:
    """Our token and key, encrypted for another app id (or for ours with something behind it, or for none)."""
    ours = f.doors[door].receive_id
    other = f.chance.choice(("wx0000000000000000", ours + "x", ours[:-1], ours.swapcase(), " "))
    return refused(door, *f.doors[door].but(receive_id=other).request(f.fresh(door), clock.now()))


def doubled_key(f: Forger, door: str) -> Sent:
    """One parameter of the query twice, the wrong one last: no verifier may take the other one."""
    query, body = f.request(door, f.fresh(door))
    name = f.chance.choice(("msg_signature", "timestamp", "nonce"))
    return refused(door, f"{query}&{urlencode({name: f.chance.choice(('', '1', 'x' * 40))})}", body)


def doubled_key_before(f: Forger, door: str) -> Sent:
    """The wrong one first: refused, or the message that the true one signs."""
    base = f.chance.randrange(BASES)
    query, body = f.request(door, f.bases[door][base])
    name = f.chance.choice(("msg_signature", "timestamp", "nonce"))
    return refused(door, f"{urlencode({name: 'x' * 40})}&{query}", body, base=base)


def parameter_missing(f: Forger, door: str) -> Sent:
    query, body = f.request(door, f.fresh(door))
    return refused(door, changed(query, **{f.chance.choice(("msg_signature", "timestamp", "nonce")): None}), body)


def plain_under_secure(f: Forger, door: str) -> Sent:
    """The plain message where an encrypted one is announced, and the other way round."""
    sender, fields = f.doors[door], f.fresh(door)
    plain = sender.but(mode="plain").request(fields, clock.now())[1]
    query = sender.request(fields, clock.now())[0]
    if f.chance.random() < 0.5:
        return refused(door, query, plain)
    return refused(door, changed(query, encrypt_type=None, signature=None), plain)


def signature_of_the_envelope(f: Forger, door: str) -> Sent:
    """The signature over token, timestamp and nonce alone, where the one over the body is asked for."""
    query, body = f.request(door, f.fresh(door))
    parts = dict(parse_qsl(query))
    short = sign(f.doors[door].token, parts["timestamp"], parts["nonce"])
    return refused(door, changed(query, msg_signature=short), body)


def plain_to_wecom(f: Forger, door: str) -> Sent:
    """WeCom knows no plain mode, however well the query is signed."""
    door = f.chance.choice(("wecom", "contacts"))
    return refused(door, *f.doors[door].but(mode="plain", wecom=False).request(f.fresh(door), clock.now()))


def forged_beside_encrypt(f: Forger, door: str) -> Sent:
    """Compat mode: other plain fields beside the true Encrypt. They are not looked at."""
    door = f.chance.choice(("official", "mini"))
    base = f.chance.randrange(BASES)
    query, body = f.request(door, f.bases[door][base])
    compat = f.doors[door].but(mode="compat").request(f.fresh(door), clock.now())[1]
    start, end = sealed_part(compat)
    true = body[slice(*sealed_part(body))]
    return refused(door, query, compat[:start] + true + compat[end:], base=base)


def exact_replay(f: Forger, door: str) -> Sent:
    """The very same bytes again, within the window."""
    base = f.chance.randrange(BASES)
    return refused(door, *f.request(door, f.bases[door][base]), base=base, may_be_refused=False)


def forged_echo(f: Forger, door: str) -> Sent:
    """The URL verification with a signature that is none."""
    query = f.doors[door].verification(clock.now(), SAID)
    name = "msg_signature" if f.doors[door].wecom else "signature"
    return refused(door, _flipped(f, query, name), b"", get=True)


def garbage(f: Forger, door: str) -> Sent:
    query, _ = f.request(door, f.fresh(door))
    return refused(door, query, f.chance.randbytes(f.chance.randrange(0, 400)))


KINDS: tuple[Kind, ...] = (
    bit_in_encrypt, bit_outside_encrypt, bit_in_signature, bit_in_nonce, bit_in_timestamp, an_hour_away, timestamp_moved,
    timestamp_is_no_number, other_account, other_key, wrong_receive_id, doubled_key, doubled_key_before, parameter_missing,
    plain_under_secure, signature_of_the_envelope, plain_to_wecom, forged_beside_encrypt, exact_replay, forged_echo, garbage,
)  # fmt: skip


# ---- sending and counting --------------------------------------------------------------------------------------------


def doors(rig: Rig) -> dict[str, Sender]:
    """The four callback paths with their keys."""
    p = rig.platform
    corp = p["wecom"]["corp_id"]

    def keys(section: str) -> dict[str, str]:
        return {"token": p[section]["token"], "aes_key": p[section]["aes_key"]}

    return {
        "official": Sender("/wx/official", p["official_account"]["app_id"], **keys("official_account")),
        "mini": Sender("/wx/mini", p["mini_program"]["app_id"], form="json", **keys("mini_program")),
        "wecom": Sender("/wx/wecom", corp, wecom=True, **keys("wecom")),
        "contacts": Sender("/wx/wecom/contacts", corp, wecom=True, **keys("wecom_contacts")),
    }


def checksums(rig: Rig) -> dict[str, Any]:
    """What stands in every table, in a number each."""
    tables = [
        row[0] for row in rig.rows("select table_name from information_schema.tables where table_schema = database()")
    ]
    return {name: tuple(rig.rows(f"checksum table `{name}`")[0])[1] for name in tables}


def send(http: requests.Session, f: Forger, one: Sent) -> requests.Response:
    url = f"{f.rig.url}{f.doors[one.door].path}?{one.query}"
    if one.get:
        return http.get(url, timeout=30)
    return http.post(url, data=one.body, headers={"Content-Type": "text/xml"}, timeout=30)


def reply_of(f: Forger, door: str, answer: requests.Response) -> str:
    """What the sender reads in the answer; its signature is checked."""
    said = f.doors[door].open(answer.content)
    return f"{said.get('CreateTime')} {said.get('Content')}" if said else ""


def drill(f: Forger, *, number: int, threads: int = 4) -> tuple[Counter[str], bool]:
    """So many mutations; the counts, and whether every one is right."""
    rig, log = f.rig, f.rig.web.log
    for door in f.doors:
        f.bases[door] = [f.fresh(door) for _ in range(BASES)]
        for base, fields in enumerate(f.bases[door]):
            answer = send(session(), f, refused(door, *f.request(door, fields)))
            assert answer.status_code == 200, (door, answer.status_code)
            f.answers[door, base] = reply_of(f, door, answer)
    before, logged_from = checksums(rig), log.stat().st_size
    made = [f.one() for _ in range(number)]
    seen: Counter[str] = Counter()
    strange: list[str] = []

    def work(part: list[Sent]) -> None:
        http = session()
        for one in part:
            answer = send(http, f, one)
            outcome = judged(f, one, answer)
            seen[outcome] += 1
            if outcome not in ("refused", "as_before"):
                strange.append(f"{one.kind} at {one.door}: {answer.status_code}")

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, [made[index::threads] for index in range(threads)]))
    after = checksums(rig)
    with log.open("rb") as read:
        read.seek(logged_from)
        text = read.read().decode(errors="replace")
    counts = Counter(
        requests=number,
        refused=seen["refused"],
        as_before=seen["as_before"],
        let_in=seen["let_in"],
        otherwise=seen["otherwise"],
        put_off=seen["put_off"],
        five_hundreds=seen["five_hundred"],
        tables_changed=sum(before[name] != after[name] for name in before),
        logged=text.count('"callback refused"'),
        secrets_logged=sum(text.count(secret) for secret in secrets(f)),
    )
    for what, times in Counter(strange).most_common(5):
        print(f"  {times} × {what}")
    nothing = ("let_in", "otherwise", "five_hundreds", "tables_changed", "secrets_logged")
    return counts, counts["logged"] == counts["refused"] and not any(map(counts.get, nothing))


def judged(f: Forger, one: Sent, answer: requests.Response) -> str:
    """What became of it."""
    status = answer.status_code
    if status == 503:
        return "put_off"  # nothing was stored; the platform would ask again
    if status >= 500:
        return "five_hundred"
    if status in REFUSED:
        return "refused" if one.base is None or one.may_be_refused else "otherwise"
    if status != 200 or one.base is None:
        return "let_in"
    return "as_before" if reply_of(f, one.door, answer) == f.answers[one.door, one.base] else "otherwise"


def secrets(f: Forger) -> list[str]:
    """What must not stand in a log: tokens, keys, what was typed, who typed it."""
    return [
        *(one.token for one in f.doors.values()),
        *(one.aes_key for one in f.doors.values()),
        SAID,
        f.openid,
        "signature=",
    ]


@click.command()
@click.option("--seed", default=7, show_default=True)
@click.option("--short", is_flag=True, help="the version of `make test`")
@click.option("--requests", "number", default=None, type=int)
def main(seed: int, short: bool, number: int | None) -> None:
    """Prints a line for each control and one for the drill; exits 0 when every count is right and each control was caught."""
    number = number or (1000 if short else 10_000)
    with Rig(seed=seed, workers=0, web_workers=1) as rig:
        [openid] = rig.people(1)
        forger = Forger(doors(rig), rig, openid, dice(seed))
        counts, passed = drill(forger, number=number)
        caught = []
        for variant in CONTROLS:
            rig.swap_web(variant)
            control, fooled = drill(forger, number=200 if short else 400)
            caught.append(not fooled and control["let_in"] + control["tables_changed"] > 0)
            print(f"control {variant}: {'caught' if caught[-1] else 'NOT CAUGHT'}: {line(control)}")
    ok = passed and all(caught)
    print(f"K7 forged seed={seed} {line(counts)} {'PASS' if ok else 'FAIL'}", flush=True)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
