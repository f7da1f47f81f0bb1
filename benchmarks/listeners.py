"""``python -m benchmarks.listeners``: keeps a stream open to each address on standard input, and says when all are.

A process of its own, so that what clients cost is not laid to the account of what is measured. It ends with its input.
"""

import asyncio
import sys
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
    all_open = asyncio.gather(*(ready.wait() for ready in opened))
    await asyncio.wait([asyncio.ensure_future(all_open), *streams], return_when=asyncio.FIRST_COMPLETED)
    assert all_open.done(), "a stream was refused"
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
