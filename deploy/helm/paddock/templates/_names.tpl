{{/* The name of everything: the release's, with the chart's in it. */}}
{{- define "paddock.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "paddock.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "paddock.labels" -}}
{{ include "paddock.selector" . }}
app.kubernetes.io/version: {{ default .Chart.AppVersion .Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "paddock.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{- define "paddock.secret" -}}
{{ default (printf "%s-superuser" (include "paddock.fullname" .)) .Values.superuser.existingSecret }}
{{- end -}}

{{/* The line of a member, with %d for the ordinal of its pod: a name, which outlives the pod's address. */}}
{{- define "paddock.member" -}}
{{- $name := include "paddock.fullname" . -}}
{{ $name }}-%d.{{ $name }}-servers.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:2888:3888;2181
{{- end -}}

{{/* Where servers that serve are found. */}}
{{- define "paddock.client" -}}
{{ include "paddock.fullname" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:2181
{{- end -}}

{{/* How many servers found the ensemble: see values.yaml. */}}
{{- define "paddock.founders" -}}
{{- $name := include "paddock.fullname" . -}}
{{- $set := lookup "apps/v1" "StatefulSet" .Release.Namespace $name -}}
{{- $map := lookup "v1" "ConfigMap" .Release.Namespace $name -}}
{{- if not (kindIs "invalid" .Values.founders) -}}
{{- .Values.founders -}}
{{- else if and $set (gt (int (default 0 (($set).status).readyReplicas)) 0) -}}
0
{{- else if $map -}}
{{- default "0" (index (default dict $map.data) "founders") -}}
{{- else if .Release.IsInstall -}}
{{- .Values.replicas -}}
{{- else -}}
0
{{- end -}}
{{- end -}}

{{- define "paddock.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "paddock.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
