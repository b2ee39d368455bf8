"""`forebay model`: the mathematics, printed. One verb a file."""

import typer

from forebay.cli.model.balance import balance
from forebay.cli.model.failover import failover

model = typer.Typer(no_args_is_help=True, help="Print what the mathematics says, as tables or JSON.")
model.command()(balance)
model.command()(failover)
