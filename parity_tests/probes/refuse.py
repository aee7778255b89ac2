"""Give one framework's adapter what it must refuse; print what it said, as JSON.

``python -m parity_tests.probes.refuse FRAMEWORK``
"""

import json
import sys

import numpy as np

from nn_parity import inputs, registry


def attempts(params):
    """What is wrong -> weights that are wrong in that way."""
    nan = params["W_1"].copy()
    nan[1, 2] = np.nan
    return {
        "missing": {k: v for k, v in params.items() if k != "b_2"},
        "extra": params | {"W_9": np.ones((2, 2))},
        "transposed": params | {"W_1": params["W_1"].T},
        "one bias for all": params | {"b_1": np.ones(1)},  # would broadcast
        "nan": params | {"W_1": nan},
        "inf": params | {"b_3": np.full_like(params["b_3"], np.inf)},
    }


def said(work):
    try:
        work()
    except Exception as error:  # noqa: BLE001 - its type is part of the answer
        return f"{type(error).__name__}: {error}"
    return "accepted"


def main():
    framework = sys.argv[1]
    case = registry.spec("mlp").cases[1]  # relu, Adam
    given = inputs.of(case)
    adapter = registry.build(framework, case, dtype="float64")
    adapter.load(given.params, given.state)
    answers = {
        name: said(lambda wrong=wrong: adapter.load(wrong, {}))
        for name, wrong in attempts(given.params).items()
    }
    answers["state that it has not"] = said(
        lambda: adapter.load(given.params, {"mean": np.ones(3)})
    )
    after, _ = adapter.export()
    untouched = all((after[n] == v).all() for n, v in given.params.items())
    answers["weights untouched"] = str(untouched)
    _, grads = adapter.losses_and_grads(given.train)
    answers["gradient of nothing"] = said(
        lambda: adapter.update(grads | {"W_7": np.ones(3)}, lr=0.1)
    )
    adapter.step(given.train, lr=0.1)
    state = adapter.optimizer_state()
    answers["optimizer state missing"] = said(
        lambda: adapter.load_optimizer_state({k: v for k, v in state.items() if k != "t"})
    )
    answers["optimizer state extra"] = said(
        lambda: adapter.load_optimizer_state(state | {"m/W_9": np.ones(2)})
    )
    regression = next(c for c in registry.spec("mlp").cases if c.name == "tanh-momentum")
    other = registry.build(framework, regression, dtype="float64")
    rows = inputs.of(regression)
    other.load(rows.params, rows.state)
    answers["targets of another shape"] = said(
        lambda: other.losses_and_grads(rows.train | {"y": rows.train["y"][:, :1]})
    )
    answers["exported"] = json.dumps(sorted(k for k in after))
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
