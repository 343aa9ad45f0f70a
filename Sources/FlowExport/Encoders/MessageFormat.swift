// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What differs between NetFlow v9 and IPFIX on the wire, all of it.
protocol MessageFormat: Sendable {
  var dialect: FieldDialect { get }
  var headerLength: Int { get }
  var templateSetID: UInt16 { get }
  var optionsTemplateSetID: UInt16 { get }
  /// Data Sets end on a multiple of this many octets.
  var alignment: Int { get }

  /// Writes the Message Header. Its length and count are patched by ``finish(_:records:dataRecords:)``.
  func writeHeader(
    to buffer: inout MessageBuffer, sequence: UInt32, domain: UInt32, at instant: ExportInstant)

  /// Completes the header of the message that fills `buffer`.
  ///
  /// - Parameter records: Template Records and Data Records together.
  func finish(_ buffer: inout MessageBuffer, records: Int)

  /// How far the sequence number goes on with a message.
  func sequenceStep(dataRecords: Int) -> UInt32

  /// Writes what stands before the fields of an Options Template Record.
  func writeOptionsTemplateHeader<Record>(_ template: Template<Record>, to buffer: inout MessageBuffer)

  /// The scope of an options record as the format says it.
  func scopeFields(_ scope: OptionsScope) -> [Field<ExporterOptions>]
}

/// IPFIX (RFC 7011).
struct IPFIXFormat: MessageFormat {
  var dialect: FieldDialect { .ipfix }
  var headerLength: Int { IPFIXMessage.headerLength }
  var templateSetID: UInt16 { 2 }
  var optionsTemplateSetID: UInt16 { 3 }
  // Padding is allowed (RFC 7011 section 3.3.1), but not every collector gets over it.
  var alignment: Int { 1 }

  func writeHeader(
    to buffer: inout MessageBuffer, sequence: UInt32, domain: UInt32, at instant: ExportInstant
  ) {
    let seconds = UInt32(truncatingIfNeeded: instant.wall(instant.now).milliseconds / 1000)
    IPFIXMessage.writeHeader(to: &buffer, seconds: seconds, sequence: sequence, domain: domain)
  }

  func finish(_ buffer: inout MessageBuffer, records: Int) {
    buffer.patch(UInt16(buffer.count), at: IPFIXMessage.Offset.length)
  }

  /// Data Records sent before this message, of options too, Templates not (section 3.1).
  func sequenceStep(dataRecords: Int) -> UInt32 { UInt32(dataRecords) }

  /// Template id, field count, scope field count (section 3.4.2.2).
  func writeOptionsTemplateHeader<Record>(_ template: Template<Record>, to buffer: inout MessageBuffer) {
    buffer.append(template.id)
    buffer.append(UInt16(template.fields.count))
    buffer.append(UInt16(template.scopeCount))
  }

  func scopeFields(_ scope: OptionsScope) -> [Field<ExporterOptions>] {
    switch scope {
    case .observationDomain: [Field(149, "observationDomainId", \.domain)]
    case .exportingProcess: [Field(144, "exportingProcessId", \.domain)]
    case .selector: [FlowFields.selectorID()]
    case .interface: [Field(10, "ingressInterface", \.interfaceIndex)]
    case .element:
      [
        Field(346, "privateEnterpriseNumber") { _ in FlowFields.markElement.enterprise },
        Field(303, "informationElementId") { _ in FlowFields.markElement.id },
      ]
    }
  }
}

/// NetFlow v9 (RFC 3954); Observation Domain is Source ID there, Set is FlowSet.
struct NetFlow9Format: MessageFormat {
  var dialect: FieldDialect { .netFlow9 }
  var headerLength: Int { 20 }
  var templateSetID: UInt16 { 0 }
  var optionsTemplateSetID: UInt16 { 1 }
  var alignment: Int { 4 }

  /// Section 5.1:
  ///
  ///     |       Version Number          |            Count              |
  ///     |                           sysUpTime                           |
  ///     |                           UNIX Secs                           |
  ///     |                       Sequence Number                         |
  ///     |                        Source ID                              |
  ///
  /// sysUpTime and seconds name the same moment, or every time would shift by up to a second; it is the end of the
  /// current second, so that no Flow ends after it.
  func writeHeader(
    to buffer: inout MessageBuffer, sequence: UInt32, domain: UInt32, at instant: ExportInstant
  ) {
    let seconds = (instant.wall(instant.now).milliseconds + 999) / 1000
    let tableTime = Timestamp(milliseconds: seconds * 1000 - instant.shift)
    buffer.append(UInt16(9))
    buffer.append(UInt16(0))
    buffer.append(instant.upTime(tableTime))
    buffer.append(UInt32(truncatingIfNeeded: seconds))
    buffer.append(sequence)
    buffer.append(domain)
  }

  func finish(_ buffer: inout MessageBuffer, records: Int) {
    buffer.patch(UInt16(records), at: 2)
  }

  /// Messages sent before this one (section 5.1).
  func sequenceStep(dataRecords: Int) -> UInt32 { 1 }

  /// Template id, octets of the scope's field specifiers, octets of the others' (section 6.1).
  func writeOptionsTemplateHeader<Record>(_ template: Template<Record>, to buffer: inout MessageBuffer) {
    buffer.append(template.id)
    buffer.append(UInt16(4 * template.scopeCount))
    buffer.append(UInt16(4 * (template.fields.count - template.scopeCount)))
  }

  /// Scope type 1, System.
  func scopeFields(_ scope: OptionsScope) -> [Field<ExporterOptions>] { [Field(1, "System", \.domain)] }
}

/// What the values of an options record apply to.
enum OptionsScope: Sendable {
  /// observationDomainId; in v9 the system.
  case observationDomain
  /// exportingProcessId; in v9 the system.
  case exportingProcess
  /// selectorId: what was sampled. Of IPFIX only.
  case selector
  /// ingressInterface. Of IPFIX only.
  case interface
  /// privateEnterpriseNumber and informationElementId (RFC 5610 section 3.9). Of IPFIX only.
  case element
}
