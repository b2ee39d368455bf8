"""Discovery: what the names, services and files that a configuration mentions come to at present.

answers    what a source can answer
holding    what is held of it then: the rules
dns system files     the sources
memory     what is kept over a restart
entry discovery      all of it together, as the loop uses it
"""

from forebay.control.discovery.discovery import Discovery
from forebay.control.discovery.memory import FILE, Memory

__all__ = ["FILE", "Discovery", "Memory"]
