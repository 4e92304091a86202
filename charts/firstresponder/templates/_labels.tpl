{{- define "firstresponder.selector" -}}
app.kubernetes.io/name: firstresponder
app.kubernetes.io/component: operator
{{- end }}

{{- define "firstresponder.labels" -}}
{{ include "firstresponder.selector" . }}
{{ include "firstresponder.release" . }}
{{- end }}

{{- define "firstresponder.release" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}
