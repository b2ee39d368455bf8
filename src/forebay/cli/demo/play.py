"""The demo as it is performed: who does what when, and what comes of it."""

import asyncio
import sys
from contextlib import ExitStack

import typer

from forebay.cli.demo.load import Client, drive
from forebay.cli.demo.screen import Lines, Picture, Screen
from forebay.cli.demo.servers import Server
from forebay.cli.demo.story import Story
from forebay.cli.output import say
from forebay.config.schema import Endpoint, Pool
from forebay.errors import ForebayError
from forebay.gateway import Gateway, Running

_RATE = 100.0  # requests a second
_LOOK = 0.1  # seconds between two looks at the gateway's counters
_OVERTIME = 5.0  # seconds that a server which was brought back late may take to serve
_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def play(seconds: float, *, plain: bool) -> int:
    """Perform the demo; returns the exit code.

    Raises:
        ForebayError: when a server or the gateway does not start.
    """
    servers = [Server(name) for name in ("a", "b", "c")]
    story = Story([server.name for server in servers], victim="b")
    interrupted = False
    with ExitStack() as stack:
        try:
            for server in servers:
                stack.enter_context(server)
            pool = Pool([Endpoint(server.address, id=server.name) for server in servers])
            gateway = Gateway(listen="127.0.0.1:0", access_log="off", shutdown_grace="1s", pools={"app": pool})
            running = stack.enter_context(gateway.start())
            say(f"{len(servers)} servers behind {running.url}, {_RATE:g} requests a second for {seconds:g} s")
            screen: Screen = Lines() if plain or not sys.stdout.isatty() else Picture()
            stack.callback(screen.close)
            asyncio.run(_perform(story, servers[1], running, screen, seconds))
        except KeyboardInterrupt:
            interrupted = True
    typer.echo("\n".join(story.verdict()))
    if interrupted:
        say("interrupted before the end")
        return _INTERRUPTED
    return 0 if story.good else 1


async def _perform(story: Story, victim: Server, running: Running, screen: Screen, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()

    def now() -> float:
        return loop.time() - start

    def going() -> bool:
        late = story.back is None and now() < seconds + _OVERTIME
        return now() < seconds or late

    async def kill_and_restart() -> None:
        await asyncio.sleep(seconds / 3)
        pid = victim.pid
        victim.kill()
        story.kill(now(), pid)
        await asyncio.sleep(2 * seconds / 3 - now())
        try:
            await asyncio.to_thread(victim.start)
        except ForebayError as error:
            say(str(error))  # the verdict then says that it did not serve again
        else:
            story.restart(now())

    async def watch() -> None:
        while True:
            story.observe(running.pools["app"].statistics(), now())
            screen.show(story, now())
            await asyncio.sleep(_LOOK)

    client = Client(running.address)
    async with asyncio.TaskGroup() as group:
        plot = group.create_task(kill_and_restart())
        watching = group.create_task(watch())
        await drive(client, _RATE, going, lambda answer: story.note(answer, now()))
        await plot
        watching.cancel()
    client.close()
    story.observe(running.pools["app"].statistics(), now())
    screen.show(story, now())
