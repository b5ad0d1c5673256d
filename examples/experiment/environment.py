"""What must change when the cluster changes. Whatever is written here is a default: a flag, a variable or a profile wins."""

from hera_utils import Environment, PersistedVolume


def construct_environment(args):
    """The environment of execution. `args` has what was said on the command line, in variables and files."""
    return Environment(
        persisted_volume=PersistedVolume(
            args.k8s_volume_claim_name or "inequality", size="100Mi", mount_path="/results"
        ),
        registry=args.registry,
    )
