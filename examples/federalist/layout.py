"""How things are named and where they go; paths are relative to the volume, local ones to this folder."""

from hera_utils import Layout, names, reads, writes


class ExperimentLayout(Layout):
    @reads(local=True)
    def paper(self, number):
        return self.path("papers", f"{number:02d}.txt")

    @writes
    def counts(self, number):
        return self.path("counts", f"{number:02d}.json")

    @writes
    def verdicts(self):
        return self.path("verdicts.csv")

    @names
    def task(self, number):
        return self.name("paper", number)
