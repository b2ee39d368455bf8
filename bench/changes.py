"""Fifty changes a second among 5,000 routes: what they add to the slowest answers.

`python -m bench.changes [SECONDS]` prints the 50th, 99th and 99.9th percentile without and with changes, in turn, and what the changes add
to the last (the bound is 1 ms). The client is one process of its own with one connection, which asks 500 times a second by schedule and
counts from the moment it meant to ask, so that a pause is counted for every request that it held up.
"""

import json
import subprocess
import sys
import threading
import time

from forebay import Gateway, Pool, Route, Running

ROUTES = 5_000
CHANGES = 50  # a second
RATE = 500  # requests a second
TURNS = 3
BOUND = 1.0  # ms

_CLIENT = """
import json, socket, sys, time
host, port, seconds, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
s = socket.create_connection((host, port)); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
ask = b"GET /p4999/x HTTP/1.1\\r\\nHost: h4999.example\\r\\n\\r\\n"
took, begun = [], time.monotonic()
for turn in range(int(seconds * rate)):
    due = begun + turn / rate
    while (left := due - time.monotonic()) > 0:
        time.sleep(left)
    s.sendall(ask)
    got = s.recv(65536)
    assert got.startswith(b"HTTP/1.1 200") and got.endswith(b"4999"), got
    took.append(time.monotonic() - due)
print(json.dumps(took))
"""


def declared() -> Gateway:
    """Routes of their own host and path each, answered by the gateway itself: nothing but the change is measured."""
    routes = [Route(name=f"r{i}", match={"host": f"h{i}.example", "path": f"/p{i}/*"}, respond={"body": str(i)}) for i in range(ROUTES)]
    return Gateway(listen="127.0.0.1:0", access_log="off", routes=routes, pools={"app": Pool(["127.0.0.1:1"])})


def change(running: Running, over: threading.Event) -> int:
    """Change the body of one route after the other at the rate; returns how many were."""
    done, begun = 0, time.monotonic()
    while not over.wait(max(0.0, begun + done / CHANGES - time.monotonic())):
        config = running.gateway
        index = done % (ROUTES - 1)
        route = config.routes[index].model_copy(update={"timeout": float(1 + done)})
        running.apply(config.model_copy(update={"routes": (*config.routes[:index], route, *config.routes[index + 1 :])}))
        done += 1
    return done


def ask(running: Running, seconds: float) -> list[float]:
    """The time of each request, in ms, in order of length."""
    host, _, port = running.address.rpartition(":")
    printed = subprocess.run([sys.executable, "-c", _CLIENT, host, port, str(seconds), str(RATE)], capture_output=True, check=True).stdout
    return sorted(1000 * each for each in json.loads(printed))


def measure(running: Running, seconds: float, *, changing: bool) -> tuple[list[float], int]:
    """The percentiles 50, 99 and 99.9 in ms, and how many changes were made meanwhile."""
    over, done = threading.Event(), [0]
    thread = threading.Thread(target=lambda: done.append(change(running, over)))
    if changing:
        thread.start()
    took = ask(running, seconds)
    over.set()
    if changing:
        thread.join()
    return [took[int(share * (len(took) - 1))] for share in (0.5, 0.99, 0.999)], done[-1]


def main(seconds: float) -> int:
    """Measure in turns; returns 1 where the bound is broken."""
    added = []
    with declared().start() as running:
        for _ in range(TURNS):
            still, _ = measure(running, seconds, changing=False)
            moving, changes = measure(running, seconds, changing=True)
            added.append(moving[2] - still[2])
            print(f"ms p50/p99/p99.9: still {still[0]:.2f}/{still[1]:.2f}/{still[2]:.2f}", end=", ")
            print(f"with {changes / seconds:.0f} changes/s {moving[0]:.2f}/{moving[1]:.2f}/{moving[2]:.2f}")
    median = sorted(added)[TURNS // 2]
    print(f"added to p99.9: {median:.2f} ms (bound {BOUND:g} ms)")
    return int(median > BOUND)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
