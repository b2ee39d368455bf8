"""`forebay enable`."""

from forebay.cli.live import ENDPOINT, Admin, AsJson, order_endpoint, told


def enable(endpoint: ENDPOINT, *, as_json: AsJson = False, admin: Admin = None) -> None:
    """Take back a `disable`."""
    _, answer = order_endpoint("enable", endpoint, admin, {})
    told(answer, "is enabled", "was not disabled", as_json=as_json)
