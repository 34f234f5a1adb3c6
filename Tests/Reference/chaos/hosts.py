"""Network namespaces as hosts on one switch, and what can go wrong between them.

Everything lives in namespaces of this process (`enter`), so that the kernel takes all of it away with the process.
"""

import os
import subprocess
import sys

INSIDE = "PHALANX_CHAOS_INSIDE"
SUBNET = "10.77.0"
# The load comes from here; hosts have numbers of their own.
CLIENT = 254
NOWHERE = "02:00:00:00:00:01"


class Failure(Exception):
    """Something that the user should read."""


def reason_to_skip():
    """Why no namespaces can be had here; None when they can."""
    for tool in ("ip", "tc", "unshare", "nsenter", "mount"):
        if subprocess.run(["sh", "-c", f"command -v {tool}"], capture_output=True).returncode:
            return f"{tool} is missing (Debian: iproute2, util-linux)"
    probe = ("mount -t tmpfs none /run && mkdir /run/netns && ip netns add a && ip link add x type bridge"
             " && ip link add y type veth peer name z && ip link set z netns a"
             " && tc qdisc add dev y root tbf rate 1mbit burst 16kb latency 50ms")
    done = subprocess.run([*_unshare(), "sh", "-c", probe], capture_output=True, text=True)
    return None if done.returncode == 0 else f"network namespaces are not allowed here: {done.stderr.strip()}"


def _unshare():
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def enter():
    """Goes on with the same command line in namespaces of its own, and comes back there."""
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", [*_unshare(), sys.executable, *sys.argv])
    run("mount", "-t", "tmpfs", "none", "/run")
    os.mkdir("/run/netns")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "switch", "type", "bridge")
    run("ip", "addr", "add", f"{SUBNET}.{CLIENT}/24", "dev", "switch")
    run("ip", "link", "set", "switch", "up")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Host:
    """A network namespace with one link to the switch."""

    def __init__(self, name, number, *further_numbers):
        self.name, self.address = name, f"{SUBNET}.{number}"
        # All addresses that lead here, also those of a proxy.
        self.reached_at = {self.address}
        self.port = f"p{number}"
        run("ip", "netns", "add", name)
        run("ip", "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", self.port, "master", "switch")
        run("ip", "link", "set", self.port, "up")
        for each in (number, *further_numbers):
            self._ip("addr", "add", f"{SUBNET}.{each}/24", "dev", "eth0")
        self._ip("link", "set", "lo", "up")
        self._ip("link", "set", "eth0", "up")

    def _ip(self, *arguments):
        run("ip", "-n", self.name, *arguments)

    def command(self, *command):
        """The command line that runs a command on this host."""
        return ["nsenter", f"--net=/run/netns/{self.name}", *command]

    def cut(self):
        run("ip", "link", "set", self.port, "down")

    def uncut(self):
        run("ip", "link", "set", self.port, "up")

    def mute(self, other):
        """What this host sends to the other one reaches nobody: it goes to a machine that is not there."""
        for address in other.reached_at:
            self._ip("neigh", "replace", address, "lladdr", NOWHERE, "dev", "eth0", "nud", "permanent")

    def unmute(self, other):
        for address in other.reached_at:
            self._ip("neigh", "del", address, "dev", "eth0")

    def slow(self, mbit):
        """Both directions carry so many million bits per second."""
        shape = ("root", "tbf", "rate", f"{mbit}mbit", "burst", "16kb", "latency", "100ms")
        run("tc", "qdisc", "add", "dev", self.port, *shape)
        run("tc", "-n", self.name, "qdisc", "add", "dev", "eth0", *shape)

    def unslow(self):
        run("tc", "qdisc", "del", "dev", self.port, "root")
        run("tc", "-n", self.name, "qdisc", "del", "dev", "eth0", "root")
