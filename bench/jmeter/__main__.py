"""Run a plan: `python -m bench.jmeter tc1`. Needs Java and Maven; JMeter comes from its registry.

With --serve the platform only stands there with its sessions, for a JMeter of your own.
"""

import argparse
import asyncio
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import uvloop
from rich.console import Console

from bench.cases import CASES, Template
from bench.paper_figures import COLUMNS
from bench.plan import FULL
from bench.platform import running
from bench.samples import BROKEN, Samples, columns

HERE = Path(__file__).parent
#: Fetched once.
HOME = HERE / "target" / "home"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.jmeter", description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--loops", type=int, default=FULL.loops, help="requests of each client")
    parser.add_argument("--jtl", type=Path, metavar="FILE", help="keep JMeter's samples there")
    parser.add_argument("--serve", action="store_true", help="only stand there until Ctrl-C")
    asked = parser.parse_args()
    if not asked.serve and (missing := [one for one in ("java", "mvn") if not shutil.which(one)]):
        sys.exit(f"bench.jmeter: {' and '.join(missing)} must be installed (JDK 8 or later, Maven)")
    folder = Path(tempfile.mkdtemp(prefix="jigap-jmeter-"))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(asked, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(asked: argparse.Namespace, folder: Path) -> None:
    what, protection = CASES[asked.case]
    console, sessions = Console(stderr=True), folder / "sessions.csv"

    def say(text: str) -> None:
        console.print(text, style="dim", markup=False)

    if not asked.serve:
        say("fetching JMeter")
        _fetch()
    say("preparing members")
    template = Template(folder / "data")
    await template.make(FULL, say, [asked.case], loops=asked.loops)
    people = template.joining if what == "wallet" else template.holders
    sessions.write_text("".join(f"{one.token}\n" for one in people), encoding="utf-8")
    with running(template.folder, protection) as platform:
        given = {"port": platform.port, "sessions": sessions, "loops": asked.loops}
        plan = HERE / f"{asked.case}.jmx"
        options = [f"-J{name}={value}" for name, value in given.items()]
        if asked.serve:
            say(f"jmeter -n -t {plan} {' '.join(options)} -l samples.jtl")
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return
        say(f"shield {protection}, {asked.loops} requests of each client")
        jtl = folder / "samples.jtl"
        _jmeter(folder, ["-n", "-t", str(plan), *options, "-l", str(jtl)])
    if asked.jtl:
        shutil.copyfile(jtl, asked.jtl)
    _show(_samples_of(jtl))


def _fetch() -> None:
    """JMeter as its own archive would lie on disk, from the jars in Maven's registry."""
    if (HOME / "bin" / "ApacheJMeter.jar").exists():
        return
    subprocess.run(["mvn", "-B", "-q", "-f", HERE / "pom.xml", "package"], check=True)
    fetched = HERE / "target" / "fetched"
    shutil.rmtree(HOME, ignore_errors=True)
    for name in ("ext", "junit"):
        (HOME / "lib" / name).mkdir(parents=True)
    for jar in fetched.glob("*.jar"):
        is_part = jar.name.startswith("ApacheJMeter_")
        shutil.copy(jar, HOME / "lib" / ("ext" if is_part else ""))
    (config,) = fetched.glob("ApacheJMeter_config-*.jar")
    with zipfile.ZipFile(config) as archive:
        archive.extractall(HOME, [one for one in archive.namelist() if one.startswith("bin/")])
    (start,) = (one for one in fetched.glob("ApacheJMeter-*.jar"))
    shutil.copy(start, HOME / "bin" / "ApacheJMeter.jar")


def _jmeter(folder: Path, arguments: list[str]) -> None:
    jar = HOME / "bin" / "ApacheJMeter.jar"
    java = ["java", "-Xmx1g", f"-Djmeter.home={HOME}", f"-Djava.util.prefs.userRoot={folder}"]
    quiet = ["-j", str(folder / "jmeter.log"), "-Jjmeterengine.nongui.port=0"]
    done = subprocess.run(
        [*java, "-jar", str(jar), *quiet, *arguments],
        env=os.environ | {"JMETER_HOME": str(HOME)},
        stdout=sys.stderr,
    )
    if done.returncode:
        said = (folder / "jmeter.log").read_text(errors="replace")
        sys.exit(f"bench.jmeter: JMeter ended with {done.returncode}\n{said[-2000:]}")


def _samples_of(jtl: Path) -> dict[str, Samples]:
    """JMeter's samples by label."""
    found: dict[str, Samples] = {}
    with jtl.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            one = found.setdefault(row["label"], Samples())
            start_s = int(row["timeStamp"]) / 1000
            one.start_s.append(start_s)
            one.end_s.append(start_s + int(row["elapsed"]) / 1000)
            code = row["responseCode"]
            one.status.append(int(code) if code.isdigit() else BROKEN)
            one.received.append(int(row["bytes"]))
            one.sent.append(int(row["sentBytes"]))
            one.active.append(int(row["allThreads"]))
    return found


def _show(found: dict[str, Samples]) -> None:
    """The paper's columns."""
    names = ("label", "samples", "ko", "error_percent", *COLUMNS)
    print("\t".join(names))
    rows = [columns(label, [run]) for label, run in found.items()]
    for row in [*rows, columns("Total", list(found.values()))]:
        print("\t".join(f"{row[name]}" for name in names))


if __name__ == "__main__":
    main()
