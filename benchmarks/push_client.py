"""What a push costs in CPU: the product's sender beside bare aiohttp, against the same local stub. PERFORMANCE A.3.

The stub is another process that answers at once. Goal: ours ≤ 3 × bare aiohttp.
`python -m benchmarks.push_client [--pushes N] [--json FILE]`.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from typing import Any

import aiohttp

from core import config, log
from core.redis import Cache
from platforms.mini import MiniProgram
from platforms.push import Sender, SubscribePush

GOAL = 3.0
DATA = {
    "character_string1": "WX260901K7Q2M9X4CD",
    "thing2": "桃李苑 12 栋 402",
    "thing3": "空调不制冷",
    "phrase4": "已派工",
}
ANSWER = b'{"errcode":0,"errmsg":"ok","msgid":200228332}'


class Stub(asyncio.Protocol):
    """Answers every request on a kept-alive connection; the path decides between a token and a send."""

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            token = b"stable_token" in head[:60]
            self.buffer = self.buffer[end + 4 + length :]
            body = b'{"access_token":"T","expires_in":7200}' if token else ANSWER
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )


def serve(port: Any) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def bare(base: str, pushes: int) -> float:
    """CPU seconds of this process for so many posts with nothing around them, 64 in flight."""
    body = json.dumps({"touser": "o" * 28, "template_id": "t" * 43, "data": DATA}, ensure_ascii=False).encode()
    url = f"{base}/cgi-bin/message/subscribe/send?access_token=T"
    left = iter(range(pushes))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:

        async def one_after_another() -> None:
            for _ in left:
                async with session.post(url, data=body) as answer:
                    await answer.read()

        began = time.process_time()
        await asyncio.gather(*(one_after_another() for _ in range(64)))
        return time.process_time() - began


async def ours(base: str, pushes: int) -> float:
    """CPU seconds of this process for so many pushes through the sender, 64 in flight."""
    section = config.MiniProgram(app_id="wx", app_secret="s", token="t", aes_key="a" * 43, api_base=base)
    mini = MiniProgram(section, Cache("unix:///nonexistent"))
    left = iter(range(pushes))
    async with Sender(mini=mini) as sender:
        push = SubscribePush("o" * 28, "t" * 43, DATA)

        async def one_after_another() -> None:
            for _ in left:
                await sender.send(push)

        await sender.send(push)
        began = time.process_time()
        await asyncio.gather(*(one_after_another() for _ in range(64)))
        return time.process_time() - began


def rows(pushes: int = 5000, rounds: int = 5) -> list[dict[str, Any]]:
    """The comparison as rows of the benchmarks' common form; the ways take turns, medians count."""
    log.set_up(level="ERROR")
    queue: Any = multiprocessing.Queue()
    stub = multiprocessing.Process(target=serve, args=(queue,), daemon=True)
    stub.start()
    base = f"http://127.0.0.1:{queue.get(timeout=10)}"
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    try:
        for _ in range(rounds):
            times["bare"].append(asyncio.run(bare(base, pushes)) / pushes * 1e6)
            times["ours"].append(asyncio.run(ours(base, pushes)) / pushes * 1e6)
    finally:
        stub.terminate()
        stub.join()
    mine, theirs = statistics.median(times["ours"]), statistics.median(times["bare"])
    row = {"name": "push CPU µs", "ours": round(mine, 1), "against": round(theirs, 1), "ratio": round(mine / theirs, 2)}
    return [row | {"goal": GOAL, "met": mine <= GOAL * theirs}]


def main() -> None:
    """Prints the table; with --json FILE writes the rows too."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pushes", type=int, default=5000)
    options.add_argument("--json")
    chosen = options.parse_args()
    found = rows(chosen.pushes)
    for row in found:
        print("  ".join(f"{name}: {value}" for name, value in row.items()))
    if chosen.json:
        with open(chosen.json, "w", encoding="utf-8") as file:
            json.dump(found, file)


if __name__ == "__main__":
    main()
