"""The command line. One verb a file; data goes to standard output, words to standard error.

Exit codes: 0 done, 1 the answer is no, 2 bad input, 3 the gateway cannot be reached.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from forebay.cli.check import check
from forebay.cli.demo import demo
from forebay.cli.disable import disable
from forebay.cli.drain import drain
from forebay.cli.enable import enable
from forebay.cli.endpoints import endpoints
from forebay.cli.events import events
from forebay.cli.failback import failback
from forebay.cli.hold import hold
from forebay.cli.model import model
from forebay.cli.output import complain
from forebay.cli.policies import policies
from forebay.cli.release import release
from forebay.cli.reload import reload
from forebay.cli.rollback import rollback
from forebay.cli.run import run
from forebay.cli.simulate import simulate
from forebay.cli.status import status
from forebay.cli.undrain import undrain
from forebay.cli.upgrade import upgrade
from forebay.cli.version import version
from forebay.cli.weight import weight
from forebay.control import handover
from forebay.errors import ControlError, ForebayError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
_OFFLINE = (run, check, demo, policies, simulate, version)
_LIVE = (status, endpoints, events, drain, undrain, disable, enable, weight, failback, hold, release, reload, rollback, upgrade)
for verb in (*_OFFLINE, *_LIVE):
    app.command()(verb)
app.add_typer(model, name="model")


@app.callback()
def forebay(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=lambda wanted: wanted and _version())
    ] = False,
) -> None:
    """An HTTP gateway: load balancing and failover, decided in Python, moved by a native engine."""


def _version() -> None:
    version()
    raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    try:
        app(args=arguments, prog_name="forebay")
    except ForebayError as error:
        complain(error)
        handover.failed(str(error), os.environ)
        sys.exit(3 if isinstance(error, ControlError) else 2)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`); Python would complain again when it closes the stream.
        sys.stdout = None
        sys.exit(0)
