"""What each field of a settings class means: the text below it in the class, the one place where that is written."""

import ast
import functools
import inspect
import textwrap


@functools.cache
def meanings(settings: type) -> dict[str, str]:
    """Field → its docstring in one line, of a dataclass, in the order of the fields; '' for a field without one."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(settings)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found = {}
    for line, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            text = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            found[line.target.id] = " ".join(str(text).split())
    return found
