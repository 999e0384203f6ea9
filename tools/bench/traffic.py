"""How many bytes go to the registries and come from them.

The kernel's packet filter counts them: rules without a target, one for each port and direction. So nothing stands between the
two sides and takes a part of the processors. The headers of TCP and IP are in it; on the loopback, where a packet has up to
64 KiB, they are less than a hundredth of what is sent.
"""

import subprocess

from . import ROOT

CHAIN = "gp-deliver-bench"


def iptables(*words, check=True):
    done = subprocess.run(
        [ROOT / "scripts/as-root", "iptables", "--wait", *map(str, words)], capture_output=True, text=True, check=check
    )
    return done.stdout


class Traffic:
    """Counts from when it is entered, for these ports of the loopback."""

    def __init__(self, *ports):
        self.ports = ports

    def __enter__(self):
        remove()
        iptables("-N", CHAIN)
        for port in self.ports:
            for direction in ("--dport", "--sport"):
                iptables("-A", CHAIN, "-p", "tcp", direction, port)
        iptables("-I", "INPUT", "-i", "lo", "-j", CHAIN)
        return self

    def __exit__(self, *_):
        remove()

    def counted(self):
        """The bytes sent and received so far."""
        sent = received = 0
        for line in iptables("-nvxL", CHAIN).splitlines()[2:]:
            if "dpt:" in line:
                sent += int(line.split()[1])
            else:
                received += int(line.split()[1])
        return sent, received


def remove():
    """Also what a run that was killed has left."""
    iptables("-D", "INPUT", "-i", "lo", "-j", CHAIN, check=False)
    iptables("-F", CHAIN, check=False)
    iptables("-X", CHAIN, check=False)
