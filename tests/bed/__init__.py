"""A test bed of real parts: etcd, kube-apiserver, kube-controller-manager (RBAC, TLS, service accounts), and an Argo server before it.

By hand, from the repository's root (building takes some minutes the first time, and wants Go; later starts some ten seconds):

    python -m tests.bed up          prints kubeconfigs and what to export; stands until `python -m tests.bed down`

In a test, two fixtures (tests/conftest.py); without Go they skip, and say so:

    def test_something(place):                    # a namespace of the test's own, furnished; `place.bed` is the bed
        place.kubeconfig("researcher")            # a file; contexts researcher, researcher-token, researcher-exec
        place.token("researcher")                 # of the service account of that name, by TokenRequest
        place.brief_token("researcher", 3)        # the API server refuses it in 3 s
        place.bed.argo_server                     # https://127.0.0.1:PORT/argo, its authority is place.bed.authority
        place.folder("inequality")                # the folder that the bound claim is

Users (by certificate, and a service account of the same name): admin, owner, researcher, reader, nobody: `world.rights`. What a
namespace holds: `world.things`. Argo stands in the namespace `argo` (service, pods whose port can be forwarded, deployments, the
controller's lease, which is renewed); `place.install_argo()` makes one more in the test's namespace, for tests that spoil it
(`place.leave_lease_stale()`). Spoil nothing outside of your namespace: the bed is shared by all tests that run on this machine.

What is not real is told in front.py (workflows are executed by the local platform) and controlplane/kubelet.go (pods are files).
"""
