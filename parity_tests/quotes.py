"""Check that a backward function quotes its forward function, bottom to top.

In a file of scratch every ``X_forward`` has an ``X_backward``, and every assignment of
the one is quoted in the other as a comment, directly above the lines that undo it::

    def dense_forward(x, W, b):            def dense_backward(dz, cache):
        z = x @ W  # (B, N)                    x, W = cache
        z += b     # (B, N)                    # z += b
        return z, (x, W)                       db = dz.sum(axis=0)  # (N,)
                                               # z = x @ W
                                               dW = x.T @ dz        # (M, N)
                                               return dW, db

A quote is the source text without its trailing comment; what takes several lines is
quoted in several lines. Not quoted is

- what a trailing comment calls ``not differentiated``,
- bookkeeping: ``caches = []``, ``cache = x, W``, ``outputs["z"] = z``.

So that nothing escapes, a forward function computes nothing in its return, calls nothing
with ``out=`` without assigning the result, and has no ``:=`` and no function inside.
"""

import ast
import re
from collections import Counter
from itertools import groupby

from parity_tests.shape_comments import comments_of

FREE = "not differentiated"


def complaints(source, path="source"):
    """Everything that is wrong with the quotes in a source text; [] if nothing is.

    Parameters
    ----------
    source : str
        Text of a module.
    path : str
        How the file is called in messages.
    """
    found = []
    comments = _comments(source)
    for forward, backward in _pairs(ast.parse(source)):
        if forward is None or backward is None:
            alone = forward or backward
            found.append(f"{path}:{alone.lineno}: {alone.name} has no counterpart")
            continue
        said = _assignments(forward, source, comments)
        quoted, faults = _quotes(backward, set(said), comments)
        faults += _differences(said, quoted, backward)
        faults += _escapes(forward, comments)
        found += [f"{path}:{line}: {fault}" for line, fault in faults]
    return found


def _pairs(tree):
    """(forward, backward) by name; at the top of a module one of them may be None."""
    for scope in ast.walk(tree):
        if not isinstance(scope, (ast.Module, ast.ClassDef)):
            continue
        named = {f.name: f for f in scope.body if isinstance(f, ast.FunctionDef)}
        stems = {_stem(name): None for name in named if _stem(name) is not None}
        for stem in stems:
            pair = named.get(f"{stem}forward"), named.get(f"{stem}backward")
            if None not in pair or isinstance(scope, ast.Module):
                yield pair


def _stem(name):
    """ "dense_" of dense_forward and dense_backward, "" of forward; else None."""
    found = re.fullmatch("(|.*_)(forward|backward)", name)
    return found and found[1]


def _comments(source):
    """Line -> (column, text, whether it stands alone on its line)."""
    return {
        line: (column, text.lstrip("#").strip(), alone)
        for line, column, text, alone in comments_of(source)
    }


# -- what forward says -------------------------------------------------------------------


def _assignments(function, source, comments):
    """Texts of the assignments that have to be quoted, in the order of the source."""
    return [
        _text(node, source)
        for node in _statements(function.body)
        if _is_assignment(node) and not _free(node, comments) and not _bookkeeping(node)
    ]


def _statements(body):
    """Statements in the order of the source, those in loops and branches among them."""
    for node in body:
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for field in ("body", "orelse", "handlers", "cases", "finalbody"):
            yield from _statements(getattr(node, field, []))


def _is_assignment(node):
    if isinstance(node, ast.AnnAssign):
        return node.value is not None
    return isinstance(node, (ast.Assign, ast.AugAssign))


def _free(node, comments):
    _, text, _ = comments.get(node.end_lineno, (0, "", False))
    return FREE in text


def _bookkeeping(node):
    """Whether an assignment only puts away what is there already."""
    if not isinstance(node, ast.Assign):
        return False
    return all(
        ast.unparse(value) in ("[]", "{}")
        or (_is_store(target) and _computes_nothing(value))
        for each in node.targets
        for target, value in _one_by_one(each, node.value)
    )


def _one_by_one(target, value):
    """``a, b = x, y`` as (a, x), (b, y); anything else as it stands."""
    both = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
    if both and len(target.elts) == len(value.elts):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def _is_store(target):
    """Whether things are put away here: a cache, an entry of a dict, several entries."""
    if isinstance(target, ast.Tuple):
        return all(_is_entry(element) for element in target.elts)
    named = isinstance(target, ast.Name) and target.id in ("cache", "caches")
    return named or _is_entry(target)


def _is_entry(target):
    """``outputs["z"]`` or ``outputs[f"z_{l}"]``: an entry of a dict, not of an array."""
    if not isinstance(target, ast.Subscript):
        return False
    key = target.slice
    return isinstance(key, ast.JoinedStr) or (
        isinstance(key, ast.Constant) and isinstance(key.value, str)
    )


_PLAIN = (
    *(ast.Name, ast.Constant, ast.Attribute, ast.Tuple, ast.List, ast.Dict),
    *(ast.JoinedStr, ast.FormattedValue, ast.expr_context),
)


def _computes_nothing(value):
    return all(isinstance(part, _PLAIN) for part in ast.walk(value))


def _text(node, source):
    """The lines of a statement, without indentation and without comments."""
    segment = ast.get_source_segment(source, node)
    lines = segment.splitlines()
    for line, (column, _, _) in _comments(segment).items():
        lines[line - 1] = lines[line - 1][:column]
    return tuple(line.strip() for line in lines if line.strip())


def _escapes(forward, comments):
    """(line, fault) for what forward computes where no quote can follow."""
    for node in _statements(forward.body):
        if _free(node, comments):
            continue
        match node:
            case ast.Return(value=ast.expr()) if not _computes_nothing(node.value):
                yield node.lineno, "computes in its return: give that a name"
            case ast.Expr(value=ast.Call(keywords=keywords)):
                if any(keyword.arg == "out" for keyword in keywords):
                    yield node.lineno, "writes with out= and assigns nothing"
            case ast.FunctionDef():
                yield node.lineno, "a function inside, where nothing is quoted"
    for part in ast.walk(forward):
        if isinstance(part, ast.NamedExpr):
            yield part.lineno, "assigns with := where nothing is quoted"


# -- what backward quotes ----------------------------------------------------------------


def _quotes(function, sayings, comments):
    """Quotes in a function, [(line, text)], and [(line, fault)] of what is amiss there."""
    quotes, faults = [], []
    starts = {
        (node.lineno, node.col_offset): node for node in _all_statements(function)
    }
    for block in _blocks(function, comments):
        line = block[0]
        while line <= block[-1]:
            text = _quoted_at(line, block, sayings, comments)
            if text is None:
                if _reads_like_a_quote(comments[line][1]):
                    faults.append((line, f"forward does not say: {comments[line][1]}"))
                line += 1
                continue
            quotes.append((line, text))
            column, end = comments[line][0], line + len(text)
            if not isinstance(starts.get((end, column)), _ADJOINTS):
                faults.append((line, f"no code directly below: {' '.join(text)}"))
            line = end
    return quotes, faults


# what may undo a line; not a bare string, not ``pass``
_ADJOINTS = (
    *(ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return),
    *(ast.For, ast.While, ast.If, ast.With),
)


def _all_statements(function):
    return [node for node in ast.walk(function) if isinstance(node, ast.stmt)]


def _blocks(function, comments):
    """Runs of lines that hold nothing but a comment."""
    alone = [
        line
        for line in range(function.lineno, function.end_lineno + 1)
        if line in comments and comments[line][2]
    ]
    for _, run in groupby(enumerate(alone), lambda pair: pair[1] - pair[0]):
        yield [line for _, line in run]


def _quoted_at(line, block, sayings, comments):
    """The longest saying whose lines stand in a block from this line on."""
    for length in range(block[-1] - line + 1, 0, -1):
        text = tuple(comments[number][1] for number in range(line, line + length))
        if text in sayings:
            return text
    return None


def _reads_like_a_quote(text):
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return False
    return len(body) == 1 and _is_assignment(body[0])


def _differences(said, quoted, backward):
    """(line, fault) where the quotes are not the sayings in reverse order."""
    texts = [text for _, text in quoted]
    missing, extra = Counter(said) - Counter(texts), Counter(texts) - Counter(said)
    where, name = backward.lineno, backward.name
    for text in missing:
        yield where, f"{name} does not quote: {' '.join(text)}"
    for text in extra:
        yield where, f"{name} quotes too often: {' '.join(text)}"
    if missing or extra:
        return
    for (line, text), expected in zip(quoted, reversed(said), strict=True):
        if text != expected:
            yield line, f"out of order: {' '.join(text)}; here: {' '.join(expected)}"
            return
