"""Measure, print, and write ``docs/performance.md``: ``python -m benchmarks [NAME…]``, as root, half an hour for all.

What is named alone takes the place of its older figures on the page. The page is written after each section, so a run
that is stopped keeps what it measured.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from benchmarks import causes, cold_start, first_packet, one_diagnostic, restart, side_by_side, storm, triage_cost
from benchmarks.figures import PAGE, Section, with_section

MEASURED: Mapping[str, Callable[[], Iterator[Section]]] = {
    "side_by_side": side_by_side.measure,
    "first_packet": first_packet.measure,
    "one_diagnostic": one_diagnostic.measure,
    "triage_cost": triage_cost.measure,
    "storm": storm.measure,
    "causes": causes.measure,
    "restart": restart.measure,
    "cold_start": cold_start.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(MEASURED)))
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), default=PAGE, help="Where the figures go.")
def main(names: Sequence[str], page: Path) -> None:
    """Measure all of it, or what is named, and write the page."""
    failed = []
    for name in names or MEASURED:
        try:
            for section in MEASURED[name]():
                text = section.markdown()
                print(text, flush=True)
                page.write_text(with_section(page.read_text() if page.exists() else "", text))
        except Exception:  # the others are measured all the same
            traceback.print_exc()
            failed.append(name)
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}; {page} keeps what it had of them")


if __name__ == "__main__":
    main()
