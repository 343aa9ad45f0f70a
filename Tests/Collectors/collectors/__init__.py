# SPDX-License-Identifier: Apache-2.0
"""The collectors that read what flowprobe sends, each in a file of its own."""

from .fixbuf import IPFIXDump
from .nfacctd import Nfacctd
from .nfdump import Nfdump
from .strict import StrictDecoder
from .tshark import Tshark

COLLECTORS = (StrictDecoder(), Nfdump(), Tshark(), Nfacctd(), IPFIXDump())
