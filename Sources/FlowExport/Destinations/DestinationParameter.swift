// SPDX-License-Identifier: Apache-2.0

/// A parameter of a destination. Those of the name of an option are what that is for all; the others are its own.
enum DestinationParameter: String, CaseIterable {
  case exportProtocol = "protocol"
  case records
  case profile
  case filter
  case engineID = "engine-id"
  case refreshRate = "refresh-rate"
  case timeoutRate = "timeout-rate"
  case exportRate = "export-rate"
  case sendBuffer = "sndbuf"
  case queue
  case spool
  case spoolSize = "spool-size"
  case authorities = "ca"
  case certificate = "cert"
  case key
  case name
  case rotation = "rotate"
  case size
  case sync = "fsync"

  /// The ways to send that it is for.
  var schemes: [DestinationTarget.Scheme] {
    switch self {
    case .exportProtocol, .records, .profile, .filter, .engineID: DestinationTarget.Scheme.allCases
    case .exportRate, .sendBuffer: [.udp, .tcp, .tls]
    // A connection loses nothing that would be to repeat, and a file neither.
    case .refreshRate, .timeoutRate: [.udp]
    case .queue, .spool, .spoolSize: [.tcp, .tls]
    case .authorities, .certificate, .key, .name: [.tls]
    case .rotation, .size: [.file]
    // Of a connection it is the spool's.
    case .sync: [.tcp, .tls, .file]
    }
  }

  /// Refuses it where it means nothing.
  func check(for scheme: DestinationTarget.Scheme) throws(Refusal) {
    guard !schemes.contains(scheme) else { return }
    let others = schemes.map(\.prefix).joined(separator: ", ")
    throw Refusal(
      reason: "\(rawValue) means nothing to \(scheme.prefix)", advice: "leave it out; it is for \(others)")
  }

  /// Why a value cannot be taken, and what can.
  struct Refusal: Error {
    var reason: String
    var advice: String
  }

  func set(_ text: String, in configuration: inout ExportConfiguration) throws(Refusal) {
    switch self {
    case .exportProtocol:
      configuration.exportProtocol = try checked(ExportProtocol(word: text), text, ExportProtocol.words)
    case .records:
      let words = "one or more of \(ExportedRecords.allWords.joined(separator: ", ")), with + between them"
      configuration.records = try checked(ExportedRecords(words: text), text, words)
    case .profile:
      let words = FieldProfile.allCases.map(\.rawValue).joined(separator: ", ")
      configuration.profile = try checked(FieldProfile(rawValue: text), text, "one of \(words)")
    case .filter: configuration.filter = try filter(text)
    case .engineID:
      configuration.observationDomain = try checked(UInt32(text), text, "a number from 0 to \(UInt32.max)")
    case .refreshRate: configuration.refreshRate = try number(text, ExportConfiguration.refreshRates)
    case .timeoutRate: configuration.timeoutRate = try number(text, ExportConfiguration.timeoutRates)
    case .exportRate: configuration.exportRate = try number(text, ExportConfiguration.exportRates)
    case .sendBuffer: configuration.sendBuffer = try number(text, ExportConfiguration.sendBuffers)
    case .queue: configuration.delivery.queue = try octets(text, DeliveryConfiguration.queues)
    case .spool: configuration.delivery.spool = try path(text)
    case .spoolSize: configuration.delivery.spoolSize = try octets(text, DeliveryConfiguration.spoolSizes)
    case .authorities: configuration.tls.authorities = try path(text)
    case .certificate: configuration.tls.certificate = try path(text)
    case .key: configuration.tls.key = try path(text)
    case .name: configuration.tls.name = try checked(text.isEmpty ? nil : text, text, "a host's name or address")
    case .rotation: configuration.file.rotation = try number(text, FileRules.rotations)
    case .size: configuration.file.size = try octets(text, FileRules.sizes)
    case .sync:
      let sync = try checked(FileSync(word: text), text, FileSync.words)
      (configuration.file.sync, configuration.delivery.spoolSync) = (sync, sync)
    }
  }

  /// As a service the program has the root directory as its own: what a relative path means there nobody knows.
  private func path(_ text: String) throws(Refusal) -> String {
    try checked(text.hasPrefix("/") && text.utf8.count > 1 ? text : nil, text, "a path that begins with /")
  }

  private func checked<Value>(_ value: Value?, _ text: String, _ allowed: String) throws(Refusal) -> Value {
    guard let value else {
      throw Refusal(reason: "'\(text)' cannot be its \(rawValue)", advice: "give \(allowed)")
    }
    return value
  }

  private func number(_ text: String, _ range: ClosedRange<Int>) throws(Refusal) -> Int {
    let number = Int(text).flatMap { range.contains($0) ? $0 : nil }
    return try checked(number, text, "a number from \(range.lowerBound) to \(range.upperBound)")
  }

  private func octets(_ text: String, _ range: ClosedRange<Int>) throws(Refusal) -> Int {
    let octets = OctetCount.parse(text).flatMap { range.contains($0) ? $0 : nil }
    let (least, most) = (OctetCount.text(range.lowerBound), OctetCount.text(range.upperBound))
    return try checked(octets, text, "octets from \(least) to \(most); k, M and G are powers of 1024")
  }

  private func filter(_ text: String) throws(Refusal) -> FlowFilter? {
    guard text.contains(where: { !$0.isWhitespace }) else { return nil }
    do throws(FlowFilterError) {
      return try FlowFilter(text)
    } catch {
      throw Refusal(
        reason: "its filter '\(error.expression)' cannot be used: \(error.reason)", advice: "see 'man pcap-filter'")
    }
  }
}

extension ExportDestination {
  /// What of it does not go together.
  func check() throws(DestinationParameter.Refusal) {
    try configuration.check()
    guard !isFiles || configuration.exportProtocol == .ipfix else {
      throw DestinationParameter.Refusal(
        reason: "files are of IPFIX, and it has \(configuration.exportProtocol.name)", advice: "give it protocol=ipfix")
    }
    guard target.scheme.isAcknowledged else { return }
    guard configuration.exportProtocol == .ipfix else {
      throw DestinationParameter.Refusal(
        reason: "\(target.scheme.prefix) is IPFIX's, and it has \(configuration.exportProtocol.name)",
        advice: "give protocol=10, or write udp://")
    }
    guard configuration.tls.key == nil || configuration.tls.certificate != nil else {
      throw DestinationParameter.Refusal(
        reason: "it has a key and no certificate", advice: "give the certificate too, with cert=FILE")
    }
    guard configuration.delivery.spool == nil else { return }
    let (delivery, plain) = (configuration.delivery, DeliveryConfiguration())
    for (name, isGiven) in [
      ("a spool-size", delivery.spoolSize != plain.spoolSize), ("an fsync", delivery.spoolSync != plain.spoolSync),
    ] where isGiven {
      throw DestinationParameter.Refusal(
        reason: "it has \(name) and no spool", advice: "give the directory too, with spool=DIRECTORY")
    }
  }
}

extension ExportConfiguration {
  /// What of it does not go together.
  fileprivate func check() throws(DestinationParameter.Refusal) {
    guard profile.suits(exportProtocol) else {
      throw DestinationParameter.Refusal(
        reason: "the profile \(profile.rawValue) is of IPFIX, and it has \(exportProtocol.name)",
        advice: "give protocol 10 or another profile")
    }
    guard exportProtocol != .netFlow5 || records != .options else {
      throw DestinationParameter.Refusal(
        reason: "NetFlow v5 has no options records, and it is to get no others",
        advice: "give records=flows or protocol 9")
    }
  }
}
