"""What is written in one turn of the event loop leaves together, in order, and nothing is lost."""

import asyncio

from jigap.web.corked import Corked


class Line:
    """A transport that remembers."""

    def __init__(self) -> None:
        self.left: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.left.append(data)

    def close(self) -> None:
        self.left.append("closed")

    def abort(self) -> None:
        self.left.append("aborted")

    def is_closing(self) -> bool:
        return "closed" in self.left


def corked(line: Line) -> Corked:
    return Corked(line, asyncio.get_running_loop())  # type: ignore[arg-type]


async def test_what_is_written_in_one_turn_leaves_as_one() -> None:
    line = Line()
    transport = corked(line)
    transport.write(b"head ")
    transport.write(b"body")
    assert line.left == []
    await asyncio.sleep(0)
    assert line.left == [b"head body"]
    transport.write(b"more")
    await asyncio.sleep(0)
    assert line.left == [b"head body", b"more"]


async def test_closing_lets_out_what_was_written() -> None:
    line = Line()
    transport = corked(line)
    transport.write(b"last words")
    transport.close()
    assert line.left == [b"last words", "closed"]
    assert transport.is_closing()
    await asyncio.sleep(0)
    assert line.left == [b"last words", "closed"]


async def test_everything_else_is_the_transports_own() -> None:
    line = Line()
    corked(line).abort()
    assert line.left == ["aborted"]
