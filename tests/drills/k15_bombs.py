"""K15: XML, JSON, picture and workbook bombs at every place that reads what strangers send. OWASP ASVS 5.2, PROTOCOLS 1.2.

Callbacks (as they come and inside a true envelope), the JSON API, photos, and the import of a workbook. Each bomb is
refused: no 5xx and no 200, at most 50 ms of CPU of the whole process tree (the least of several tries: a busy machine
only adds to it), and the tree never holds more than 20 MB above what it held before. Control: the standard library's parsers let some in.

    python -m tests.drills.k15_bombs [--short] [--seed N]
"""

import gzip
import io
import json
import random
import re
import select
import socket
import struct
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
import requests

from campus import sessions
from core import clock, db
from tests import kit
from tests.drills.k7_forged import doors
from tests.drills.load import line
from tests.drills.rig import NEVER, Rig, dice
from tests.wxbot.wire import Sender, sign

CPU_MS, RSS_MB = 50.0, 20.0
MB = 1024 * 1024
MUCH = 30 * MB  # where an endless body gives up


class Bomb(NamedTuple):
    """What is sent where. `body` makes the bytes anew for each try; a list of them goes out in chunks."""

    name: str
    place: str
    request: Callable[[], tuple[str, dict[str, str], Iterable[bytes] | bytes]]


# ---- the process tree ------------------------------------------------------------------------------------------------


@dataclass
class Tree:
    """The web processes: what CPU they used, what memory they hold and held at most."""

    rig: Rig

    @property
    def pids(self) -> list[int]:
        return [self.rig.web.running.pid, *self.rig.web.children()] if self.rig.web.running else []

    def cpu_ms(self) -> float:
        spent = 0
        for pid in self.pids:
            for stat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                spent += int(stat.read_text().split()[0])
        return spent / 1e6

    def mb(self, what: str = "VmRSS") -> float:
        """`VmRSS` now, `VmHWM` at most since `forget_the_peak`."""
        found = (re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in self.pids)
        return sum(int(one[1]) for one in found if one) / 1024

    def forget_the_peak(self) -> None:
        for pid in self.pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")


# ---- sending ---------------------------------------------------------------------------------------------------------


def send(rig: Rig, path: str, headers: dict[str, str], body: Iterable[bytes] | bytes) -> tuple[int, int]:
    """The status of the answer (0: hung up without one) and how many bytes went out; the answer may come before the end."""
    if isinstance(body, bytes):
        headers = {"Content-Length": str(len(body)), **headers}
        parts: Iterator[bytes] = (body[at : at + 65536] for at in range(0, len(body), 65536))
    else:
        headers = {"Transfer-Encoding": "chunked", **headers}
        parts = (b"%x\r\n%s\r\n" % (len(part), part) for part in body)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    out, sent, heard = head.encode(), 0, b""
    with socket.create_connection(("127.0.0.1", rig.port), timeout=30) as wire:
        wire.setblocking(False)
        until = clock.monotonic() + 60
        while clock.monotonic() < until and sent < MUCH:
            can_read, can_write, _ = select.select([wire], [wire] if out is not None else [], [], 10)
            try:
                if can_read:
                    got = wire.recv(65536)
                    heard += got
                    if not got or b"\r\n" in heard:
                        break
                if can_write and out is not None:
                    went = wire.send(out)
                    sent, out = sent + went, out[went:]
                    if not out:
                        out = next(parts, None)  # type: ignore[assignment]  # None: there is no more
            except OSError:
                with_rest = _rest(wire)
                heard += with_rest
                break
    found = re.match(rb"HTTP/1\.1 (\d{3})", heard)
    return int(found[1]) if found else 0, sent


def _rest(wire: socket.socket) -> bytes:
    try:
        return wire.recv(65536)
    except OSError:
        return b""


# ---- the bombs -------------------------------------------------------------------------------------------------------

LAUGHS = (
    "<!DOCTYPE xml [<!ENTITY a '哈哈哈哈哈哈哈哈'>"
    + "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
QUADRATIC = f"<!DOCTYPE xml [<!ENTITY a '{'A' * 20000}'>]>"
XXE = "<!DOCTYPE xml [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
ENTITY = "<!DOCTYPE xml [<!ENTITY x 'x'>]>"
numbers = iter(range(40_000_000_000, 50_000_000_000))


def xml(content: str = "", *, before: str = "", more: str = "") -> bytes:
    """A message, with something bad in it."""
    now = int(clock.now().timestamp())
    return (
        f"{before}<xml><ToUserName>gh_drill</ToUserName><FromUserName>oDrill</FromUserName><CreateTime>{now}</CreateTime>"
        f"<MsgType>text</MsgType><Content>{content}</Content><MsgId>{next(numbers)}</MsgId>{more}</xml>"
    ).encode()


def messages() -> dict[str, Callable[[], bytes]]:
    """Bombs as the text of a message, small enough to be looked at."""
    fields = json.dumps({"ToUserName": "gh", "FromUserName": "oDrill", "CreateTime": 1, "MsgType": "text"})[:-1]
    return {
        "billion laughs": lambda: xml("&i;", before=LAUGHS),
        "quadratic": lambda: xml("&a;" * 10000, before=QUADRATIC),
        "external entity": lambda: xml("&x;", before=XXE),
        "an entity at all": lambda: xml("&x;", before=ENTITY),
        "deep": lambda: xml(more="<a>" * 8000 + "</a>" * 8000),
        "wide": lambda: xml(more="<a/>" * 14000),
        "MsgType twice": lambda: xml(more="<MsgType>event</MsgType>"),
        "deep JSON": lambda: b'{"a":' * 11000 + b"1" + b"}" * 11000,
        "deep JSON list": lambda: b'{"a":' + b"[" * 60000,
        "NaN": lambda: (fields + f', "MsgId": {next(numbers)}, "Location_X": NaN}}').encode(),
        "name twice in JSON": lambda: (fields + f', "MsgType": "event", "MsgId": {next(numbers)}}}').encode(),
    }


def big(of: bytes, number: int) -> Callable[[], bytes]:
    return lambda: of * number


def callbacks(there: dict[str, Sender]) -> Iterator[Bomb]:
    """At the callback path as they are, and inside an envelope that is right in every other way."""
    kinds = messages()
    raw: dict[str, Callable[[], Iterable[bytes] | bytes]] = {
        **kinds,
        "200k deep": big(b"<a>", 200_000),
        "300k wide": big(b"<a/>", 300_000),
        "10 MB": big(b"x" * 1024, 10 * 1024),
        "endless": lambda: endless(b"<a>" * 2048),
        "gzip": lambda: gzip.compress(b"<a>" * 1_000_000),
    }
    for name, make in raw.items():
        yield Bomb(name, "callback", lambda make=make: signed(there["official"], make()))
    for name, make in kinds.items():
        yield Bomb(name, "callback, sealed", lambda make=make: sealed(there["official"], make()))


def signed(sender: Sender, body: Iterable[bytes] | bytes) -> tuple[str, dict[str, str], Iterable[bytes] | bytes]:
    """In plain mode, with a true signature: whoever reads it before refusing it has to survive it."""
    stamp, nonce = str(int(clock.now().timestamp())), "drill"
    query = f"timestamp={stamp}&nonce={nonce}&signature={sign(sender.token, stamp, nonce)}"
    return f"{sender.path}?{query}", {"Content-Type": "text/xml"}, body


def sealed(sender: Sender, inner: bytes) -> tuple[str, dict[str, str], bytes]:
    stamp, nonce, text = str(int(clock.now().timestamp())), "drill", sender.seal(inner)
    query = f"timestamp={stamp}&nonce={nonce}&encrypt_type=aes&msg_signature={sign(sender.token, stamp, nonce, text)}"
    body = f"<xml><ToUserName>gh</ToUserName><Encrypt>{text}</Encrypt></xml>"
    return f"{sender.path}?{query}", {"Content-Type": "text/xml"}, body.encode()


def endless(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


def api(token: Callable[[], str]) -> Iterator[Bomb]:
    """As the body of a repair, from somebody who may file one."""
    fields = b'"place":"D12-402","fault":"aircon","text":"x","photos":[]'
    bodies: dict[str, Callable[[], Iterable[bytes] | bytes]] = {
        "NaN": lambda: b"{" + fields + b',"quantity":NaN}',
        "1e999": lambda: b"{" + fields + b',"quantity":1e999}',
        "deep list": big(b"[", 60_000),
        "deep object": lambda: b'{"a":' * 12_000,
        "wide": lambda: json.dumps({f"k{number}": 0 for number in range(5000)}).encode(),
        "a name twice": lambda: b"{" + fields + b',"place":"D12-402"}',
        "60,000 digits": lambda: b'{"quantity":' + b"9" * 60_000 + b"}",
        "200k deep": big(b"[", 200_000),
        "10 MB": lambda: b'"' + b"a" * (10 * MB) + b'"',
        "endless": lambda: endless(b'["a",' * 1024),
        "gzip": lambda: gzip.compress(b"[" * 1_000_000),
    }
    for name, make in bodies.items():

        def request(name: str = name, make: Any = make) -> tuple[str, dict[str, str], Any]:
            headers = {
                "Authorization": f"Bearer {token()}",
                "Content-Type": "application/json",
                "Idempotency-Key": "drill-bomb",
            }
            return "/api/v1/repairs", headers | ({"Content-Encoding": "gzip"} if name == "gzip" else {}), make()

        yield Bomb(name, "API", request)


def photos(token: Callable[[], str], chance: random.Random) -> Iterator[Bomb]:
    """As a photo."""
    noise = chance.randbytes(MB)
    bodies: dict[str, Callable[[], Iterable[bytes] | bytes]] = {
        "30k × 30k PNG": lambda: png(30_000, 30_000),
        "65k × 65k JPEG": lambda: jpeg(65_500, 65_500),
        "packed text of 64 MB in a PNG": lambda: png(8, 8, (b"zTXt", b"x\0\0" + zlib.compress(bytes(64 * MB), 9))),
        "packed profile of 64 MB in a PNG": lambda: png(8, 8, (b"iCCP", b"x\0\0" + zlib.compress(bytes(64 * MB), 9))),
        "PNG cut off": lambda: png(2000, 2000)[:200],
        "9 MB of noise": lambda: noise * 9,
        "11 MB": lambda: noise * 11,
        "endless": lambda: endless(b"\x89PNG" * 2048),
    }
    for name, make in bodies.items():
        made = make()
        kind = "image/jpeg" if "JPEG" in name else "image/png"

        def request(kind: str = kind, make: Any = make, made: Any = made) -> tuple[str, dict[str, str], Any]:
            headers = {"Authorization": f"Bearer {token()}", "Content-Type": kind}
            return "/api/v1/photos", headers, made if isinstance(made, bytes) else make()

        yield Bomb(name, "photo", request)


def png(width: int, height: int, *more: tuple[bytes, bytes]) -> bytes:
    """A black-and-white picture of that size: a few hundred kilobytes at most, whatever it becomes."""
    pack = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), *more, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def jpeg(width: int, height: int) -> bytes:
    """The beginning of a JPEG that says it is so large."""
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes((1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0))
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", 2 + len(frame)) + frame + b"\xff\xd9"


def workbooks(rig: Rig, token: str) -> Iterator[Bomb]:
    """As a table to import, from an operator at the console."""
    cookies = {"houqin_console": token}
    page = requests.get(f"{rig.url}/console/account", cookies=cookies, timeout=30)
    csrf = page.text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]
    cookie = "; ".join(f"{name}={value}" for name, value in {**cookies, **page.cookies.get_dict()}.items())
    files = {
        "zip bomb": workbook(bytes(512 * MB)),
        "zip bomb that lies": workbook(sheet(['<c r="A1" t="str"><v>', "a" * (128 * MB), "</v></c>"]), claims=1000),
        "wide": workbook(sheet(f'<c r="{column(n)}1"><v>1</v></c>' for n in range(1, 16000))),
        "cell at the end of the world": workbook(sheet(['<c r="XFD1048576"><v>1</v></c>'], row=1048576)),
        "billion laughs": workbook(LAUGHS.encode() + sheet(['<c r="A1" t="str"><v>&i;</v></c>'])),
        "deep": workbook(b"<a>" * 200_000),
        "not a workbook": b"PK\x03\x04" + bytes(1000),
    }
    for name, data in files.items():
        body = (
            f'--b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{csrf}\r\n'
            f'--b\r\nContent-Disposition: form-data; name="file"; filename="a.xlsx"\r\n\r\n'
        ).encode() + data + b"\r\n--b--\r\n"  # fmt: skip
        headers = {"Cookie": cookie, "Content-Type": "multipart/form-data; boundary=b"}
        yield Bomb(name, "import", lambda body=body, headers=headers: ("/console/imports/people/check", headers, body))
    fields = b"".join(b'--b\r\nContent-Disposition: form-data; name="a%d"\r\n\r\n\r\n' % n for n in range(20_000))
    headers = {"Cookie": cookie, "Content-Type": "multipart/form-data; boundary=b"}
    yield Bomb("20,000 fields", "import", lambda: ("/console/imports/people/check", headers, fields + b"--b--\r\n"))


def column(number: int) -> str:
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(65 + rest) + name
    return name


def sheet(cells: Iterable[str], row: int = 1) -> bytes:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return (
        f'<worksheet xmlns="{space}"><sheetData><row r="{row}">{"".join(cells)}</row></sheetData></worksheet>'.encode()
    )


def workbook(first: bytes, claims: int | None = None) -> bytes:
    """A workbook whose first sheet is these bytes; with `claims` it says that they are so few."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{kind}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{kind}"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{kind}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": first,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, data in parts.items():
            packed.writestr(name, data)
    data = out.getvalue()
    if claims is not None:
        data = data.replace(struct.pack("<I", len(first)), struct.pack("<I", claims))
    return data


# ---- the drill -------------------------------------------------------------------------------------------------------


def quiet_ms(tree: Tree, seconds: float = 1.0) -> float:
    """What the tree uses in a second in which nobody asks anything."""
    before = tree.cpu_ms()
    NEVER.wait(seconds)
    return (tree.cpu_ms() - before) / seconds


def drill(rig: Rig, bombs: list[Bomb], *, times: int) -> tuple[Counter[str], float, float, bool]:
    """The counts, the most CPU and the most memory any bomb took, and whether all of it is right."""
    tree, counts = (
        Tree(rig),
        Counter[str](bombs=len(bombs), requests=0, let_in=0, five_hundreds=0, too_dear=0, too_large=0),
    )
    for bomb in bombs:  # warm: what is imported or cached on the first use is not the bomb's
        send(rig, *bomb.request())
    idle, most_ms, most_mb = quiet_ms(tree), 0.0, 0.0
    for bomb in bombs:
        spent: list[float] = []
        held = tree.mb()
        tree.forget_the_peak()
        for _ in range(times):
            request = bomb.request()
            before, began = tree.cpu_ms(), clock.monotonic()
            status, sent = send(rig, *request)
            NEVER.wait(0.01)  # what it still does after the answer is its own
            spent.append(tree.cpu_ms() - before - idle * (clock.monotonic() - began))
            counts["requests"] += 1
            counts["five_hundreds"] += status >= 500
            counts["let_in"] += status < 400 and (status != 0 or sent >= MUCH)
            counts["unanswered"] += status == 0
            if status >= 500 or 0 < status < 400 or sent >= MUCH:
                print(f"  {bomb.name} at {bomb.place}: {status} after {sent} bytes")
        ms, mb = min(spent), tree.mb("VmHWM") - held
        counts["too_dear"] += ms > CPU_MS
        counts["too_large"] += mb > RSS_MB
        if ms > CPU_MS or mb > RSS_MB / 2:
            print(f"  {bomb.name} at {bomb.place}: {ms:.0f} ms, {mb:.0f} MB")
        most_ms, most_mb = max(most_ms, ms), max(most_mb, mb)
    nothing = ("let_in", "five_hundreds", "too_dear", "too_large")
    return counts, most_ms, most_mb, not any(map(counts.get, nothing))


@click.command()
@click.option("--seed", default=15, show_default=True)
@click.option("--short", is_flag=True, help="the version of `make test`")
def main(seed: int, short: bool) -> None:
    """Prints a line for the control and one for the drill; exits 0 when every count is right and the control was caught."""
    with Rig(seed=seed, workers=0, web_workers=1) as rig:
        rig.people(1)
        student, operator = kit.make_person("林小雨"), kit.make_person("周卫东", roles=("admin",), kind="staff")

        def token(person_id: int = student.id, door: str = sessions.API) -> str:
            return db.run(
                lambda s: sessions.open_session(
                    s, door=door, way="wecom", identity=None, person_id=person_id, now=clock.now(), ip="127.0.0.1",
                    agent="drill",
                )
            )  # fmt: skip

        at_callbacks = list(callbacks(doors(rig)))
        bombs = [
            *at_callbacks, *api(token), *photos(token, dice(seed)), *workbooks(rig, token(operator.id, sessions.CONSOLE)),
        ]  # fmt: skip
        counts, ms, mb, passed = drill(rig, bombs, times=5 if short else 15)
        rig.swap_web("default_parser")
        control, _, _, fooled = drill(rig, at_callbacks, times=1)
    caught = not fooled and control["let_in"] > 0
    ok = passed and caught
    print(f"control default_parser: {'caught' if caught else 'NOT CAUGHT'}: {line(control)}")
    print(
        f"K15 bombs seed={seed} {line(counts)} most_ms={ms:.0f} most_mb={mb:.1f} {'PASS' if ok else 'FAIL'}", flush=True
    )
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
