"""The verdicts by struct. Those of an embedded struct (a container in a script template) also hold for the outer one.

EXECUTED: field → how it differs, "" when it does not. WARNED, REFUSED: field → why.
"""

from __future__ import annotations

Table = dict[str, dict[str, str]]


def _same_reason(fields: str, reason: str = "") -> dict[str, str]:
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
        **_same_reason(
            "activeDeadlineSeconds archiveLogs arguments metrics"
            " entrypoint hooks onExit parallelism podMetadata podSpecPatch priority retryStrategy"
            " shutdown suspend synchronization templateDefaults templates ttlStrategy volumeClaimGC volumeClaimTemplates volumes"
            " workflowMetadata workflowTemplateRef podResources hostAliases"
        ),
        **_same_reason("serviceAccountName executor automountServiceAccountToken", _PLATFORM),
        "podGC": "the logs of deleted pods stay with the run",
        "imagePullSecrets": "for images that are pulled; read once, when the pod is created",
        "artifactRepositoryRef": _STORE,
        "artifactGC": "artifacts in the platform's own store are deleted with the run, except those whose strategy is Never",
        "hostNetwork": "without it a pod listens at its own address (127.x.y.z), and still sees this machine's network",
    },
    "v1alpha1.Template": {
        **_same_reason(
            "activeDeadlineSeconds annotations container containerSet daemon dag data failFast http initContainers inputs memoize"
            " metadata metrics name outputs parallelism pendingTimeout podResources podSpecPatch resource retryStrategy script sidecars"
            " steps suspend synchronization timeout volumes hostAliases"
        ),
        **_same_reason("serviceAccountName executor automountServiceAccountToken", _PLATFORM),
        "archiveLocation": _STORE,
    },
    "v1alpha1.CronWorkflowSpec": {
        **_same_reason(
            "concurrencyPolicy failedJobsHistoryLimit startingDeadlineSeconds stopStrategy successfulJobsHistoryLimit suspend"
            " timezone when workflowMetadata workflowSpec"
        ),
        "schedules": "read in UTC, as in the controller's container, unless there is a timezone",
    },
    "v1alpha1.StopStrategy": _same_reason("expression"),
    "v1alpha1.Arguments": _same_reason("artifacts parameters"),
    "v1alpha1.Inputs": _same_reason("artifacts parameters"),
    "v1alpha1.Outputs": _same_reason("artifacts parameters exitCode result"),
    "v1alpha1.Parameter": _same_reason("default description enum globalName name value valueFrom"),
    "v1alpha1.ValueFrom": {
        **_same_reason("configMapKeyRef default event expression jsonPath parameter path supplied"),
        "jqFilter": "executed by jq, with at most two seconds and 512 MB; Argo's gojq differs a little (docs/expressions.md)",
    },
    "v1alpha1.SuppliedValueFrom": {},
    "v1alpha1.Artifact": _same_reason(
        "archive artifactGC from fromExpression globalName mode name optional path recurseMode subPath deleted"
    ),
    "v1alpha1.ArtifactGC": {"strategy": "", **_same_reason("podMetadata serviceAccountName", _COLLECTOR)},
    "v1alpha1.WorkflowLevelArtifactGC": {
        "podSpecPatch": _COLLECTOR,
        "forceFinalizerRemoval": "always: a deleted run is removed; artifacts that could not be removed remain and "
        "are named in the log",
    },
    "v1alpha1.ArtifactLocation": _same_reason("archiveLogs artifactory azure gcs git hdfs http oss plugin raw s3"),
    "v1alpha1.ArchiveStrategy": _same_reason("none tar zip"),
    "v1alpha1.TarStrategy": _same_reason("compressionLevel"),
    "v1alpha1.NoneStrategy": {},
    "v1alpha1.ZipStrategy": {},
    "v1alpha1.ArtifactRepositoryRef": _same_reason("configMap key", _STORE),
    "v1alpha1.RawArtifact": _same_reason("data"),
    "v1alpha1.Metrics": _same_reason("prometheus"),
    "v1alpha1.Prometheus": _same_reason("counter gauge help histogram labels name when"),
    "v1alpha1.Counter": _same_reason("value"),
    "v1alpha1.Gauge": _same_reason("operation realtime value"),
    "v1alpha1.Histogram": _same_reason("buckets value"),
    "v1alpha1.MetricLabel": _same_reason("key value"),
    "v1alpha1.S3Artifact": _same_reason("key")
    | _same_reason(
        "accessKeySecret addressingStyle bucket caSecret createBucketIfNotPresent encryptionOptions endpoint insecure region"
        " secretKeySecret sessionTokenSecret useSDKCreds",
        _STORE,
    ),
    "v1alpha1.S3EncryptionOptions": _same_reason(
        "enableEncryption kmsEncryptionContext kmsKeyId serverSideCustomerKeySecret", _STORE
    ),
    "v1alpha1.GCSArtifact": _same_reason("key") | _same_reason("bucket serviceAccountKeySecret", _STORE),
    "v1alpha1.OSSArtifact": _same_reason("key")
    | _same_reason(
        "accessKeySecret bucket endpoint secretKeySecret", "the platform's own store; refused where its secrets exist"
    ),
    "v1alpha1.AzureArtifact": _same_reason("blob")
    | _same_reason("accountKeySecret container endpoint useSDKCreds", _STORE),
    "v1alpha1.HDFSArtifact": _same_reason("path")
    | _same_reason(
        "addresses force hdfsUser",
        "used where the extra `hdfs` is installed (not tried against a cluster); else the platform's own store is used",
    ),
    "v1alpha1.PluginArtifact": _same_reason(
        "configuration connectionTimeoutSeconds key name",
        "there are no artifact plugins: the task ends with Argo's error",
    ),
    "v1alpha1.ArtifactoryArtifact": _same_reason("passwordSecret url usernameSecret"),
    "v1alpha1.HTTPAuth": _same_reason("basicAuth clientCert oauth2"),
    "v1alpha1.BasicAuth": _same_reason("passwordSecret usernameSecret"),
    "v1alpha1.ClientCertAuth": _same_reason("clientCertSecret clientKeySecret"),
    "v1alpha1.OAuth2Auth": _same_reason("clientIDSecret clientSecretSecret endpointParams scopes tokenURLSecret"),
    "v1alpha1.OAuth2EndpointParam": _same_reason("key value"),
    "v1alpha1.HTTPArtifact": {
        **_same_reason("auth headers url"),
        "saveStreamViaFile": "downloads always go through a file",
    },
    "v1alpha1.Header": _same_reason("name value"),
    "v1alpha1.GitArtifact": _same_reason("branch depth repo revision singleBranch"),
    "v1alpha1.LifecycleHook": _same_reason("arguments expression template templateRef"),
    "v1alpha1.TemplateRef": _same_reason("clusterScope name template"),
    "v1alpha1.WorkflowTemplateRef": _same_reason("clusterScope name"),
    "v1alpha1.WorkflowMetadata": _same_reason("annotations labels labelsFrom"),
    "v1alpha1.LabelValueFrom": _same_reason("expression"),
    "v1alpha1.Metadata": _same_reason("annotations labels"),
    "v1alpha1.RetryStrategy": _same_reason("backoff expression limit retryPolicy"),
    "v1alpha1.Backoff": _same_reason("cap duration factor maxDuration"),
    "v1alpha1.PodGC": _same_reason("deleteDelayDuration labelSelector strategy"),
    "v1.LabelSelector": _same_reason("matchExpressions matchLabels"),
    "v1.LabelSelectorRequirement": _same_reason("key operator values"),
    "v1alpha1.TTLStrategy": _same_reason("secondsAfterCompletion secondsAfterFailure secondsAfterSuccess"),
    "v1alpha1.VolumeClaimGC": _same_reason("strategy"),
    "v1alpha1.ExecutorConfig": _same_reason("serviceAccountName", _PLATFORM),
    "v1alpha1.Synchronization": _same_reason("mutexes semaphores"),
    "v1alpha1.Mutex": {
        **_same_reason("name namespace"),
        "database": "there is no lock database: the node ends with Argo's error",
    },
    "v1alpha1.SemaphoreRef": {
        **_same_reason("configMapKeyRef namespace"),
        "database": "there is no lock database: the node ends with Argo's error",
    },
    "v1alpha1.SyncDatabaseRef": _same_reason("key"),
    "v1alpha1.WorkflowStep": _same_reason(
        "arguments continueOn hooks inline name onExit template templateRef when withItems withParam withSequence"
    ),
    "v1alpha1.DAGTemplate": _same_reason("failFast target tasks"),
    "v1alpha1.DAGTask": _same_reason(
        "arguments continueOn dependencies depends hooks inline name onExit template templateRef when withItems withParam"
        " withSequence"
    ),
    "v1alpha1.ContinueOn": _same_reason("error failed"),
    "v1alpha1.Sequence": _same_reason("count end format start"),
    "v1alpha1.SuspendTemplate": _same_reason("duration"),
    "v1alpha1.ContainerSetTemplate": _same_reason("containers retryStrategy volumeMounts"),
    "v1alpha1.ContainerSetRetryStrategy": _same_reason("duration retries"),
    "v1alpha1.ContainerNode": _same_reason("dependencies"),
    "v1alpha1.ScriptTemplate": _same_reason("source"),
    "v1alpha1.UserContainer": _same_reason("mirrorVolumeMounts"),
    "v1alpha1.Data": _same_reason("source transformation"),
    "v1alpha1.DataSource": _same_reason("artifactPaths"),
    "v1alpha1.ArtifactPaths": {},
    "v1alpha1.TransformationStep": _same_reason("expression"),
    "v1alpha1.HTTP": _same_reason(
        "body bodyFrom headers insecureSkipVerify method successCondition timeoutSeconds url"
    ),
    "v1alpha1.HTTPHeader": _same_reason("name value valueFrom"),
    "v1alpha1.HTTPHeaderSource": _same_reason("secretKeyRef"),
    "v1alpha1.HTTPBodySource": _same_reason("bytes"),
    "v1alpha1.ResourceTemplate": _same_reason(
        "action failureCondition flags manifest manifestFrom mergeStrategy setOwnerReference successCondition",
        "the objects are those of the platform's own Kubernetes API; a Pod runs once, a Job has completions, parallelism and backoffLimit; "
        "Services, Deployments and StatefulSets are stored, nothing runs them",
    ),
    "v1alpha1.ManifestFrom": _same_reason("artifact"),
    "v1alpha1.Memoize": _same_reason("cache key maxAge"),
    "v1alpha1.Cache": _same_reason("configMap"),
    "v1.Container": {
        **_same_reason(
            "args command env envFrom name readinessProbe resources restartPolicy tty volumeMounts workingDir"
        ),
        "image": "the image itself, without Docker, or this machine's programs in its place",
        "imagePullPolicy": "for images that are pulled; with Always, if the registry does not answer, the image in the store is used",
        "ports": "a pod listens at its own address (127.x.y.z)",
    },
    "v1.HostAlias": _same_reason("hostnames ip"),
    "v1.EnvVar": _same_reason("name value valueFrom"),
    "v1.EnvVarSource": _same_reason("configMapKeyRef fieldRef resourceFieldRef secretKeyRef"),
    "v1.EnvFromSource": _same_reason("configMapRef prefix secretRef"),
    "v1.ConfigMapEnvSource": _same_reason("optional"),
    "v1.SecretEnvSource": _same_reason("optional"),
    "v1.ConfigMapKeySelector": _same_reason("key optional"),
    "v1.SecretKeySelector": _same_reason("key optional"),
    "v1.LocalObjectReference": _same_reason("name"),
    "v1.ObjectFieldSelector": _same_reason("apiVersion fieldPath"),
    "v1.ResourceFieldSelector": _same_reason("containerName divisor resource"),
    "v1.ContainerPort": {
        **_same_reason("containerPort name protocol"),
        **_same_reason(
            "hostIP hostPort",
            "the pod has this machine's own addresses, and listens there on its containerPort; runs with the same one take turns",
        ),
    },
    "v1.Probe": _same_reason("timeoutSeconds"),
    "v1.ProbeHandler": _same_reason("exec httpGet tcpSocket"),
    "v1.ExecAction": _same_reason("command"),
    "v1.HTTPGetAction": _same_reason("host httpHeaders path port scheme"),
    "v1.HTTPHeader": _same_reason("name value"),
    "v1.TCPSocketAction": _same_reason("host port"),
    "v1.ResourceRequirements": _same_reason("limits requests"),
    "v1.VolumeMount": _same_reason("mountPath name readOnly subPath subPathExpr"),
    "v1.Volume": _same_reason("name"),
    "v1.VolumeSource": _same_reason("configMap downwardAPI emptyDir hostPath persistentVolumeClaim projected secret"),
    "v1.ConfigMapVolumeSource": _same_reason("defaultMode items optional"),
    "v1.SecretVolumeSource": _same_reason("defaultMode items optional secretName"),
    "v1.DownwardAPIVolumeSource": _same_reason("defaultMode items"),
    "v1.DownwardAPIVolumeFile": _same_reason("fieldRef mode path resourceFieldRef"),
    "v1.DownwardAPIProjection": _same_reason("items"),
    "v1.ProjectedVolumeSource": _same_reason("defaultMode sources"),
    "v1.VolumeProjection": _same_reason("configMap downwardAPI secret"),
    "v1.ConfigMapProjection": _same_reason("items optional"),
    "v1.SecretProjection": _same_reason("items optional"),
    "v1.KeyToPath": _same_reason("key mode path"),
    "v1.HostPathVolumeSource": _same_reason("path type", "of this machine; a missing path is created as on a node"),
    "v1.PersistentVolumeClaimVolumeSource": _same_reason("claimName readOnly", "a claim is a folder of this machine"),
    "v1.PersistentVolumeClaim": _same_reason("metadata spec status", "a claim is a folder of this machine"),
    "v1.TypeMeta": _same_reason("apiVersion kind"),
    "v1.PersistentVolumeClaimSpec": _same_reason(
        "accessModes resources storageClassName volumeMode",
        "a claim is a folder of this machine; its size is not limited",
    ),
    "v1.VolumeResourceRequirements": _same_reason("limits requests", "the size of a folder is not limited"),
    "v1.PersistentVolumeClaimStatus": _same_reason(
        "accessModes allocatedResourceStatuses allocatedResources capacity conditions currentVolumeAttributesClassName"
        " modifyVolumeStatus phase"
    ),
    "v1.PersistentVolumeClaimCondition": _same_reason("lastProbeTime lastTransitionTime message reason status type"),
    "v1.ModifyVolumeStatus": _same_reason("status targetVolumeAttributesClassName"),
    "v1.ObjectMeta": _same_reason(
        "annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation labels"
        " managedFields name namespace ownerReferences resourceVersion selfLink uid"
    ),
    "v1.ManagedFieldsEntry": _same_reason("apiVersion fieldsType fieldsV1 manager operation subresource time"),
    "v1.OwnerReference": _same_reason("apiVersion blockOwnerDeletion controller kind name uid"),
}

WARNED: Table = {
    "v1alpha1.WorkflowSpec": {
        **_same_reason("affinity tolerations schedulerName podPriorityClassName", _ONE_MACHINE),
        "nodeSelector": _SELECTOR,
        **_same_reason("dnsConfig dnsPolicy", "names are resolved as on this machine"),
        "securityContext": _USER,
        "podDisruptionBudget": "pods are not evicted here",
    },
    "v1alpha1.Template": {
        **_same_reason("affinity tolerations schedulerName priorityClassName", _ONE_MACHINE),
        "nodeSelector": _SELECTOR,
        "securityContext": _USER,
    },
    "v1alpha1.S3Artifact": {
        "roleARN": "no roles are assumed: with the store's keys the task ends with an error, without them the platform's own store is used"
    },
    "v1alpha1.CreateS3BucketOptions": {"objectLocking": "buckets are created without object locks"},
    "v1alpha1.OSSArtifact": _same_reason(
        "createBucketIfNotPresent lifecycleRule securityToken useSDKCreds", "the platform's own store is used"
    ),
    "v1alpha1.HDFSArtifact": _same_reason(
        "dataTransferProtection krbCCacheSecret krbConfigConfigMap krbKeytabSecret krbRealm krbServicePrincipalName krbUsername",
        "Kerberos is not supported here",
    ),
    "v1alpha1.GitArtifact": _same_reason(
        "disableSubmodules fetch insecureIgnoreHostKey insecureSkipTLS passwordSecret sshPrivateKeySecret usernameSecret",
        _GIT,
    ),
    "v1alpha1.RetryStrategy": {"affinity": _ONE_MACHINE},
    "v1.Container": {
        **_same_reason("lifecycle livenessProbe startupProbe", _PROBE),
        **_same_reason("resizePolicy restartPolicyRules", "a container that ended is not started again within its pod"),
        **_same_reason("stdin stdinOnce", "tasks have no standard input"),
        **_same_reason("terminationMessagePath terminationMessagePolicy", "a task's message is Argo's own"),
        "securityContext": _USER,
    },
    "v1.Probe": _same_reason(
        "failureThreshold initialDelaySeconds periodSeconds successThreshold terminationGracePeriodSeconds", _PROBE
    ),
    "v1.ProbeHandler": {"grpc": _PROBE},
    "v1.VolumeMount": _same_reason("mountPropagation recursiveReadOnly", "tasks never mount anything themselves"),
    "v1.EmptyDirVolumeSource": _same_reason("medium sizeLimit", "an emptyDir is a folder on disk without a limit"),
    "v1.PersistentVolumeClaimSpec": _same_reason(
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
    "v1.PersistentVolumeClaimSpec": _same_reason(
        "dataSource dataSourceRef", "a folder cannot be created from a snapshot or from another claim"
    ),
    "v1.VolumeSource": _same_reason(
        "awsElasticBlockStore azureDisk azureFile cephfs cinder csi ephemeral fc flexVolume flocker gcePersistentDisk gitRepo"
        " glusterfs image iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume",
        _CLAIM,
    ),
    "v1.VolumeProjection": _same_reason(
        "clusterTrustBundle podCertificate serviceAccountToken",
        "this machine issues no tokens and certificates to tasks",
    ),
}
