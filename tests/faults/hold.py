"""Opens many sessions at once, and measures what they cost the server.

    python -m tests.faults.hold --sessions 200

Starts a server on loopback. The sessions speak the page's protocol. Each opens one of six pages of
the demo and keeps it open; its timers send requests like those of a browser. One more person steps
through maps: before, with the others, and after they have left. Everything runs twice, so that
growth is visible. Prints the server's memory, threads and open descriptors, and the waiting time of
that person. The exit status is 1 if a page failed or a session was refused.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.browser.server import Server
from tests.faults.page_session import PageSession

DEMO = {"network": "demo", "dataset": "demo", "layer": "conv4_4"}
PAGES = ("", "layer", "feature_map", "image", "export", "method")
_AT_A_TIME = 8
_MAPS = 8


@dataclass(frozen=True)
class Moment:
    """The state of the server at one moment.

    Attributes:
        when: the moment in words.
        memory: resident bytes.
        threads: number of threads of its process.
        descriptors: number of open descriptors.
        seconds: time until the next map of one more person is complete.
    """

    when: str
    memory: int
    threads: int
    descriptors: int
    seconds: float


@dataclass
class Findings:
    """What was measured, and what went wrong."""

    moments: list[Moment] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    opened: list[float] = field(default_factory=list)


async def one_more(port: int, findings: Findings) -> float:
    """Open a map and step to the next ones; returns the median of the seconds for a map."""
    taken = []
    async with PageSession(port) as session:
        run = await session.open("feature_map", {**DEMO, "map": "0"})
        for _ in range(_MAPS):
            run = await session.press("Next")
            taken.append(run.seconds)
            findings.troubles += run.exceptions + run.errors
    return statistics.median(taken)


async def look(when: str, server: Server, findings: Findings) -> None:
    """Record the server's state, and the waiting time of one more person."""
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    memory, threads = process.memory_info().rss, process.num_threads()
    descriptors = process.num_fds()
    seconds = await one_more(server.port, findings)
    findings.moments.append(Moment(when, memory, threads, descriptors, seconds))


@dataclass
class Party:
    """The common moments of all sessions.

    Attributes:
        door: limits how many sessions open their page at once.
        inside: set when all pages are open.
        over: set when all sessions leave.
    """

    door: asyncio.Semaphore
    inside: asyncio.Barrier
    over: asyncio.Event


async def guest(server: Server, number: int, party: Party, findings: Findings) -> None:
    """One session: opens its page, keeps it while the others come, leaves with them."""
    async with PageSession(server.port) as session:
        async with party.door:
            page = PAGES[number % len(PAGES)]
            run = await session.open(page, {**DEMO, "map": str(number % 128)})
        findings.opened.append(run.seconds)
        findings.troubles += run.exceptions + run.errors
        await party.inside.wait()
        while not party.over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(party.over.wait(), session.interval)
            for unasked in await session.look():
                findings.troubles += unasked.exceptions + unasked.errors


async def hold(server: Server, options: argparse.Namespace, findings: Findings) -> None:
    """Measure before, with and after the sessions, ``rounds`` times."""
    await one_more(server.port, findings)  # torch is loaded, the network is read
    await look("before", server, findings)
    for number in range(1, options.rounds + 1):
        party = Party(
            asyncio.Semaphore(_AT_A_TIME), asyncio.Barrier(options.sessions + 1), asyncio.Event()
        )
        guests = [
            asyncio.create_task(guest(server, n, party, findings)) for n in range(options.sessions)
        ]
        everybody = asyncio.gather(*guests, return_exceptions=True)
        await asyncio.wait(
            [everybody, asyncio.create_task(_inside(party))], return_when="FIRST_COMPLETED"
        )
        await look(f"{options.sessions} sessions, round {number}", server, findings)
        await asyncio.sleep(options.seconds)
        await look(f"after {options.seconds:.0f} s", server, findings)
        party.over.set()
        ends = await everybody
        findings.troubles += [f"a session failed: {end!r}" for end in ends if end is not None]
        await look("when they have left", server, findings)
        await asyncio.sleep(options.forgotten)
        await look(f"{options.forgotten:.0f} s later", server, findings)


async def _inside(party: Party) -> None:
    await party.inside.wait()


def run_hold(home: Path, options: argparse.Namespace) -> Findings:
    """Run the server and the sessions; returns the results."""
    home.mkdir(exist_ok=True)
    server, findings = Server(home), Findings()
    server.start()
    try:
        asyncio.run(hold(server, options, findings))
    finally:
        server.stop()
    if "Traceback" in server.log():
        findings.troubles.append(server.log()[-2000:])
    return findings


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=30, help="for which they stay (30)")
    parser.add_argument(
        "--forgotten", type=float, default=130, help="until Streamlit has forgotten them (130)"
    )
    return parser.parse_args(arguments)


def main() -> int:
    """Run and tell."""
    options = parse()
    with tempfile.TemporaryDirectory() as home:
        findings = run_hold(Path(home), options)
    print("| when | memory, MiB | threads | descriptors | next map for one more, s |")
    print("| --- | --: | --: | --: | --: |")
    for m in findings.moments:
        numbers = f"{m.memory / 2**20:,.0f} | {m.threads} | {m.descriptors} | {m.seconds:.2f}"
        print(f"| {m.when} | {numbers} |")
    if findings.opened:
        middle, most = statistics.median(findings.opened), max(findings.opened)
        print(f"\ntheir pages opened in {middle:.2f} s (median), {most:.2f} s (longest)")
    for trouble in findings.troubles[:20]:
        print(f"TROUBLE: {trouble}")
    print(f"troubles: {len(findings.troubles)}")
    return 1 if findings.troubles else 0


if __name__ == "__main__":
    sys.exit(main())
