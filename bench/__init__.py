"""Same-run comparisons of Forebay with nginx, HAProxy and Caddy; `python -m bench --help` names the rows."""
