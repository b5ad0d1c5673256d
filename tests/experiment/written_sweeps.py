"""Workflow documents made from the answer: which task belongs to which point is known, as each is written from its point."""

from hypothesis import strategies as st

from hera_utils.experiment.sweeps import grid


def parameters(given):
    return {"parameters": [{"name": name, "value": value} for name, value in given.items()]}


def task(name, template, given, **more):
    return {"name": name, "template": template, "arguments": parameters(given), **more}


def workflow(*tasks, **spec):
    return {
        "metadata": {"generateName": "w-"},
        "spec": {"entrypoint": "dag", "templates": [{"name": "dag", "dag": {"tasks": list(tasks)}}], **spec},
    }


VALUES = st.lists(
    st.one_of(st.integers(0, 99), st.text("abcxyz _-é", min_size=1, max_size=6)), min_size=2, max_size=4, unique_by=str
)


@st.composite
def sweeps(draw):
    """A grid of one to three axes whose values do not meet, in one of the styles people write, with tasks around it."""
    axes, taken = {}, set()
    for name in draw(st.lists(st.sampled_from(["city", "year", "tol"]), min_size=1, max_size=3, unique=True)):
        values = [value for value in draw(VALUES) if str(value) not in taken and str(value) != "7777"]
        taken |= set(map(str, values))
        if values:
            axes[name] = values
    sweep = grid(**axes) if sum(len(values) > 1 for values in axes.values()) else grid(n=[100, 200])
    return sweep, draw(st.sampled_from(["points", "items", "two tasks"])), draw(st.booleans()), draw(st.booleans())


def written(points, axes, style, named, fan_in):
    """The document of the style, and what each point owns in it."""
    owned = {point.id: set() for point in points}
    tasks = [task("stage", "stage", {"size": "7777"})]
    label = {axis: axis if named else f"the-{axis}" for axis in axes}
    if style == "items":
        *outer, last = list(axes)
        groups = {}
        for point in points:
            groups.setdefault(tuple(str(point[axis]) for axis in outer), []).append(point)
        for number, members in enumerate(groups.values()):
            given = {label[axis]: str(members[0][axis]) for axis in outer} | {label[last]: "{{item}}"}
            items = [point[last] for point in members]
            tasks.append(task(f"t{number}", "work", given, withItems=items, depends="stage"))
            for place, point in enumerate(members):
                owned[point.id].add((f"t{number}", place))
    else:
        for number, point in enumerate(points):
            given = {label[axis]: str(point[axis]) for axis in axes}
            tasks.append(task(f"t{number}", "work", given, depends="stage"))
            owned[point.id].add((f"t{number}", None))
            if style == "two tasks":
                tasks.append(task(f"u{number}", "more", given, depends=f"t{number}"))
                owned[point.id].add((f"u{number}", None))
    if fan_in:
        tasks.append(task("last", "last", {}, depends=" && ".join(one["name"] for one in tasks[1:])))
    return workflow(*tasks), owned
