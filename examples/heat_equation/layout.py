"""How things are named and where they go; paths are relative to the volume."""

from hera_utils import Layout, names, writes


class ExperimentLayout(Layout):
    @writes
    def solution(self, scheme, cells, steps):
        return self.path("solutions", scheme, f"{cells}-cells-{steps}-steps.json")

    @writes
    def orders(self):
        return self.path("orders.csv")

    @names
    def task(self, point):
        return self.name("solve", point.name)
