// SPDX-License-Identifier: Apache-2.0

/// The Template Sets and Options Template Sets of all templates so far, one template each, as they leave; and how far a
/// refresh of them has come: it may be more than a batch of messages takes.
struct TemplateSets {
  private var sets: [[UInt8]] = []
  /// The set that the refresh under way sends next; their count where there is none under way.
  private var next = 0

  var count: Int { sets.count }

  var isRefreshing: Bool { next < sets.count }

  mutating func add(_ set: [UInt8]) {
    if !isRefreshing { next += 1 }
    sets.append(set)
  }

  mutating func beginRefresh() { next = 0 }

  /// Goes on with the refresh: appends as many sets as the message takes, at least one, and says how many they are.
  ///
  /// - Precondition: a refresh is under way.
  mutating func append(to message: inout MessageBuffer, limit: Int) -> Int {
    let first = next
    repeat {
      message.append(sets[next])
      next += 1
    } while isRefreshing && message.count + sets[next].count <= limit
    return next - first
  }
}

extension MessageFormat {
  /// The set that announces a template.
  ///
  /// Template id and field count, or what an Options Template has there, then the Field Specifiers
  /// (RFC 7011 section 3.2): `E` says that an Enterprise Number follows.
  ///
  ///     |          Set ID               |          Length               |
  ///     |      Template ID              |         Field Count           |
  ///     |E|  Information Element id.    |        Field Length           |
  ///     |                    [Enterprise Number]                        |
  func templateSet<Record>(_ template: Template<Record>) -> [UInt8] {
    var set = MessageBuffer(capacity: MessageBatch.longestMessage)
    set.append(template.scopeCount == 0 ? templateSetID : optionsTemplateSetID)
    set.append(UInt16(0))
    if template.scopeCount == 0 {
      set.append(template.id)
      set.append(UInt16(template.fields.count))
    } else {
      writeOptionsTemplateHeader(template, to: &set)
    }
    for field in template.fields {
      set.append(field.enterprise == nil ? field.id : field.id | 0x8000)
      set.append(UInt16(field.length))
      if let enterprise = field.enterprise { set.append(enterprise) }
    }
    set.patch(UInt16(set.count), at: 2)
    return set.copy
  }
}
