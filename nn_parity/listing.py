"""What there is: networks, experiments, frameworks, data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape

from nn_parity import experiments, registry, settings

if TYPE_CHECKING:
    from rich.table import Table


def everything() -> dict[str, Any]:
    """Return all of it as plain data; imports no framework."""
    from nn_parity import datasets

    return {
        "networks": {
            name: [case.name for case in registry.spec(name).cases]
            for name in registry.networks()
        },
        "experiments": {
            e.name: {
                "network": e.network,
                "about": e.about,
                "datasets": [part.dataset for part in e.parts],
                "settable": settings.settable(registry.spec(e.network).takes),
            }
            for e in experiments.EXPERIMENTS.values()
        },
        "frameworks": {name: _framework(name) for name in registry.ALL},
        "datasets": datasets.status(verify=False),
    }


def _framework(name: str) -> dict[str, Any]:
    absent = registry.missing(name)
    state: dict[str, Any] = {
        "installed": not absent,
        "versions": registry.versions(name),
    }
    if absent:
        state["install"] = registry.install_line(name)
    return state


def terminal() -> list[Table]:
    """Return four rich tables."""
    every = everything()
    frameworks = _table("Frameworks", "framework", "status")
    for name, state in every["frameworks"].items():
        found = ", ".join(f"{n} {v}" for n, v in state["versions"].items())
        status = found if state["installed"] else f"not installed: {state['install']}"
        named = " (if named)" if name in registry.BACKENDS else ""
        frameworks.add_row(name + named, escape(status))
    networks = _table("Networks (nn-parity show, parity)", "network", "tiny cases")
    for name, cases in every["networks"].items():
        networks.add_row(name, ", ".join(cases))
    listed = _table(
        "Experiments (nn-parity compare)",
        "experiment",
        "network",
        "data",
        "what it shows",
    )
    for name, e in every["experiments"].items():
        data = ", ".join(dict.fromkeys(e["datasets"]))
        star = " (default)" if name == experiments.DEFAULT else ""
        listed.add_row(name + star, e["network"], data, e["about"])
    return [frameworks, networks, listed, data_table()]


def data_table(*, verify: bool = False) -> Table:
    """Return the data sets as a rich table; ``verify`` reads the files in full."""
    from nn_parity import datasets

    table = _table("Data sets", "data set", "kind", "found", "where, or how to get it")
    for row in datasets.status(verify=verify):
        where = row["problem"] or (row["where"] if row["found"] else row["get"])
        table.add_row(
            row["name"],
            row["kind"],
            "yes" if row["found"] else "no",
            escape(str(where)),
        )
    return table


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
