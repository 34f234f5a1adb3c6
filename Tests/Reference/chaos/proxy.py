#!/usr/bin/env python3
"""Passes TCP connections on, and flips a bit now and then in what goes towards the far end while it is told to.

usage: proxy.py LISTEN_HOST:PORT=HOST:PORT...
A line "LISTEN_HOST SEED" on the standard input begins to flip bits of what comes to that address, "LISTEN_HOST" ends it.
"""

import asyncio
import random
import sys

BLOCK = 1 << 18
# Of the blocks that pass while bits are flipped, this part is hit.
PART = 0.05

damages = {}


async def pass_on(reader, writer, host):
    try:
        while block := await reader.read(BLOCK):
            rng = damages.get(host)
            if rng and rng.random() < PART:
                block = bytearray(block)
                block[rng.randrange(len(block))] ^= 1 << rng.randrange(8)
            writer.write(block)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def serve(pair):
    (host, port), way = (address.rsplit(":", 1) for address in pair.split("="))

    async def connected(reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection(*way)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pass_on(reader, far_writer, host), pass_on(far_reader, writer, None))

    return await asyncio.start_server(connected, host, int(port))


async def main():
    servers = [await serve(pair) for pair in sys.argv[1:]]
    print("ready", flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := (await commands.readline()).split():
        host, *seed = line
        damages[host.decode()] = random.Random(int(seed[0])) if seed else None
    for server in servers:
        server.close()


asyncio.run(main())
