# schemas.rb SWAGGER OUT CRD...: writes a JSON schema of each kind for kubeconform, from the
# API server's own description and from definitions of custom resources, as strict as the
# API server is with --validate=strict: a field that it does not know is an error.
require "json"
require "yaml"

swagger, out, *crds = ARGV

NAMED = %w[properties patternProperties definitions].freeze # schemas by name
NESTED = %w[items additionalProperties not allOf anyOf oneOf].freeze

# strict makes a schema refuse what it does not name, all the way down.
def strict(schema)
  return schema.map { |s| strict(s) } if schema.is_a?(Array)
  return schema unless schema.is_a?(Hash)

  # A number or a string, such as a port, or a percentage of pods.
  return schema.except("type", "format", "anyOf").merge("type" => %w[string integer]) if schema["format"] == "int-or-string" || schema["x-kubernetes-int-or-string"]

  made = schema.except("format", "default", "description") # formats of Go are not JSON schema's
  made.each do |key, value|
    made[key] = value.transform_values { |s| strict(s) } if NAMED.include?(key)
    made[key] = strict(value) if NESTED.include?(key)
  end
  open = made.key?("additionalProperties") || made["x-kubernetes-preserve-unknown-fields"]
  made["additionalProperties"] = false if made["properties"] && made["type"] == "object" && !open
  made
end

def write(out, group, kind, version, schema)
  group = version if group.empty? # as kubeconform has it
  File.write("#{out}/#{group}_#{kind.downcase}_#{version}.json", JSON.generate(schema))
end

definitions = JSON.parse(File.read(swagger))["definitions"]
# A quantity may be written as a number, too.
definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = { "type" => %w[string number] }
whole = definitions.transform_values { |d| strict(d) }
definitions.each do |name, definition|
  kinds = definition["x-kubernetes-group-version-kind"] or next
  next unless kinds.one? && definition.dig("properties", "metadata") && definition.dig("properties", "spec")

  kind = kinds.first
  write(out, kind["group"], kind["kind"], kind["version"], { "$ref" => "#/definitions/#{name}", "definitions" => whole })
end
crds.each do |path|
  crd = YAML.load_file(path)["spec"]
  crd["versions"].each do |v|
    schema = strict(v.dig("schema", "openAPIV3Schema"))
    schema["properties"].merge!("metadata" => { "type" => "object" })
    write(out, crd["group"], crd.dig("names", "kind"), v["name"], schema)
  end
end
