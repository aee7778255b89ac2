"""Comments that can be checked are checked: shared text, quotes, shapes.

Each check is also fed what it must refuse.
"""

import ast
import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nn_parity import crew, inputs, registry
from nn_parity.blocks import blocks
from parity_tests import quotes, shape_comments
from parity_tests.conftest import INSTALLED

ROOT = Path(__file__).parent.parent
SECTIONS = ("Source", "Equations", "Shapes")
SCRATCH = {path.stem: path for path in sorted((ROOT / "scratch").glob("*.py"))}
NETWORKS = [name for name in registry.networks() if name in SCRATCH]


def source(package, module):
    return (ROOT / package / f"{module}.py").read_text(encoding="utf-8")


# -- Source, Equations, Shapes -----------------------------------------------------------


def shared_block(text):
    """The three sections of a network's docstring, as they stand there."""
    doc = ast.get_docstring(ast.parse(text), clean=False)
    titled = re.split(r"\n(?=[^\n]+\n-{3,}\n)", doc)
    titles = [section.split("\n")[0] for section in titled]
    first = titles.index("Source")
    if tuple(titles[first : first + 3]) != SECTIONS:
        raise ValueError(f"sections are {titles}")
    return "\n".join(titled[first : first + 3]).rstrip()


def test_there_are_networks_to_check():
    assert NETWORKS


@pytest.mark.parametrize("network", NETWORKS)
def test_source_equations_and_shapes_are_word_for_word_the_same(network):
    block = shared_block(source("scratch", network))
    for package in registry.PACKAGES.values():
        assert shared_block(source(package, network)) == block, package


@pytest.mark.parametrize("network", NETWORKS)
def test_a_block_that_differs_in_one_character_is_seen(network):
    text = source("scratch", network)
    block = shared_block(text)
    start = text.index(block)
    for at in range(start, start + len(block), 53):
        changed = text[:at] + "~" + text[at + 1 :]
        try:
            seen = shared_block(changed)
        except ValueError:  # a heading that is no heading any more
            continue
        assert seen != block


# -- quotes ------------------------------------------------------------------------------


@pytest.mark.parametrize("module", SCRATCH)
def test_backward_quotes_forward_bottom_to_top(module):
    assert quotes.complaints(source("scratch", module), f"{module}.py") == []


QUOTED = '''
def forward(x, W, b):
    """Forward."""
    hs, cache = [], (x, W)
    activate = TABLE["tanh"]     # not differentiated
    for t in range(3):
        z = np.dot(x, W)         # (B, N)  (1)
        z += b
        h, c = cell(
            z,  # the sum
            t)
        hs.append(h)
    outputs["h"] = h
    return outputs, cache


def backward(dh, cache):
    x, W = cache
    for t in range(3):
        # h, c = cell(
        #     z,
        #     t)
        dz = dcell(dh)
        # several examples share b: gradients add
        # z += b
        db = dz.sum(axis=0)
        # z = np.dot(x, W)
        dW = x.T @ dz
    return dW, db
'''

BROKEN_QUOTES = {
    "deleted": ("        # z += b\n", ""),
    "deleted with its adjoint": ("        # z += b\n        db = dz.sum(axis=0)\n", ""),
    "doubled": (
        "        # z += b\n",
        "        # z += b\n        dz = 2\n        # z += b\n",
    ),
    "doubled in place": ("        # z += b\n", "        # z += b\n        # z += b\n"),
    "altered": ("# z = np.dot(x, W)", "# z = np.dot(W, x)"),
    "altered in spelling": ("# z += b", "# z  += b"),
    "a line of it missing": ("        #     z,\n", ""),
    "with its comment": ("# z = np.dot(x, W)", "# z = np.dot(x, W)  (1)"),
    "out of order": (
        "        # z += b\n        db = dz.sum(axis=0)\n"
        "        # z = np.dot(x, W)\n        dW = x.T @ dz\n",
        "        # z = np.dot(x, W)\n        dW = x.T @ dz\n"
        "        # z += b\n        db = dz.sum(axis=0)\n",
    ),
    "without an adjoint": ("        db = dz.sum(axis=0)\n", ""),
    "with a blank line instead": ("        db = dz.sum(axis=0)\n", "\n"),
    "with pass for an adjoint": ("        dW = x.T @ dz\n", "        pass\n"),
    "at the end": ("        dW = x.T @ dz\n    return dW, db\n", ""),
    "under an adjoint of another block": ("        dW = x.T @ dz\n", ""),
    "of something never said": (
        "    x, W = cache\n",
        "    # y = x\n    x, W = cache\n",
    ),
    "an unquoted line": ("        z += b\n", "        z += b\n        z = 2 * z\n"),
    "an unquoted augmented line": (
        "        z += b\n",
        "        z += b\n        z *= 2\n",
    ),
    "an unquoted annotated line": (
        "    outputs[",
        "    y: float = 2 * h\n    outputs[",
    ),
    "an unquoted branch": ("    outputs[", "    if x:\n        y = h\n    outputs["),
    "an array entry": ("    outputs[", "    hs[:, t] = h\n    outputs["),
    "a call with out=": ("    outputs[", "    np.tanh(h, out=h)\n    outputs["),
    "a return that computes": ("return outputs, cache", "return 2 * h, cache"),
    "a walrus": ("return outputs, cache", "(y := h)\n    return outputs, cache"),
    "a function inside": ("    outputs[", "    def f(x):\n        pass\n    outputs["),
    "a lost mark": ("# not differentiated", "# a table"),
    "no counterpart": ("def backward(dh, cache):", "def back(dh, cache):"),
    "no forward": ("def forward(x, W, b):", "def forwards(x, W, b):"),
}


def test_quotes_that_hold_are_accepted():
    assert quotes.complaints(QUOTED) == []


@pytest.mark.parametrize("what", BROKEN_QUOTES)
def test_a_broken_quote_is_found(what):
    old, new = BROKEN_QUOTES[what]
    assert QUOTED.count(old) == 1
    assert quotes.complaints(QUOTED.replace(old, new))


@pytest.mark.parametrize("module", SCRATCH)
def test_every_quote_of_scratch_is_needed(module):
    lines = source("scratch", module).splitlines(keepends=True)
    for number, line in enumerate(lines):
        if re.match(r"\s+# [\w, \[\]\"{}]+ [-+*/|]?= ", line):
            without = "".join(lines[:number] + lines[number + 1 :])
            assert quotes.complaints(without), f"{module}.py:{number + 1}"
            twice = "".join(lines[: number + 1] + lines[number:])
            assert quotes.complaints(twice), f"{module}.py:{number + 1}"


# -- shapes ------------------------------------------------------------------------------


@pytest.mark.parametrize("package", registry.PACKAGES.values())
def test_every_shape_comment_stands_on_an_assignment(package):
    assert shape_comments.complaints(ROOT, package) == []


@pytest.mark.parametrize("framework", INSTALLED)
def test_shape_comments_hold_and_every_one_is_reached(framework, tmp_path):
    """In a process of its own: the hook works on first import, and so do the frameworks."""
    report = tmp_path / "report.json"
    drive = (
        "import sys; from parity_tests.test_comments import drive; drive(*sys.argv[1:])"
    )
    run = subprocess.run(
        [sys.executable, "-c", drive, framework, report],
        cwd=ROOT,
        env=crew.environment(1, tmp_path),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert json.loads(report.read_text()) == {"lies": [], "unreached": []}


def drive(framework, report):
    """Run every tiny case of every network in one framework, its comments switched on."""
    package = registry.PACKAGES[framework]
    shape_comments.install(package)
    if framework == "jax":
        never_compile()
    for network in NETWORKS:
        first, *others = registry.spec(network).cases
        others += [case for case in blocks() if case.network == network]
        for case in (first, *others):
            # a layer that this network borrows from another one has letters of its own
            shape_comments.sizes.clear()
            shape_comments.sizes[f"{package}/{network}.py"] = case.sizes
            adapter = registry.build(framework, case, dtype="float64")
            exercise(adapter, case, wholly=case is first)
    found = {
        "lies": shape_comments.lies,
        "unreached": shape_comments.unreached(ROOT, package),
    }
    Path(report).write_text(json.dumps(found))


def never_compile():
    """From now on `jax.jit` traces a function, which knows all shapes, and returns zeros."""
    import jax
    import jax.numpy as jnp

    class Traced:
        def __init__(self, function, static_argnames=(), **_):
            names = static_argnames
            self.function, self.static = (
                function,
                {names} if isinstance(names, str) else names,
            )

        def eval_shape(self, *args, **named):
            fixed = {name: named.pop(name) for name in self.static if name in named}
            return jax.eval_shape(
                functools.partial(self.function, **fixed), *args, **named
            )

        def __call__(self, *args, **named):
            shapes = self.eval_shape(*args, **named)
            return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)

    jax.jit = Traced


def exercise(adapter, case, *, wholly):
    """Load, differentiate and train a step; wholly: everything that an adapter does."""
    given = inputs.of(case)
    data, order = given.train, np.arange(len(given.train["x"]))
    noise = inputs.noise(case, len(order), epoch=0)
    batch = data | noise
    adapter.load(given.params, given.state)
    adapter.losses_and_grads(batch)
    if "steps" in case.tiers:
        adapter.step(batch, lr=0.1)
    if wholly:
        for train in (True, False):
            adapter.forward(batch, train=train)
        for variant in ("idiomatic", "lean"):
            adapter.run_epoch(data, order, noise, 0.1, variant=variant)
        if registry.spec(case.network).generates:
            adapter.generate({n: a for n, a in data.items() if not n.startswith("y")})


def run(text, path="sample.py"):
    """Execute a text with its promises as checks; lines that were reached."""
    tree = shape_comments.instrument(text, path)
    shape_comments.reached.clear()
    names = {"np": np, shape_comments.NEW_LETTERS: shape_comments.Letters}
    exec(compile(tree, path, "exec"), names)
    return {where.split(":")[1] for where in shape_comments.reached}


@pytest.fixture(autouse=True)
def clean_slate():
    for record in (shape_comments.reached, shape_comments.lies, shape_comments.sizes):
        record.clear()


HOLDS = {
    "plain": "z = np.ones((3, 8))  # (B, 4H)  (1)",
    "annotated": "z: object = np.ones((3, 8))  # (B, 2*H)",
    "augmented": "z = np.ones((3, 8)); z += 1  # (B, H)",
    "chained": "a = b = np.ones((3, 8))  # (B, H)",
    "each of a tuple": "a, b = np.ones((2, 3, 8))  # (B, H) each",
    "each of a list": "xs = [np.ones(n) for n in (3, 3)]  # (H,) each",
    "each of a dict": "xs = {'a': np.ones(3)}  # (H,) each",
    "the first of several": "a, b = np.ones((3, 8)), None  # (B, H)",
    "one by one": "(a, b), _ = (np.ones(2), np.ones((2, 4))), 3  # (H,), (H, 2H)",
    "an entry": "d = {}; d['W'] = np.ones((3, 8))  # (D, H)",
    "a slice": "a = np.ones((3, 8)); a[:, 0] = 1  # (B,)",
    "sum and difference": "z = np.ones((7, 5))  # (T+1, T-1)",
    "quotient": "z = np.ones((6, 3))  # (H, H/2)",
    "parentheses": "z = np.ones((6, 8))  # (T, 2*(T-2))",
    "scalar": "z = 3.0  # ()",
    "numbers": "z = np.ones((1, 8))  # (1, 8)",
    "out=": "y = np.ones((2, 2)); z = np.dot(y, y, out=np.empty((2, 2)))  # (B, B)",
    "begun on the first line": "z = np.ones(  # (B, H)\n    (3, 8))",
    "ended on the last line": "z = np.ones(\n    (3, 8))  # (B, H)",
    "in a branch": "if True: z = np.ones(3)  # (H,)",
}
TRUE_LATER = """
def f():
    flat = np.ones((6, 2))  # (B*T, D)
    y = np.ones(3)          # (B,)
f()
"""
LOOP = """
def f():
    b = np.ones(4)              # (B,)
    for n in (2, 3):
        z = np.ones((4, n))     # (B, N)
        w = np.ones((n, 2*n))   # (N, 2N)
f()
"""
NESTED = """
def f(x):
    y = x + 1                   # (B, H)
    def g(x):
        z = x.T                 # (B, H)
        return z
    return (lambda u: g(u))(y)
f(np.ones((3, 8)))
"""


@pytest.mark.parametrize("what", HOLDS)
def test_a_true_shape_is_reached(what):
    assert len(run(HOLDS[what])) == 1


def test_letters_belong_to_a_call_and_to_a_turn_of_a_loop():
    assert run(TRUE_LATER) == {"3", "4"}
    assert run(LOOP) == {"3", "5", "6"}
    assert run(NESTED) == {"3", "5"}


LIES = {
    "a wrong axis": "z = np.ones((3, 9))  # (B, 4H)",
    "swapped axes": "z = np.ones((3, 8)); y = z.T  # (B, H)\nx = z  # (B, H)\nx = z  # (H, B)",
    "a missing axis": "z = np.ones((3, 8))  # (B, T, H)",
    "no array": "z = 'abc'  # (B,)",
    "one of each": "a, b = np.ones((3, 8)), np.ones((3, 7))  # (B, H) each",
    "the second of two": "a, b = np.ones(3), np.ones(4)  # (H,), (H,)",
    "one item of each": "xs = [np.ones(n) for n in (3, 4)]  # (H,) each",
    "an augmented target": "z = np.ones(3); y = np.ones(4)  # (H,)\nz += 1  # (H,)",
    "an odd half": "z = np.ones((5, 3))  # (H, H/2)",
    "a difference": "z = np.ones((7, 7))  # (T, T-1)",
    "a number": "z = np.ones((3, 8))  # (1, H)",
    "nothing but numbers": "z = np.ones((3, 8))  # (3, 7)",
    "a product, found out later": TRUE_LATER.replace("ones(3)", "ones(4)"),
    "a letter from before the loop": LOOP.replace("(4, n)", "(n, n)"),
    "a letter within a turn": LOOP.replace("(n, 2*n)", "(n, n)"),
    "in a nested function": NESTED.replace("z = x.T  ", "z = x.T[0]"),
}


@pytest.mark.parametrize("what", LIES)
def test_a_false_shape_is_found(what):
    with pytest.raises(shape_comments.ShapeError):
        run(LIES[what])
    assert len(shape_comments.lies) == 1


def test_a_letter_is_the_size_that_is_given():
    text = "x = np.ones((3, 8))  # (B, D)"
    shape_comments.sizes["sample.py"] = {"D": 8, "H": (4, 5)}
    assert run(text) == {"1"}
    with pytest.raises(shape_comments.ShapeError):
        run(text.replace("(B, D)", "(D, B)"))


def test_a_symbolic_batch_fits_everything():
    symbol = "type('Symbol', (), {'shape': (None, 8)})()"
    assert run(f"x = {symbol}  # (B, H)\ny = np.ones(3)  # (B,)") == {"1", "2"}
    with pytest.raises(shape_comments.ShapeError):
        run(f"x = {symbol}  # (B, H)\ny = np.ones(9)  # (H,)")


MALFORMED = {
    "no comma": "z = x  # (B)",
    "a small letter": "z = x  # (B, 4h)",
    "a product without a sign": "z = x  # (BT, D)",
    "a word": "z = x  # (batch, H)",
    "a power": "z = x  # (B, T**2)",
    "a division by zero": "z = x  # (B, T/0)",
    "never closed": "z = x  # (B, H",
    "blanks for commas": "z = x  # (B H)",
    "two without a comma": "z = x  # (B, H) (H, B)",
    "more shapes than targets": "z = x  # (B, H), (H, B)",
    "several shapes each": "a, b = x  # (B, H), (H, B) each",
    "a starred target": "a, *b = x  # (B, H) each",
    "a target that calls": "z[f()] = x  # (B, H)",
    "behind words": "z = x  # hidden (B, H)",
    "on a return": "def f(x):\n    return x  # (B, H)",
    "on a bare annotation": "z: object  # (B, H)",
    "on an expression": "print(1)  # (B, H)",
    "on a line of its own": "# (B, H)\nz = x",
    "in the middle of an assignment": "z = f(\n    1,  # (B, H)\n    2)",
    "twice": "z = f(  # (B, H)\n    2)  # (B, H)",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_comment_that_only_looks_like_a_shape_is_found(what):
    _, complaints = shape_comments.read(MALFORMED[what], "sample.py")
    assert len(complaints) == 1


@pytest.mark.parametrize(
    "comment",
    ["(1)", "(1)-(5)", "(2), (3)", "(outputs, batch) -> scalar", "f (1)", "why"],
)
def test_other_comments_are_left_alone(comment):
    assert shape_comments.read(f"z = x  # {comment}", "sample.py") == ({}, [])


def test_what_never_ran_is_listed(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "module.py").write_text("def f(x):\n    z = x  # (B, H)\n    return z\n")
    (listed,) = shape_comments.unreached(tmp_path, "package")
    assert listed == "package/module.py:2: # (B, H)"


def test_an_empty_each_reaches_nothing():
    assert run("xs = []  # (B, H) each") == set()


def test_the_hook_refuses_to_come_late():
    with pytest.raises(RuntimeError, match="parity_tests"):
        shape_comments.install("parity_tests")


@pytest.mark.parametrize("network", NETWORKS)
def test_swapping_any_two_axes_in_scratch_is_found(network):
    """The checks are strict enough: no shape comment of a network could say otherwise."""
    text, path = source("scratch", network), f"scratch/{network}.py"
    promises, _ = shape_comments.read(text, path)
    case = registry.spec(network).cases[0]
    lines = text.splitlines()
    for (number, _), promise in promises.items():
        axes = [axis.text for axis in promise.shapes[0]]
        if len(axes) < 2:
            continue
        was, now = ", ".join(axes), ", ".join([axes[1], axes[0], *axes[2:]])
        changed = lines[number - 1].replace(f"# ({was})", f"# ({now})")
        assert changed != lines[number - 1]
        mutant = "\n".join(lines[: number - 1] + [changed] + lines[number:])
        with pytest.raises(shape_comments.ShapeError):
            imitate(mutant, path, case)


def imitate(text, path, case):
    """Run a case on the text of a network of scratch."""
    from types import ModuleType

    from scratch.adapter import Adapter

    shape_comments.sizes[path] = case.sizes
    module = ModuleType(Path(path).stem)
    setattr(module, shape_comments.NEW_LETTERS, shape_comments.Letters)
    exec(compile(shape_comments.instrument(text, path), path, "exec"), vars(module))
    adapter = Adapter(module, case.sizes, case.recipe, dtype="float64")
    exercise(adapter, case, wholly=True)
