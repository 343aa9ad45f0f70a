// SPDX-License-Identifier: Apache-2.0

/// What ``PrometheusText`` told at one moment, read again.
struct MetricsReading {
  struct Sample: Hashable {
    var labels: [String: String] = [:]
    /// Figures above 2⁵³ are rounded.
    var value: Double
  }

  private var samples: [Substring: [Sample]] = [:]

  /// - Parameter text: in Prometheus' text format, as flowprobe writes it; lines that are no samples are passed over.
  init(_ text: String) {
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let name = line.prefix { $0 != "{" && $0 != " " }
      var rest = line[name.endIndex...]
      let labels = Self.labels(&rest)
      guard let value = Double(rest.drop { $0 == " " }) else { continue }
      samples[name, default: []].append(Sample(labels: labels, value: value))
    }
  }

  /// Takes `{name="value",…}` off the front.
  private static func labels(_ text: inout Substring) -> [String: String] {
    guard text.first == "{" else { return [:] }
    var labels: [String: String] = [:]
    text = text.dropFirst()
    while let first = text.first, first != "}" {
      let name = text.prefix { $0 != "=" }
      text = text[name.endIndex...].dropFirst(2)
      var value = ""
      while let character = text.popFirst(), character != "\"" {
        guard character == "\\" else {
          value.append(character)
          continue
        }
        let escaped = text.popFirst()
        value.append(escaped == "n" ? "\n" : escaped ?? "\\")
      }
      labels[String(name)] = value
      if text.first == "," { text = text.dropFirst() }
    }
    text = text.dropFirst()
    return labels
  }

  /// The samples of a metric, by its name without `flowprobe_`, in their order.
  func samples(_ name: String) -> [Sample] { samples["flowprobe_" + name] ?? [] }

  /// The sum of those samples that have a label, or of all.
  func sum(_ name: String, _ label: (name: String, value: String)? = nil) -> Double {
    samples(name).reduce(0) { sum, sample in
      guard let label else { return sum + sample.value }
      return sample.labels[label.name] == label.value ? sum + sample.value : sum
    }
  }

  /// A label's values in a metric, each once, in their order.
  func values(of label: String, in name: String) -> [String] {
    var values: [String] = []
    for sample in samples(name) {
      if let value = sample.labels[label], !values.contains(value) { values.append(value) }
    }
    return values
  }
}
