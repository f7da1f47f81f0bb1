"""``python -m benchmarks.listeners``: opens a stream to each URL on standard input and prints "open" when all are.

It is a separate process, so that the cost of the clients is not measured. It ends when its input ends.
"""

import asyncio
import sys
from typing import Any
from urllib.parse import urlsplit


async def listen(url: str, gate: asyncio.Semaphore, ready: asyncio.Event) -> None:
    async with gate:
        where = urlsplit(url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(f"GET {where.path}?{where.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = await reader.readline()
        assert b" 200 " in answer, answer
        ready.set()
    while await reader.read(65536):
        pass


async def main(count: int) -> None:
    urls = [sys.stdin.readline().strip() for _ in range(count)]
    gate = asyncio.Semaphore(50)
    opened = [asyncio.Event() for _ in urls]
    streams = [asyncio.create_task(listen(url, gate, ready)) for url, ready in zip(urls, opened, strict=True)]
    all_open: asyncio.Future[Any] = asyncio.gather(*(ready.wait() for ready in opened))
    first: list[asyncio.Future[Any]] = [all_open, *streams]
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    assert all_open.done(), "a stream was refused"
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
