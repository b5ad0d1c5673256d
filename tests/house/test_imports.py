"""No file imports itself by way of others: not when it is loaded, nor, between folders, when it runs."""

import ast

from source_tree import PACKAGE, SOURCES, allowance, relative, tree

MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES
}


def imports(path, late):
    """The files that a file imports: when it is loaded and, where `late`, when its functions run; never for type checkers alone."""
    nodes = list(tree(path).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            nodes += node.orelse
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not late:
            continue
        elif isinstance(node, ast.Import):
            yield from (MODULES[alias.name] for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                module = MODULES.get(f"{node.module}.{alias.name}", MODULES.get(node.module))
                if module is not None:
                    yield module
        else:
            nodes += ast.iter_child_nodes(node)


def circles(graph):
    """The strongly connected components of more than one file (Tarjan 1972)."""
    index, low, stack, on_stack, components = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for successor in graph[node]:
            if successor not in index:
                visit(successor)
                low[node] = min(low[node], low[successor])
            elif successor in on_stack:
                low[node] = min(low[node], index[successor])
        if low[node] == index[node]:
            start = stack.index(node)
            component = stack[start:]
            del stack[start:]
            on_stack.difference_update(component)
            if len(component) > 1:
                components.append(sorted(relative(path) for path in component))

    for node in graph:
        if node not in index:
            visit(node)
    return components


def beyond_allowance(components, rule):
    allowed = [set(circle) for circle in allowance(rule) or ()]
    return [circle for circle in components if not any(set(circle) <= known for known in allowed)]


def test_tarjan_finds_circles():
    files = SOURCES[:5]
    a, b, c, d, e = files
    graph = {a: [b], b: [c], c: [a, d], d: [e], e: []}
    assert circles(graph) == [sorted(map(relative, (a, b, c)))]


def test_no_circle_when_files_are_loaded():
    graph = {path: sorted(set(imports(path, late=False)) - {path}) for path in SOURCES}
    assert not beyond_allowance(circles(graph), "circles when loaded")


def test_no_circle_between_folders_when_they_run():
    graph = {path: sorted(set(imports(path, late=True)) - {path}) for path in SOURCES}
    between = [circle for circle in circles(graph) if len({path.rpartition("/")[0] for path in circle}) > 1]
    assert not beyond_allowance(between, "circles when running")
