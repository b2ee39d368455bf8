"""`forebay reload`."""

from pathlib import Path
from typing import Annotated

import typer

from forebay.admin.client import find
from forebay.cli.live import Admin, AsJson
from forebay.cli.plan import apply


def reload(
    config: Annotated[
        str | None, typer.Argument(metavar="CONFIG", help="A TOML file to read this once; the gateway's own file or module unless given.")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, or what is at fault; change nothing.")] = False,
    as_json: AsJson = False,
    admin: Admin = None,
) -> None:
    """Have a running gateway read its configuration again. What is the same in both is not touched; a fault changes nothing."""
    body = {} if config is None else {"file": str(Path(config).absolute())}
    apply("/reload", body, find(admin), dry_run=dry_run, as_json=as_json)
