// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// A Field: an Information Element bound to a typed value of a record.
///
/// Template, length, encoding, JSON and the list of fields follow from it; to export one more value is one line in one
/// group of ``FlowFields`` or its siblings.
@safe struct Field<Record>: Sendable {
  /// The Information Element's number (IANA "IPFIX Information Elements"; in v9 the Field Type), or its number among
  /// those of ``enterprise``.
  let id: UInt16
  /// Whose element it is (IANA "Private Enterprise Numbers"); nil: the registry's. Only IPFIX can say so.
  var enterprise: UInt32?
  /// The Information Element's name.
  let name: String
  /// Octets on the wire.
  let length: Int

  let encoding: FieldEncoding<Record>
  let json: @Sendable (Record) -> String
}

/// How a field's octets come about. Values that a record stores are copied by place and size; the rest are computed.
@unsafe enum FieldEncoding<Record>: Sendable {
  /// A stored number of 1, 2, 4 or 8 octets, in the machine's order.
  case number(offset: Int, octets: Int)
  /// Stored octets that are in network order already.
  case octets(offset: Int, octets: Int)
  /// A stored ``Timestamp`` as dateTimeMilliseconds of the wall clock.
  case time(offset: Int)
  /// A stored ``Timestamp`` as milliseconds of sysUpTime, 32 bits (RFC 3954 section 8, RFC 7011 has none).
  case upTime(offset: Int)
  /// Anything else.
  case computed(@Sendable (Record, UnsafeMutableRawPointer) -> Void)
}

extension Field {
  /// A stored number.
  init<Value: WireValue & FixedWidthInteger>(
    _ id: UInt16, of enterprise: UInt32? = nil, _ name: String, _ path: any KeyPath<Record, Value> & Sendable
  ) {
    unsafe self.init(
      id: id, enterprise: enterprise, name: name, length: Value.wireLength,
      encoding: .number(offset: Self.offset(path), octets: Value.wireLength), json: { $0[keyPath: path].json })
  }

  /// A stored value whose octets lie in memory as on the wire.
  init<Value: WireValue>(
    _ id: UInt16, _ name: String, octets path: any KeyPath<Record, Value> & Sendable
  ) {
    unsafe self.init(
      id: id, name: name, length: Value.wireLength,
      encoding: .octets(offset: Self.offset(path), octets: Value.wireLength), json: { $0[keyPath: path].json })
  }

  /// A stored value that may be unknown, and whose octets otherwise lie in memory as on the wire: for templates of
  /// records that have it.
  static func known<Value: WireValue>(
    _ id: UInt16, _ name: String, octets path: any KeyPath<Record, Value?> & Sendable
  ) -> Field {
    precondition(MemoryLayout<Value?>.size == Value.wireLength, "what is unknown takes octets of its own")
    return unsafe Field(
      id: id, name: name, length: Value.wireLength,
      encoding: .octets(offset: offset(path), octets: Value.wireLength), json: { $0[keyPath: path]?.json ?? "null" })
  }

  /// A stored time, absolute.
  static func time(
    _ id: UInt16, _ name: String, _ path: any KeyPath<Record, Timestamp> & Sendable
  ) -> Field {
    unsafe Field(
      id: id, name: name, length: Timestamp.wireLength, encoding: .time(offset: offset(path)),
      json: { $0[keyPath: path].json })
  }

  /// A stored time, relative to sysUpTime.
  static func upTime(
    _ id: UInt16, _ name: String, _ path: any KeyPath<Record, Timestamp> & Sendable
  ) -> Field {
    unsafe Field(
      id: id, name: name, length: UInt32.wireLength, encoding: .upTime(offset: offset(path)),
      json: { $0[keyPath: path].json })
  }

  /// A value worked out from the record.
  init<Value: WireValue>(_ id: UInt16, _ name: String, _ value: @escaping @Sendable (Record) -> Value) {
    unsafe self.init(
      id: id, name: name, length: Value.wireLength,
      encoding: .computed { unsafe value($0).write(to: $1) }, json: { value($0).json })
  }

  private static func offset<Value>(_ path: KeyPath<Record, Value>) -> Int {
    guard let offset = MemoryLayout<Record>.offset(of: path) else {
      preconditionFailure("a field binds to a stored property; compute it in a closure instead")
    }
    return offset
  }
}
