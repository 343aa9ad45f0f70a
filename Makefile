# flowprobe: make run | test | bench | install | man | fuzz | clean
#
# Each target installs the Debian packages it needs (as root; otherwise it prints the apt line and stops).

PREFIX ?= /usr/local
DESTDIR ?=
PROGRAM := .build/release/flowprobe

BUILD_PACKAGES := libmicrohttpd-dev libnetfilter-conntrack-dev libnetfilter-log-dev libnfnetlink-dev libpcap-dev
TEST_PACKAGES := $(BUILD_PACKAGES) conntrack curl ethtool fish iproute2 iptables jq libfixbuf-tools nfdump nftables pmacct \
  procps prometheus python3 snmp snmpd tcpdump tmux tshark zsh
BENCH_PACKAGES := $(BUILD_PACKAGES) nfdump softflowd

.PHONY: all build run test bench install uninstall man fuzz clean setup-build setup-test setup-bench

all: build

# $(call need,PACKAGES): all of them are installed afterwards, or make stops and says how.
define need
@missing=; for package in $(1); do \
  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
if [ -n "$$missing" ]; then \
  if [ "$$(id -u)" = 0 ]; then \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
  else echo "these packages are missing; as root: apt-get install$$missing" >&2; exit 1; fi; fi; \
command -v swift >/dev/null || { echo "swift is missing; install Swift 6.2 or later from swift.org" >&2; exit 1; }
endef

setup-build: ; $(call need,$(BUILD_PACKAGES))
setup-test: ; $(call need,$(TEST_PACKAGES))
setup-bench: ; $(call need,$(BENCH_PACKAGES))

build: setup-build
	swift build -c release --static-swift-stdlib --product flowprobe

# Meters the bundled sample and shows its flows.
run: build
	$(PROGRAM) -r Tests/Vectors/sample.pcap

# Unit tests, live tests in network namespaces, other people's collectors, fuzz corpus, documentation.
test: setup-test build
	swift format lint --strict -r Package.swift Sources Tests/FlowMeterTests Tests/FlowExportTests \
	  Tests/FlowNetfilterTests Tests/flowprobeTests \
	  Benchmarks/Package.swift Benchmarks/Sources
	swift test --disable-xctest
	Tests/Docs/check
	Tests/Docs/articles
	Tests/Netns/run
	Tests/Collectors/run
	Tests/Fuzz/run --replay

bench: setup-bench build
	touch Benchmarks/Package.swift  # or a new source file of the library goes unnoticed
	swift run -c release --package-path Benchmarks benchmarks $(ARGS)

# An hour: a third of it on the decoder, on capture files, and on the kernel's messages.
fuzz: setup-build
	Tests/Fuzz/run fuzz-decoder 1200
	Tests/Fuzz/run fuzz-capture 1200
	Tests/Fuzz/run fuzz-netlink 1200

# What the options' declarations say, where it stands in files.
man: build
	docs/generate man $(PROGRAM) >docs/.new && mv docs/.new docs/flowprobe.8
	docs/generate conf $(PROGRAM) >docs/.new && mv docs/.new docs/flowprobe.conf

install: build
	install -D -s -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/sbin/flowprobe
	install -D -m 644 docs/flowprobe.8 $(DESTDIR)$(PREFIX)/share/man/man8/flowprobe.8

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/flowprobe $(DESTDIR)$(PREFIX)/share/man/man8/flowprobe.8

clean:
	rm -rf .build Benchmarks/.build Tests/Fuzz/.build
