// SPDX-License-Identifier: Apache-2.0

/// What a running program can be told to change. On the control thread, which waits until the change is in effect.
extension Probe {
  var controlChanges: [ControlCommand] {
    [
      ControlCommand(
        name: "get", words: "[SETTING]", summary: "A setting's value, or all that can be changed."
      ) { words throws(ControlRefusal) in
        let settings = self.settings
        guard let name = words.first else {
          return ControlAnswer(settings.map { "\($0.option) \($0.value)\n" }.joined())
        }
        let option = try Self.refusing("cannot get '\(name)'") { () throws(ChangeRefusal) in
          try Setting.named(name).option
        }
        return ControlAnswer(settings.first { $0.option == option }?.value ?? "")
      },
      ControlCommand(
        name: "set", words: "SETTING VALUE",
        summary: "Gives a setting another value, until 'reload' or the next start.",
        isChange: true
      ) { words throws(ControlRefusal) in
        let (name, value) = Self.assignment(words.joined(separator: " "))
        try Self.refusing("cannot set '\(name)'") { () throws(ChangeRefusal) in
          if Setting.isFlush(name) {
            guard value == "1" else { throw ChangeRefusal(description: "counters are never set back; give 1") }
            return self.flush()
          }
          try self.set(Setting.named(name), to: value)
        }
        return ControlAnswer("")
      },
      ControlCommand(
        name: "flush", summary: "Exports all active flows now, with reason 4; they go on as new ones.", isChange: true
      ) { _ in
        self.flush()
        return ControlAnswer("")
      },
      ControlCommand(
        name: "reload", summary: "Reads the configuration again, as SIGHUP does; what was set is forgotten.",
        isChange: true
      ) { _ throws(ControlRefusal) in
        let fixed = try Self.refusing("cannot reload") { () throws(ChangeRefusal) in try self.reloadOptions() }
        return ControlAnswer(
          fixed.isEmpty ? "" : "as before until flowprobe is started anew: \(fixed.joined(separator: ", "))")
      },
    ]
  }

  /// `name value`, `name=value` or `name = value`, as sysctl takes it.
  private static func assignment(_ text: String) -> (name: Substring, value: String) {
    let end = text.firstIndex { $0 == "=" || $0.isWhitespace } ?? text.endIndex
    var value = text[end...].trimmed
    if value.first == "=" { value = value.dropFirst().trimmed }
    return (text[..<end], String(value))
  }

  private static func refusing<Value>(
    _ what: String, _ body: () throws(ChangeRefusal) -> Value
  ) throws(ControlRefusal) -> Value {
    do throws(ChangeRefusal) {
      return try body()
    } catch {
      throw ControlRefusal(reason: "\(what): \(error)")
    }
  }
}
