"""`forebay undrain`."""

from forebay.cli.live import ENDPOINT, Admin, AsJson, order_endpoint, told


def undrain(endpoint: ENDPOINT, *, as_json: AsJson = False, admin: Admin = None) -> None:
    """Take back a `drain`."""
    _, answer = order_endpoint("undrain", endpoint, admin, {})
    told(answer, "is no longer drained", "was not drained by an operator", as_json=as_json)
