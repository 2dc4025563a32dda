{{- /* The labels of an object of a role, or of all roles: (list ROOT ROLE), (list ROOT). */}}
{{- define "rollcall.labels" -}}
app.kubernetes.io/name: rollcall
app.kubernetes.io/instance: {{ (first .).Release.Name }}
{{- range rest . }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- /* The settings of `config`, as YAML. */}}
{{- define "rollcall.settings" -}}
{{- $settings := fromToml .Values.config }}
{{- with $settings.Error }}{{ fail (printf "config is not TOML: %s" .) }}{{ end }}
{{- $_ := dig "http" "addr" "" $settings | required "config has no http.addr: without it only the pod reaches itself" }}
{{- toYaml $settings }}
{{- end }}

{{- /* What is in /etc/rollcall. */}}
{{- define "rollcall.files" -}}
{{- merge (dict "rollcall.toml" .Values.config) .Values.files | toYaml }}
{{- end }}

{{- /* A variable from the Secret: (list ROOT NAME KEY). */}}
{{- define "rollcall.secret" -}}
- name: {{ index . 1 }}
  valueFrom: {secretKeyRef: {name: {{ (first .).Values.secret }}, key: {{ index . 2 }}, optional: true}}
{{- end }}

{{- /* The pod of a role: (list ROOT ROLE). deploy/kubernetes/base says why it is so. */}}
{{- define "rollcall.pod" -}}
{{- mustMergeOverwrite (include "rollcall.pod.defaults" . | fromYaml) (first .).Values.pod | toYaml }}
{{- end }}

{{- define "rollcall.pod.defaults" -}}
{{- $root := first . }}
{{- $role := last . }}
{{- $values := index $root.Values $role }}
{{- $settings := include "rollcall.settings" $root | fromYaml }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- if eq $role "migrate" }}
restartPolicy: Never
{{- else }}
terminationGracePeriodSeconds: 30
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "rollcall.labels" (list $root) | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
containers:
  - name: rollcall
    image: {{ $root.Values.image.repository }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
    args: [{{ $role }}, --config, /etc/rollcall/rollcall.toml]
    env:
      - name: ROLLCALL__CLICKHOUSE__PASSWORD
        valueFrom: {secretKeyRef: {name: {{ $root.Values.secret }}, key: clickhouse-password}}
      {{- if eq $role "ingest" }}
      {{- include "rollcall.secret" (list $root "ROLLCALL__KAFKA__PROPERTIES__SASL_USERNAME" "kafka-username") | nindent 6 }}
      {{- include "rollcall.secret" (list $root "ROLLCALL__KAFKA__PROPERTIES__SASL_PASSWORD" "kafka-password") | nindent 6 }}
      {{- else if eq $role "serve" }}
      {{- include "rollcall.secret" (list $root "ROLLCALL__AUTH__KEYS" "api-keys") | nindent 6 }}
      {{- end }}
      {{- with $root.Values.env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- if ne $role "migrate" }}
    ports:
      - {name: http, containerPort: {{ $settings.http.addr | splitList ":" | last }}}
    startupProbe:
      httpGet: {path: /healthz, port: http}
      periodSeconds: 2
      failureThreshold: 30
    livenessProbe:
      httpGet: {path: /healthz, port: http}
      periodSeconds: 10
      timeoutSeconds: 5
    readinessProbe:
      httpGet: {path: /readyz, port: http}
      periodSeconds: 5
      timeoutSeconds: 3
    {{- end }}
    {{- if eq $role "serve" }}
    lifecycle:
      preStop: {sleep: {seconds: 10}}
    {{- end }}
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
      - {name: settings, mountPath: /etc/rollcall, readOnly: true}
volumes:
  - name: settings
    configMap: {name: {{ $root.Release.Name }}{{ if eq $role "migrate" }}-migrate{{ end }}}
{{- end }}

{{- /* A Deployment without `replicas`: (list ROOT ROLE). */}}
{{- define "rollcall.deployment" -}}
{{- $root := first . }}
strategy:
  rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
selector:
  matchLabels:
    {{- include "rollcall.labels" . | nindent 4 }}
template:
  metadata:
    labels:
      {{- include "rollcall.labels" . | nindent 6 }}
    annotations:
      # Pods are replaced when a setting changes.
      checksum/settings: {{ include "rollcall.files" $root | sha256sum }}
  spec:
    {{- include "rollcall.pod" . | nindent 4 }}
{{- end }}

{{- define "rollcall.disruption" -}}
maxUnavailable: 1
unhealthyPodEvictionPolicy: AlwaysAllow
selector:
  matchLabels:
    {{- include "rollcall.labels" . | nindent 4 }}
{{- end }}
