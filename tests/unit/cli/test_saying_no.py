"""A refusal on the command line is one line and status 1; a bug is not hidden."""

import asyncio
import os
import signal
import socket

import pytest
import typer
from typer.testing import CliRunner

from jigap.cli.failure import CommandFailed, RefusingGroup, line
from jigap.cli.listening import AddressUnusable, listen, url_of
from jigap.cli.serving import raise_refusal, run, until
from jigap.node.server import PortInUse

commands = typer.Typer(cls=RefusingGroup, pretty_exceptions_enable=False)


@commands.command()
def refuse() -> None:
    raise CommandFailed("It cannot\nbe done.")


@commands.command()
def crash() -> None:
    raise RuntimeError("a bug")


def test_refusal_is_one_line_on_stderr_and_status_1():
    done = CliRunner().invoke(commands, ["refuse"])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr == "jigap: It cannot be done.\n"


def test_bug_is_not_made_to_look_like_a_refusal():
    done = CliRunner().invoke(commands, ["crash"])
    assert isinstance(done.exception, RuntimeError)


def test_line_says_what_is_wrong_and_then_what_to_do():
    assert line(PortInUse("Port 5 is in use.")).startswith("jigap: Port 5 is in use. ")
    assert PortInUse.hint in line(PortInUse("Port 5 is in use."))


def test_port_in_use_is_refused():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            listen("127.0.0.1", port)
    listen("127.0.0.1", port).close()


@pytest.mark.parametrize(("host", "port"), [("203.0.113.7", 0), ("no such host", 0)])
def test_address_of_another_machine_is_refused(host: str, port: int):
    with pytest.raises(AddressUnusable):
        listen(host, port)


def test_url_names_localhost_for_loopback():
    with listen("127.0.0.1", 0) as listener:
        assert url_of(listener) == f"http://localhost:{listener.getsockname()[1]}"


def test_listening_socket_takes_connections():
    with listen("127.0.0.1", 0) as listener:
        socket.create_connection(listener.getsockname(), timeout=5).close()


async def test_refusal_inside_a_group_comes_out():
    async def part() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(refusing())

    async def refusing() -> None:
        raise CommandFailed("from deep inside")

    with pytest.raises(CommandFailed, match="from deep inside"):
        await until(asyncio.create_task(part()))


async def test_bug_inside_a_group_stays_a_bug():
    async def part() -> None:
        raise ExceptionGroup("many", [RuntimeError("a bug")])

    task = asyncio.create_task(part())
    await asyncio.wait([task])
    with pytest.raises(ExceptionGroup, match="many"):
        raise_refusal(task)


async def test_part_that_ends_by_itself_leaves_the_others_running():
    long = asyncio.create_task(asyncio.sleep(60))
    await until(long, asyncio.create_task(asyncio.sleep(0)))
    assert not long.done()
    long.cancel()


def test_signal_ends_what_was_begun_and_a_second_one_changes_nothing():
    ended: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            ended.append("in order")

    assert run(work()) is False
    assert ended == ["in order"]


def test_work_that_ends_by_itself_was_not_stopped():
    assert run(asyncio.sleep(0)) is True
