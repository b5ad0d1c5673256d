"""The verdicts by struct. Those of an embedded struct (a container in a script template) also hold for the outer one.

EXECUTED: field → how it differs, "" when it does not. WARNED, REFUSED: field → why.
"""

from __future__ import annotations

Table = dict[str, dict[str, str]]


def _all(fields: str, reason: str = "") -> dict[str, str]:
    return dict.fromkeys(fields.split(), reason)


_ONE_MACHINE = "there is one machine: every pod runs on it"
_SELECTOR = "there is one machine: a pod runs on it unless it names another processor or system"
_USER = (
    "in an image that is pulled runAsUser, runAsGroup and runAsNonRoot have effect, and if root started the platform also other groups, "
    "fsGroup, capabilities and privileged; where this machine stands in for an image, tasks run as the user who started the platform"
)
_STORE = "used once the secrets that it names exist in the namespace (docs/artifacts.md); until then the platform's own store is used"
_GIT = "git runs with the credentials and settings of this machine's user"
_CLAIM = "this machine has no such storage; use a persistentVolumeClaim, which is a folder here"
_PLATFORM = (
    "tasks run as you and get no service account token; any name is accepted, and resource templates need no rights"
)
_PROBE = "only readiness is probed, with the platform's own timing"
_COLLECTOR = "the server removes artifacts itself: no pod does"

EXECUTED: Table = {
    "v1alpha1.WorkflowSpec": {
        **_all(
            "activeDeadlineSeconds archiveLogs arguments metrics"
            " entrypoint hooks onExit parallelism podMetadata podSpecPatch priority retryStrategy"
            " shutdown suspend synchronization templateDefaults templates ttlStrategy volumeClaimGC volumeClaimTemplates volumes"
            " workflowMetadata workflowTemplateRef podResources hostAliases"
        ),
        **_all("serviceAccountName executor automountServiceAccountToken", _PLATFORM),
        "podGC": "the logs of deleted pods stay with the run",
        "imagePullSecrets": "for images that are pulled; read once, when the pod is created",
        "artifactRepositoryRef": _STORE,
        "artifactGC": "artifacts in the platform's own store are deleted with the run, except those whose strategy is Never",
        "hostNetwork": "without it a pod listens at its own address (127.x.y.z), and still sees this machine's network",
    },
    "v1alpha1.Template": {
        **_all(
            "activeDeadlineSeconds annotations container containerSet daemon dag data failFast http initContainers inputs memoize"
            " metadata metrics name outputs parallelism pendingTimeout podResources podSpecPatch resource retryStrategy script sidecars"
            " steps suspend synchronization timeout volumes hostAliases"
        ),
        **_all("serviceAccountName executor automountServiceAccountToken", _PLATFORM),
        "archiveLocation": _STORE,
    },
    "v1alpha1.CronWorkflowSpec": {
        **_all(
            "concurrencyPolicy failedJobsHistoryLimit startingDeadlineSeconds stopStrategy successfulJobsHistoryLimit suspend"
            " timezone when workflowMetadata workflowSpec"
        ),
        "schedules": "read in UTC, as in the controller's container, unless there is a timezone",
    },
    "v1alpha1.StopStrategy": _all("expression"),
    "v1alpha1.Arguments": _all("artifacts parameters"),
    "v1alpha1.Inputs": _all("artifacts parameters"),
    "v1alpha1.Outputs": _all("artifacts parameters exitCode result"),
    "v1alpha1.Parameter": _all("default description enum globalName name value valueFrom"),
    "v1alpha1.ValueFrom": {
        **_all("configMapKeyRef default event expression jsonPath parameter path supplied"),
        "jqFilter": "executed by jq, with at most two seconds and 512 MB; Argo's gojq differs a little (docs/expressions.md)",
    },
    "v1alpha1.SuppliedValueFrom": {},
    "v1alpha1.Artifact": _all(
        "archive artifactGC from fromExpression globalName mode name optional path recurseMode subPath deleted"
    ),
    "v1alpha1.ArtifactGC": {"strategy": "", **_all("podMetadata serviceAccountName", _COLLECTOR)},
    "v1alpha1.WorkflowLevelArtifactGC": {
        "podSpecPatch": _COLLECTOR,
        "forceFinalizerRemoval": "always: a deleted run is removed; artifacts that could not be removed remain and "
        "are named in the log",
    },
    "v1alpha1.ArtifactLocation": _all("archiveLogs artifactory azure gcs git hdfs http oss plugin raw s3"),
    "v1alpha1.ArchiveStrategy": _all("none tar zip"),
    "v1alpha1.TarStrategy": _all("compressionLevel"),
    "v1alpha1.NoneStrategy": {},
    "v1alpha1.ZipStrategy": {},
    "v1alpha1.ArtifactRepositoryRef": _all("configMap key", _STORE),
    "v1alpha1.RawArtifact": _all("data"),
    "v1alpha1.Metrics": _all("prometheus"),
    "v1alpha1.Prometheus": _all("counter gauge help histogram labels name when"),
    "v1alpha1.Counter": _all("value"),
    "v1alpha1.Gauge": _all("operation realtime value"),
    "v1alpha1.Histogram": _all("buckets value"),
    "v1alpha1.MetricLabel": _all("key value"),
    "v1alpha1.S3Artifact": _all("key")
    | _all(
        "accessKeySecret addressingStyle bucket caSecret createBucketIfNotPresent encryptionOptions endpoint insecure region"
        " secretKeySecret sessionTokenSecret useSDKCreds",
        _STORE,
    ),
    "v1alpha1.S3EncryptionOptions": _all(
        "enableEncryption kmsEncryptionContext kmsKeyId serverSideCustomerKeySecret", _STORE
    ),
    "v1alpha1.GCSArtifact": _all("key") | _all("bucket serviceAccountKeySecret", _STORE),
    "v1alpha1.OSSArtifact": _all("key")
    | _all(
        "accessKeySecret bucket endpoint secretKeySecret", "the platform's own store; refused where its secrets exist"
    ),
    "v1alpha1.AzureArtifact": _all("blob") | _all("accountKeySecret container endpoint useSDKCreds", _STORE),
    "v1alpha1.HDFSArtifact": _all("path")
    | _all(
        "addresses force hdfsUser",
        "used where the extra `hdfs` is installed (not tried against a cluster); else the platform's own store is used",
    ),
    "v1alpha1.PluginArtifact": _all(
        "configuration connectionTimeoutSeconds key name",
        "there are no artifact plugins: the task ends with Argo's error",
    ),
    "v1alpha1.ArtifactoryArtifact": _all("passwordSecret url usernameSecret"),
    "v1alpha1.HTTPAuth": _all("basicAuth clientCert oauth2"),
    "v1alpha1.BasicAuth": _all("passwordSecret usernameSecret"),
    "v1alpha1.ClientCertAuth": _all("clientCertSecret clientKeySecret"),
    "v1alpha1.OAuth2Auth": _all("clientIDSecret clientSecretSecret endpointParams scopes tokenURLSecret"),
    "v1alpha1.OAuth2EndpointParam": _all("key value"),
    "v1alpha1.HTTPArtifact": {**_all("auth headers url"), "saveStreamViaFile": "downloads always go through a file"},
    "v1alpha1.Header": _all("name value"),
    "v1alpha1.GitArtifact": _all("branch depth repo revision singleBranch"),
    "v1alpha1.LifecycleHook": _all("arguments expression template templateRef"),
    "v1alpha1.TemplateRef": _all("clusterScope name template"),
    "v1alpha1.WorkflowTemplateRef": _all("clusterScope name"),
    "v1alpha1.WorkflowMetadata": _all("annotations labels labelsFrom"),
    "v1alpha1.LabelValueFrom": _all("expression"),
    "v1alpha1.Metadata": _all("annotations labels"),
    "v1alpha1.RetryStrategy": _all("backoff expression limit retryPolicy"),
    "v1alpha1.Backoff": _all("cap duration factor maxDuration"),
    "v1alpha1.PodGC": _all("deleteDelayDuration labelSelector strategy"),
    "v1.LabelSelector": _all("matchExpressions matchLabels"),
    "v1.LabelSelectorRequirement": _all("key operator values"),
    "v1alpha1.TTLStrategy": _all("secondsAfterCompletion secondsAfterFailure secondsAfterSuccess"),
    "v1alpha1.VolumeClaimGC": _all("strategy"),
    "v1alpha1.ExecutorConfig": _all("serviceAccountName", _PLATFORM),
    "v1alpha1.Synchronization": _all("mutexes semaphores"),
    "v1alpha1.Mutex": {
        **_all("name namespace"),
        "database": "there is no lock database: the node ends with Argo's error",
    },
    "v1alpha1.SemaphoreRef": {
        **_all("configMapKeyRef namespace"),
        "database": "there is no lock database: the node ends with Argo's error",
    },
    "v1alpha1.SyncDatabaseRef": _all("key"),
    "v1alpha1.WorkflowStep": _all(
        "arguments continueOn hooks inline name onExit template templateRef when withItems withParam withSequence"
    ),
    "v1alpha1.DAGTemplate": _all("failFast target tasks"),
    "v1alpha1.DAGTask": _all(
        "arguments continueOn dependencies depends hooks inline name onExit template templateRef when withItems withParam"
        " withSequence"
    ),
    "v1alpha1.ContinueOn": _all("error failed"),
    "v1alpha1.Sequence": _all("count end format start"),
    "v1alpha1.SuspendTemplate": _all("duration"),
    "v1alpha1.ContainerSetTemplate": _all("containers retryStrategy volumeMounts"),
    "v1alpha1.ContainerSetRetryStrategy": _all("duration retries"),
    "v1alpha1.ContainerNode": _all("dependencies"),
    "v1alpha1.ScriptTemplate": _all("source"),
    "v1alpha1.UserContainer": _all("mirrorVolumeMounts"),
    "v1alpha1.Data": _all("source transformation"),
    "v1alpha1.DataSource": _all("artifactPaths"),
    "v1alpha1.ArtifactPaths": {},
    "v1alpha1.TransformationStep": _all("expression"),
    "v1alpha1.HTTP": _all("body bodyFrom headers insecureSkipVerify method successCondition timeoutSeconds url"),
    "v1alpha1.HTTPHeader": _all("name value valueFrom"),
    "v1alpha1.HTTPHeaderSource": _all("secretKeyRef"),
    "v1alpha1.HTTPBodySource": _all("bytes"),
    "v1alpha1.ResourceTemplate": _all(
        "action failureCondition flags manifest manifestFrom mergeStrategy setOwnerReference successCondition",
        "the objects are those of the platform's own Kubernetes API; a Pod runs once, a Job has completions, parallelism and backoffLimit; "
        "Services, Deployments and StatefulSets are stored, nothing runs them",
    ),
    "v1alpha1.ManifestFrom": _all("artifact"),
    "v1alpha1.Memoize": _all("cache key maxAge"),
    "v1alpha1.Cache": _all("configMap"),
    "v1.Container": {
        **_all("args command env envFrom name readinessProbe resources restartPolicy tty volumeMounts workingDir"),
        "image": "the image itself, without Docker, or this machine's programs in its place",
        "imagePullPolicy": "for images that are pulled; with Always, if the registry does not answer, the image in the store is used",
        "ports": "a pod listens at its own address (127.x.y.z)",
    },
    "v1.HostAlias": _all("hostnames ip"),
    "v1.EnvVar": _all("name value valueFrom"),
    "v1.EnvVarSource": _all("configMapKeyRef fieldRef resourceFieldRef secretKeyRef"),
    "v1.EnvFromSource": _all("configMapRef prefix secretRef"),
    "v1.ConfigMapEnvSource": _all("optional"),
    "v1.SecretEnvSource": _all("optional"),
    "v1.ConfigMapKeySelector": _all("key optional"),
    "v1.SecretKeySelector": _all("key optional"),
    "v1.LocalObjectReference": _all("name"),
    "v1.ObjectFieldSelector": _all("apiVersion fieldPath"),
    "v1.ResourceFieldSelector": _all("containerName divisor resource"),
    "v1.ContainerPort": {
        **_all("containerPort name protocol"),
        **_all(
            "hostIP hostPort",
            "the pod has this machine's own addresses, and listens there on its containerPort; runs with the same one take turns",
        ),
    },
    "v1.Probe": _all("timeoutSeconds"),
    "v1.ProbeHandler": _all("exec httpGet tcpSocket"),
    "v1.ExecAction": _all("command"),
    "v1.HTTPGetAction": _all("host httpHeaders path port scheme"),
    "v1.HTTPHeader": _all("name value"),
    "v1.TCPSocketAction": _all("host port"),
    "v1.ResourceRequirements": _all("limits requests"),
    "v1.VolumeMount": _all("mountPath name readOnly subPath subPathExpr"),
    "v1.Volume": _all("name"),
    "v1.VolumeSource": _all("configMap downwardAPI emptyDir hostPath persistentVolumeClaim projected secret"),
    "v1.ConfigMapVolumeSource": _all("defaultMode items optional"),
    "v1.SecretVolumeSource": _all("defaultMode items optional secretName"),
    "v1.DownwardAPIVolumeSource": _all("defaultMode items"),
    "v1.DownwardAPIVolumeFile": _all("fieldRef mode path resourceFieldRef"),
    "v1.DownwardAPIProjection": _all("items"),
    "v1.ProjectedVolumeSource": _all("defaultMode sources"),
    "v1.VolumeProjection": _all("configMap downwardAPI secret"),
    "v1.ConfigMapProjection": _all("items optional"),
    "v1.SecretProjection": _all("items optional"),
    "v1.KeyToPath": _all("key mode path"),
    "v1.HostPathVolumeSource": _all("path type", "of this machine; a missing path is created as on a node"),
    "v1.PersistentVolumeClaimVolumeSource": _all("claimName readOnly", "a claim is a folder of this machine"),
    "v1.PersistentVolumeClaim": _all("metadata spec status", "a claim is a folder of this machine"),
    "v1.TypeMeta": _all("apiVersion kind"),
    "v1.PersistentVolumeClaimSpec": _all(
        "accessModes resources storageClassName volumeMode",
        "a claim is a folder of this machine; its size is not limited",
    ),
    "v1.VolumeResourceRequirements": _all("limits requests", "the size of a folder is not limited"),
    "v1.PersistentVolumeClaimStatus": _all(
        "accessModes allocatedResourceStatuses allocatedResources capacity conditions currentVolumeAttributesClassName"
        " modifyVolumeStatus phase"
    ),
    "v1.PersistentVolumeClaimCondition": _all("lastProbeTime lastTransitionTime message reason status type"),
    "v1.ModifyVolumeStatus": _all("status targetVolumeAttributesClassName"),
    "v1.ObjectMeta": _all(
        "annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation labels"
        " managedFields name namespace ownerReferences resourceVersion selfLink uid"
    ),
    "v1.ManagedFieldsEntry": _all("apiVersion fieldsType fieldsV1 manager operation subresource time"),
    "v1.OwnerReference": _all("apiVersion blockOwnerDeletion controller kind name uid"),
}

WARNED: Table = {
    "v1alpha1.WorkflowSpec": {
        **_all("affinity tolerations schedulerName podPriorityClassName", _ONE_MACHINE),
        "nodeSelector": _SELECTOR,
        **_all("dnsConfig dnsPolicy", "names are resolved as on this machine"),
        "securityContext": _USER,
        "podDisruptionBudget": "pods are not evicted here",
    },
    "v1alpha1.Template": {
        **_all("affinity tolerations schedulerName priorityClassName", _ONE_MACHINE),
        "nodeSelector": _SELECTOR,
        "securityContext": _USER,
    },
    "v1alpha1.S3Artifact": {
        "roleARN": "no roles are assumed: with the store's keys the task ends with an error, without them the platform's own store is used"
    },
    "v1alpha1.CreateS3BucketOptions": {"objectLocking": "buckets are created without object locks"},
    "v1alpha1.OSSArtifact": _all(
        "createBucketIfNotPresent lifecycleRule securityToken useSDKCreds", "the platform's own store is used"
    ),
    "v1alpha1.HDFSArtifact": _all(
        "dataTransferProtection krbCCacheSecret krbConfigConfigMap krbKeytabSecret krbRealm krbServicePrincipalName krbUsername",
        "Kerberos is not supported here",
    ),
    "v1alpha1.GitArtifact": _all(
        "disableSubmodules fetch insecureIgnoreHostKey insecureSkipTLS passwordSecret sshPrivateKeySecret usernameSecret",
        _GIT,
    ),
    "v1alpha1.RetryStrategy": {"affinity": _ONE_MACHINE},
    "v1.Container": {
        **_all("lifecycle livenessProbe startupProbe", _PROBE),
        **_all("resizePolicy restartPolicyRules", "a container that ended is not started again within its pod"),
        **_all("stdin stdinOnce", "tasks have no standard input"),
        **_all("terminationMessagePath terminationMessagePolicy", "a task's message is Argo's own"),
        "securityContext": _USER,
    },
    "v1.Probe": _all(
        "failureThreshold initialDelaySeconds periodSeconds successThreshold terminationGracePeriodSeconds", _PROBE
    ),
    "v1.ProbeHandler": {"grpc": _PROBE},
    "v1.VolumeMount": _all("mountPropagation recursiveReadOnly", "tasks never mount anything themselves"),
    "v1.EmptyDirVolumeSource": _all("medium sizeLimit", "an emptyDir is a folder on disk without a limit"),
    "v1.PersistentVolumeClaimSpec": _all(
        "selector volumeName volumeAttributesClassName", "a claim is a folder of this machine"
    ),
}

REFUSED: Table = {
    "v1alpha1.WorkflowSpec": {
        "executorPlugins": "plugins run in an agent pod of the cluster",
        "resourceClaims": "this machine has no device driver to claim from",
    },
    "v1alpha1.Template": {
        "plugin": "plugins run in an agent pod of the cluster",
        "resourceClaims": "this machine has no device driver to claim from",
    },
    "v1.Container": {"volumeDevices": "tasks get no block devices"},
    "v1.ResourceRequirements": {"claims": "this machine has no device driver to claim from"},
    "v1.EnvVarSource": {"fileKeyRef": "an alpha feature of Kubernetes"},
    "v1.PersistentVolumeClaimSpec": _all(
        "dataSource dataSourceRef", "a folder cannot be created from a snapshot or from another claim"
    ),
    "v1.VolumeSource": _all(
        "awsElasticBlockStore azureDisk azureFile cephfs cinder csi ephemeral fc flexVolume flocker gcePersistentDisk gitRepo"
        " glusterfs image iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume",
        _CLAIM,
    ),
    "v1.VolumeProjection": _all(
        "clusterTrustBundle podCertificate serviceAccountToken",
        "this machine issues no tokens and certificates to tasks",
    ),
}
