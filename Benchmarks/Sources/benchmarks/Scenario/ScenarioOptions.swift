// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// How the whole program is measured.
struct ScenarioOptions: ParsableArguments {
  @Flag(help: "Without groups: scenario, live, nflog and flood, the whole program beside others.")
  var scenarios = false

  @Option(help: "How long packets are sent in each live run, seconds.")
  var seconds = Settings().seconds

  @Option(
    help: ArgumentHelp(
      "Packets a second in live runs, apart by commas; 0 is as fast as it goes. Default: a few rates.",
      valueName: "list"))
  var rates: String?

  @Option(help: "How many times a meter gets each packet where it is to get more than can be sent.")
  var copies = Settings().copies

  func validate() throws {
    guard (0.1...600).contains(seconds) else { throw ValidationError("--seconds is out of range; give 0.1 to 600.") }
    guard (2...16).contains(copies) else { throw ValidationError("--copies is out of range; give 2 to 16.") }
    guard rates == nil || parsedRates != nil else { throw ValidationError("--rates takes numbers, apart by commas.") }
  }

  func apply(to settings: inout Settings) {
    (settings.seconds, settings.copies) = (seconds, copies)
    if scenarios { settings.scenarioRounds = 5 }
    if let rates = parsedRates { (settings.rates, settings.nflogRates) = (rates, rates) }
  }

  private var parsedRates: [Double]? {
    guard let words = rates?.split(separator: ",") else { return nil }
    let numbers = words.compactMap { Double($0) }.filter { $0 >= 0 && $0 <= 1e8 }
    return numbers.isEmpty || numbers.count != words.count ? nil : numbers
  }
}
