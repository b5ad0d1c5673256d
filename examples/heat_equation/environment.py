"""What must change when the cluster changes. It is a default: a flag, a variable or a profile wins."""

from hera_utils import Environment, PersistedVolume

environment = Environment(persisted_volume=PersistedVolume("heat-equation", size="100Mi", mount_path="/results"))
