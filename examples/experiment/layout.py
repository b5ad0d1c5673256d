"""How things are named and where they go; paths are relative to the volume."""

from hera_utils import Layout, writes


class ExperimentLayout(Layout):
    def inputs_dir(self):
        return self.path("inputs", self.constants.country)

    def collect_output_dir(self, vintage):
        return self.path("collect", self.constants.country, vintage)

    @writes
    def point(self, vintages, divisions):
        """What a point leaves: where it is there, and nothing changed, `--resume` does not compute it again."""
        return self.path(self.collect_output_dir(vintages), f"{divisions}.json")

    @writes
    def table(self):
        return self.path("results", self.constants.country, "inequality.csv")

    def container_name_postend(self, vintage):
        return self.name(self.constants.country, vintage)
