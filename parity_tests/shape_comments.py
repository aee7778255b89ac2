"""Run a package with its shape comments switched on as checks.

A comment that begins with a shape, at the end of an assignment, is a *promise* about the
target::

    z = x @ W + b                        # (B, 4H)  (1)      free text may follow
    i, f = np.split(z, 2, axis=1)        # (B, H) each       every target, every item
    (h, c), hs = lax.scan(...)           # (B, H), (B, H), (T, B, H)
    z, cache = dense_forward(...)        # (B, N)            speaks of the first target
    h = f.reshape(B * T, H // 2)         # (B*T, H/2)        + - * / and parentheses

A capital letter is one number within one call of a function; in a file that `sizes`
speaks of, it is the number given there. A letter that first occurs in the body of a loop
is one number within one turn of it: N units of *this* layer. Where Keras says None,
anything fits. A promise with a letter that is not known yet waits until a later one
settles it.

`install` adds the checks while packages are imported, `unreached` lists promises that
never came true because nothing ran them, and `complaints` lists comments that look like
a shape and promise nothing.
"""

import ast
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import io
import re
import sys
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from numbers import Number
from pathlib import Path

reached = set()  # "scratch/lstm.py:42" of every promise that was kept
lies = []  # every promise that was broken, even where someone caught the exception
sizes = {}  # "scratch/lstm.py" -> {"D": 5, ...}: what letters mean in that file
_promises = {}  # where -> Promise, of the modules imported under the hook


class ShapeError(AssertionError):
    """A shape comment does not say what is."""


class CommentError(ValueError):
    """A comment looks like a shape and cannot be one."""


# -- the grammar of one axis: 4H, T-1, H/2, B*T, 2*(T+1), 3 ------------------------------

_OPERATIONS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


@dataclass(frozen=True)
class Axis:
    """The size of one axis as an expression of letters."""

    text: str
    tree: ast.expr
    letters: frozenset[str]

    def size(self, numbers):
        """Value of the expression, a Fraction."""
        return _evaluate(self.tree, numbers)

    def solve(self, letter, numbers, size):
        """The letter's number if the axis has this size; None if that cannot be said."""
        try:
            one, two, three = (self.size(numbers | {letter: n}) for n in (1, 2, 3))
        except ZeroDivisionError:
            return None
        slope = two - one
        if slope == 0 or three - two != slope:  # the letter cancels, or occurs squared
            return None
        return 1 + (size - one) / slope


@functools.cache
def axis(text):
    """Read one axis, or raise `CommentError`."""
    product = re.sub(r"(?<![A-Z])(\d+)(?=[A-Z(])", r"\1*", text)
    try:
        tree = ast.parse(product.strip(), mode="eval").body
        letters = frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name))
        _evaluate(tree, dict.fromkeys(letters, 2))
    except (SyntaxError, CommentError, ZeroDivisionError) as error:
        raise CommentError(f"'{text.strip()}' is no size") from error
    return Axis(text.strip(), tree, letters)


def _evaluate(tree, numbers):
    match tree:
        case ast.Constant(value=int()) if not isinstance(tree.value, bool):
            return Fraction(tree.value)
        case ast.Name(id=letter) if re.fullmatch("[A-Z]", letter):
            return Fraction(numbers[letter])
        case ast.BinOp(op=op) if type(op) in _OPERATIONS:
            left, right = _evaluate(tree.left, numbers), _evaluate(tree.right, numbers)
            return _OPERATIONS[type(op)](left, right)
    raise CommentError(ast.unparse(tree))


# -- the grammar of a comment ------------------------------------------------------------


@dataclass(frozen=True)
class Promise:
    """What the comment at ``where`` says about the targets of its assignment."""

    where: str
    text: str
    shapes: tuple[tuple[Axis, ...], ...]
    each: bool


def parse(comment):
    """Shapes at the beginning of a comment, and whether "each" follows; () if none."""
    shapes, rest = [], comment.lstrip("#").strip()
    while (group := _parenthesis(rest)) is not None and _looks_like_a_shape(group):
        shapes.append(_shape(group, rest))
        rest = rest[len(group) + 2 :].lstrip()
        if not re.match(r",\s*\(", rest):
            break
        rest = rest[1:].lstrip()
    each = bool(shapes) and re.match(r"each\b", rest) is not None
    if each and len(shapes) > 1:
        raise CommentError("several shapes and 'each'")
    following = _parenthesis(rest)
    if shapes and following is not None and _looks_like_a_shape(following):
        raise CommentError("two shapes without a comma between them")
    return tuple(shapes), each


def _parenthesis(text):
    """Content of the parenthesis that the text begins with; to its end if unclosed."""
    if not text.startswith("("):
        return None
    depth = 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return text[1:position]
    return text[1:]


def _looks_like_a_shape(group):
    """``(B, 4H)``, ``()`` and ``(3,)``; not ``(1)``, which numbers an equation.

    Wide enough to catch what was meant as a shape: ``(B, 4h)``, ``(BT, D)``, ``(B H)``.
    """
    if not group.strip():
        return True
    words = re.findall(r"\w+", group)
    short = all(re.fullmatch(r"\d*[A-Za-z]{0,2}", word) for word in words)
    if short and re.search("[A-Z]", group):
        return True
    fields = group.split(",")
    if len(fields) > 1 and re.fullmatch(r"[\d\s,]+", group):
        return True
    return len(fields) > 1 and any(_letters(field) for field in fields)


def _letters(field):
    """Letters in the size of an axis; None if it is no size."""
    try:
        return axis(field).letters
    except CommentError:
        return None


def _shape(group, text):
    if not text.startswith(f"({group})"):
        raise CommentError("the parenthesis is not closed")
    fields = group.split(",")
    if len(fields) == 1 and group.strip():
        raise CommentError(f"one axis is written ({group.strip()},)")
    if not fields[-1].strip():
        fields.pop()
    return tuple(axis(field) for field in fields)


# -- comments of a source file, and the assignments they stand on ------------------------


def read(source, path):
    """Find the promises of a source text.

    Parameters
    ----------
    source : str
    path : str
        How the file is called in messages.

    Returns
    -------
    promises : dict
        (line, column) of an assignment -> `Promise`.
    complaints : list of str
        Comments that look like a shape but promise nothing.
    """
    assignments = [
        node for node in ast.walk(ast.parse(source)) if _assigned(node) is not None
    ]
    promises, complaints = {}, []
    for line, _, comment, alone in comments_of(source):
        try:
            shapes, each = parse(comment)
            node = None if alone else _ending_at(line, assignments)
            if shapes and node is None:
                raise CommentError("stands on no assignment")
            if node is not None and not shapes and _hidden(comment):
                raise CommentError("a shape stands at the beginning of its comment")
            if shapes:
                place = node.lineno, node.col_offset
                if place in promises:
                    raise CommentError("a second shape for one assignment")
                _fits(shapes, each, node)
                promises[place] = Promise(f"{path}:{line}", comment, shapes, each)
        except CommentError as error:
            complaints.append(f"{path}:{line}: {comment}: {error}")
    return promises, complaints


def comments_of(source):
    """(line, column, text, whether it stands alone on its line) of every comment."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            yield line, column, token.string, not lines[line - 1][:column].strip()


def _assigned(node):
    """Targets of an assignment; None for any other node."""
    match node:
        case ast.Assign():
            return node.targets
        case ast.AugAssign() | ast.AnnAssign(value=ast.expr()):
            return [node.target]
    return None


def _ending_at(line, assignments):
    """The last assignment that ends on a line, or else the one that begins there."""
    ends = [node for node in assignments if node.end_lineno == line]
    begins = [node for node in assignments if node.lineno == line]
    found = ends or begins
    return max(found, key=lambda n: (n.lineno, n.col_offset), default=None)


def _hidden(comment):
    """Whether a shape with letters stands somewhere inside the comment."""
    for found in re.finditer(r"\(([^()]*,[^()]*)\)", comment):
        letters = [_letters(field) for field in found[1].split(",") if field.strip()]
        if None not in letters and any(letters):
            return True
    return False


def _leaves(target):
    """Names, attributes and subscripts in a target, left to right; "_" is nobody."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return [leaf for element in target.elts for leaf in _leaves(element)]
    if isinstance(target, ast.Name) and target.id == "_":
        return []
    return [target]


def _promised(target, shapes, each):
    """The leaves of a target that a promise speaks of."""
    return _leaves(target) if each else _leaves(target)[: len(shapes)]


def _fits(shapes, each, node):
    for target in _assigned(node):
        leaves = _promised(target, shapes, each)
        if len(leaves) < len(shapes):
            raise CommentError(f"{len(shapes)} shapes for {len(leaves)} targets")
        for leaf in leaves:
            if isinstance(leaf, ast.Starred):
                raise CommentError("a starred target has no shape")
            if any(isinstance(part, ast.Call) for part in ast.walk(leaf)):
                raise CommentError("the target calls something; give that a name first")


# -- what runs ---------------------------------------------------------------------------


class Letters:
    """The numbers that letters stand for in one call of one function."""

    def __init__(self, path):
        given = sizes.get(path, {})
        self.known = {letter: n for letter, n in given.items() if isinstance(n, int)}
        self.since = dict.fromkeys(self.known, "sizes")  # letter -> where it got it
        self.waiting = []  # (axis, size, claim) that have an unknown letter
        self.before = {}  # loop -> what was known when it began

    def enter(self, loop):
        """A loop begins."""
        self.before[loop] = dict(self.known), list(self.waiting)

    def turn(self, loop):
        """A turn of a loop begins: what only the last turn knew is forgotten."""
        known, waiting = self.before[loop]
        self.known, self.waiting = dict(known), list(waiting)

    def check(self, where, values):
        """Compare the values of an assignment's targets with its promise."""
        promise = _promises[where]
        claim = _Claim(promise)
        for value, shape in _pairs(promise, values):
            found = _shape_of(value, promise)
            if len(found) != len(shape):
                self.lie(promise, f"is {found}")
            for one, size in zip(shape, found, strict=True):
                claim.open += 1
                self.waiting.append((one, size, claim))
            claim.values += 1
        self.settle()
        claim.finish()

    def settle(self):
        """Check every axis whose letters are known, and learn letters from the others."""
        progress = True
        while progress:
            progress, waiting, self.waiting = False, self.waiting, []
            for one, size, claim in waiting:
                if self.decided(one, size, claim):
                    claim.open -= 1
                    claim.finish()
                    progress = True
                else:
                    self.waiting.append((one, size, claim))

    def decided(self, one, size, claim):
        """Whether an axis could be checked; raises `ShapeError` if it is wrong."""
        if size is None:
            return True
        unknown = one.letters - self.known.keys()
        if len(unknown) > 1:
            return False
        for letter in unknown:
            number = one.solve(letter, self.known, size)
            if number is None:
                return False
            if number.denominator != 1 or number < 0:
                self.lie(claim.promise, f"'{one.text}' cannot be {size}")
            self.known[letter] = int(number)
            self.since[letter] = claim.promise.where
        if one.size(self.known) != size:
            self.lie(claim.promise, f"'{one.text}' is {size}")
        return True

    def lie(self, promise, what):
        """Record a broken promise and raise."""
        known = ", ".join(
            f"{letter} = {number} since {self.since[letter]}"
            for letter, number in self.known.items()
        )
        lies.append(
            f"{promise.where}: {promise.text}: {what} ({known or 'first shape'})"
        )
        raise ShapeError(lies[-1])


@dataclass
class _Claim:
    """One check of one promise, until all its axes are decided."""

    promise: Promise
    open: int = 0
    values: int = 0

    def finish(self):
        if self.values and not self.open:
            reached.add(self.promise.where)


def _pairs(promise, values):
    """(value, shape) for everything that a promise speaks of."""
    if not promise.each:
        return list(zip(values, promise.shapes, strict=True))
    if len(values) == 1:
        (only,) = values
        values = only.values() if isinstance(only, Mapping) else only
    return [(value, promise.shapes[0]) for value in values]


def _shape_of(value, promise):
    """The shape of an array of any library, as a tuple of numbers and None."""
    if isinstance(value, Number) and not hasattr(value, "shape"):
        return ()
    try:
        return tuple(None if size is None else int(size) for size in value.shape)
    except AttributeError as error:
        lies.append(f"{promise.where}: {promise.text}: is a {type(value).__name__}")
        raise ShapeError(lies[-1]) from error


# -- the import hook ---------------------------------------------------------------------

LETTERS, NEW_LETTERS = "__letters__", "__Letters__"


class _Insert(ast.NodeTransformer):
    """Put a check behind every assignment that carries a promise."""

    def __init__(self, promises, path):
        self.promises, self.path = promises, path

    def visit_Module(self, node):
        """One set of letters for each call of a function, and one for the module."""
        self.generic_visit(node)
        first = 0 if ast.get_docstring(node, clean=False) is None else 1
        while first < len(node.body) and _is_future(node.body[first]):
            first += 1
        node.body[first:first] = _statement(
            f"{LETTERS} = {NEW_LETTERS}({self.path!r})", node
        )
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Module  # noqa: N815

    def visit_For(self, node):
        self.generic_visit(node)
        loop = (node.lineno, node.col_offset)
        node.body[:0] = _statement(f"{LETTERS}.turn({loop})", node)
        return [*_statement(f"{LETTERS}.enter({loop})", node), node]

    visit_AsyncFor = visit_While = visit_For  # noqa: N815

    def visit_Assign(self, node):
        promise = self.promises.get((node.lineno, node.col_offset))
        if promise is None:
            return node
        checks = []
        for target in _assigned(node):
            leaves = _promised(target, promise.shapes, promise.each)
            values = ", ".join(ast.unparse(leaf) for leaf in leaves)
            check = f"{LETTERS}.check({promise.where!r}, [{values}])"
            checks += _statement(check, node)
        return [node, *checks]

    visit_AugAssign = visit_AnnAssign = visit_Assign  # noqa: N815


def _is_future(node):
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _statement(text, node):
    """Statements that carry the line number of a node, for tracebacks."""
    body = ast.parse(text).body
    for part in (part for statement in body for part in ast.walk(statement)):
        if isinstance(part, (ast.expr, ast.stmt)) and hasattr(node, "lineno"):
            ast.copy_location(part, node)
    return body


def instrument(source, path):
    """Syntax tree of a source text with its promises as checks."""
    promises, _ = read(source, path)
    _promises.update({promise.where: promise for promise in promises.values()})
    return ast.fix_missing_locations(_Insert(promises, path).visit(ast.parse(source)))


class _Loader(importlib.machinery.SourceFileLoader):
    def source_to_code(self, data, path, *, _optimize=-1):
        tree = instrument(importlib.util.decode_source(data), self._short(path))
        return compile(tree, path, "exec", dont_inherit=True, optimize=_optimize)

    def get_code(self, fullname):  # never read or write .pyc
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def exec_module(self, module):
        setattr(module, NEW_LETTERS, Letters)
        super().exec_module(module)

    def _short(self, path):
        depth = self.name.count(".") + 1 + (Path(path).name == "__init__.py")
        return "/".join(Path(path).parts[-depth:])


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, packages):
        self.packages = packages

    def find_spec(self, name, path, target=None):
        if name.split(".")[0] not in self.packages:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec and spec.origin and spec.origin.endswith(".py"):
            spec.loader = _Loader(name, spec.origin)
        return spec


def install(*packages):
    """Switch the checks on for everything imported from these packages from now on."""
    if early := sorted({name.split(".")[0] for name in sys.modules} & set(packages)):
        raise RuntimeError(f"already imported, so never checked: {early}")
    sys.meta_path.insert(0, _Finder(packages))


# -- what a test asks --------------------------------------------------------------------


def _files(root, packages):
    for package in packages:
        for path in sorted((Path(root) / package).rglob("*.py")):
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def complaints(root, *packages):
    """Comments in these packages that look like a shape and promise nothing."""
    return [c for path, source in _files(root, packages) for c in read(source, path)[1]]


def unreached(root, *packages):
    """Promises in these packages that this process has not seen come true."""
    return [
        f"{promise.where}: {promise.text}"
        for path, source in _files(root, packages)
        for promise in read(source, path)[0].values()
        if promise.where not in reached
    ]
