# flowprobe: make run | test | bench | bench-scenarios | soak | install | deb | man | fuzz | sanitize | clean
#
# Each target installs the Debian packages it needs (as root; otherwise it prints the apt line and stops).

PREFIX ?= /usr/local
DESTDIR ?=
# Where systemd looks for units: below /usr/local too.
UNITDIR ?= $(PREFIX)/lib/systemd/system
PROGRAM := .build/release/flowprobe

BUILD_PACKAGES := libmicrohttpd-dev libnetfilter-conntrack-dev libnetfilter-log-dev libnfnetlink-dev libpcap-dev \
  libssl-dev
TEST_PACKAGES := $(BUILD_PACKAGES) conntrack curl debhelper debootstrap ethtool fish gcc iproute2 iptables jq \
  libc6-dev libc6-dev-arm64-cross libfixbuf-tools mandoc nfdump nftables openssl pmacct procps prometheus python3 snmp snmpd \
  systemd-container tcpdump tmux tshark zsh
DEB_PACKAGES := $(BUILD_PACKAGES) debhelper
BENCH_PACKAGES := $(BUILD_PACKAGES) nfdump softflowd
SCENARIO_PACKAGES := $(BENCH_PACKAGES) fprobe iproute2 iptables nftables pmacct ulogd2
SOAK_PACKAGES := $(BUILD_PACKAGES) conntrack curl ethtool gcc iproute2 iptables jq libc6-dev python3 tcpdump tshark

.PHONY: all build run test bench bench-scenarios soak benchmarks install uninstall deb man completions fuzz sanitize \
  clean setup-build setup-test setup-bench setup-scenarios setup-soak setup-deb

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
setup-deb: ; $(call need,$(DEB_PACKAGES))
setup-bench: ; $(call need,$(BENCH_PACKAGES))
setup-scenarios: ; $(call need,$(SCENARIO_PACKAGES))
setup-soak: ; $(call need,$(SOAK_PACKAGES))

build: setup-build
	swift build -c release --static-swift-stdlib --product flowprobe

# Meters the bundled sample and shows its flows.
run: build
	$(PROGRAM) -r Tests/Vectors/sample.pcap

# Unit tests, live tests in network namespaces, a minute of the soak, the Debian package, other people's collectors,
# hostile captures, another processor, threads under a sanitizer, fuzz corpus and a minute of fuzzing, documentation.
test: setup-test build
	swift format lint --strict -r Package.swift Sources Tests/FlowMeterTests Tests/FlowExportTests \
	  Tests/FlowNetfilterTests Tests/flowprobeTests \
	  Benchmarks/Package.swift Benchmarks/Sources
	swift test --disable-xctest
	Tests/Docs/check
	Tests/Docs/articles
	Tests/Netns/run
	HOURS=0.017 Tests/Soak/run || [ $$? = 77 ]
	Tests/Package/run
	Tests/Collectors/run
	Tests/Hostile/run
	Tests/Architectures/run
	Tests/Sanitizers/run thread
	Tests/Fuzz/run --short

bench: setup-bench benchmarks
	Benchmarks/.build/release/benchmarks $(ARGS)

# The whole program beside others: capture files, live, NFLOG, a flood. As root; without ARGS about an hour.
bench-scenarios: setup-scenarios benchmarks
	Benchmarks/.build/release/benchmarks --scenarios $(ARGS)

# Hours under a steady load: exact counts; memory, descriptors and threads stay. As root; HOURS may be a fraction.
soak: setup-soak build
	HOURS=$(or $(HOURS),2) Tests/Soak/run

benchmarks: build
	touch Benchmarks/Package.swift  # or a new source file of the library goes unnoticed
	swift build -c release --package-path Benchmarks

# Two hours and a half: packets and the kernel's messages first.
fuzz: setup-build
	for target in decoder capture netlink control options; do Tests/Fuzz/run fuzz-$$target 1200 || exit 1; done
	for target in rules destination settings; do Tests/Fuzz/run fuzz-$$target 600 || exit 1; done

# All unit tests under AddressSanitizer, those of threads under ThreadSanitizer, and broken captures in the thousands
# under the program with AddressSanitizer.
sanitize: setup-test
	Tests/Sanitizers/run address
	Tests/Sanitizers/run thread
	swift build -c release --sanitize=address --product flowprobe --scratch-path .build/address
	FLOWPROBE=.build/address/release/flowprobe ASAN_OPTIONS=detect_leaks=0 Tests/Hostile/run --long

# What the options' declarations say, where it stands in files.
man: build
	docs/generate man $(PROGRAM) >docs/.new && mv docs/.new docs/flowprobe.8
	docs/generate conf $(PROGRAM) >docs/.new && mv docs/.new docs/flowprobe.conf

COMPLETIONS := .build/completions
completions: build
	mkdir -p $(COMPLETIONS)
	for shell in bash zsh fish; do \
	  $(PROGRAM) --generate-completion-script $$shell >$(COMPLETIONS)/$$shell || exit 1; done
	sed -i '1{/^#!/d}' $(COMPLETIONS)/bash  # bash reads it, and starts it never

SHARE = $(DESTDIR)$(PREFIX)/share
# $(call unit,UNIT,NAME,DIRECTORY): a unit that runs /etc/flowprobe/NAME.conf, with a directory of its own in /run.
define unit
sed -e 's,@SBINDIR@,$(PREFIX)/sbin,; s,@NAME@,$(2),; s,@DIRECTORY@,$(3),; /^#.*@/d' systemd/flowprobe.service.in \
  | install -D -m 644 /dev/stdin $(DESTDIR)$(UNITDIR)/$(1)
endef

# A configuration that is there stays as it is.
install: completions
	install -D -s -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/sbin/flowprobe
	install -D -m 644 docs/flowprobe.8 $(SHARE)/man/man8/flowprobe.8
	install -D -m 644 $(COMPLETIONS)/bash $(SHARE)/bash-completion/completions/flowprobe
	install -D -m 644 $(COMPLETIONS)/zsh $(SHARE)/zsh/vendor-completions/_flowprobe
	install -D -m 644 $(COMPLETIONS)/fish $(SHARE)/fish/vendor_completions.d/flowprobe.fish
	install -D -m 755 -t $(SHARE)/doc/flowprobe/examples iptables-examples/[a-z]*
	install -m 644 README.md SECURITY.md $(SHARE)/doc/flowprobe/
	install -D -m 644 -t $(SHARE)/doc/flowprobe/docs docs/*.md
	install -D -m 644 -t $(SHARE)/doc/flowprobe/docs/collectors docs/collectors/*.md
	install -m 644 iptables-examples/README.md $(SHARE)/doc/flowprobe/examples/
	$(call unit,flowprobe.service,flowprobe,flowprobe)
	$(call unit,flowprobe@.service,%i,flowprobe-%i)
	[ -e $(DESTDIR)/etc/flowprobe/flowprobe.conf ] || \
	  install -D -m 644 docs/flowprobe.conf $(DESTDIR)/etc/flowprobe/flowprobe.conf
	@[ -n "$(DESTDIR)" ] || getent passwd flowprobe >/dev/null || echo "the service runs as a user of its own:" \
	  "adduser --system --group --no-create-home --home /nonexistent flowprobe"

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/flowprobe $(SHARE)/man/man8/flowprobe.8 \
	  $(SHARE)/bash-completion/completions/flowprobe $(SHARE)/zsh/vendor-completions/_flowprobe \
	  $(SHARE)/fish/vendor_completions.d/flowprobe.fish \
	  $(DESTDIR)$(UNITDIR)/flowprobe.service $(DESTDIR)$(UNITDIR)/flowprobe@.service
	rm -rf $(SHARE)/doc/flowprobe

# The Debian package, in .build/deb.
deb: setup-deb build
	mkdir -p .build/deb
	DEBDIR=.build/deb debian/rules binary

clean:
	rm -rf .build Benchmarks/.build Tests/Fuzz/.build
