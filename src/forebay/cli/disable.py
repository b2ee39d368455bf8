"""`forebay disable`."""

from forebay.cli.live import ENDPOINT, Admin, AsJson, For, Reason, length, note, order_endpoint, told


def disable(endpoint: ENDPOINT, *, reason: Reason = "", for_: For = None, as_json: AsJson = False, admin: Admin = None) -> None:
    """Send an endpoint nothing at all, clients pinned to it included. `enable` takes it back."""
    _, answer = order_endpoint("disable", endpoint, admin, note(reason, for_))
    told(answer, f"is disabled{length(for_)}", "is disabled already", as_json=as_json)
