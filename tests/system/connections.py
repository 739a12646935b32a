"""What the asyncio servers of the tests do with their connections."""

import asyncio


class Connections:
    """Answers the requests of each connection one after the other, with `_answered`, until that returns false."""

    def __init__(self):
        self._open = set()

    async def listen(self):
        """Listens on a free port, which it returns."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def close(self):
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader, writer):
        task = asyncio.current_task()
        self._open.add(task)
        try:
            while await self._answered(reader, writer):
                await writer.drain()
        except (OSError, EOFError):
            # The other side closed the connection or was killed.
            pass
        finally:
            self._open.discard(task)
            writer.close()
