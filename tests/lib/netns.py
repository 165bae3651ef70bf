"""
Hosts of a test's own: network namespaces on one bridge, and what cuts the network between them. All
of it is made by the test and gone after it; the machine's own network is not touched.
"""
import os
import pathlib
import shutil
import subprocess
import sys

SKIPPED = 77  # CTest knows this exit code
PREFIX = "troupe-"
DROP, RESET = "drop", "reset"
MEANS = "run the tests as root, with iproute2 and nftables (or iptables) installed"


def run(*words, text=None):
    """The command's output; CalledProcessError, with what it said, if it fails."""
    return subprocess.run([str(word) for word in words], input=text, check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


class Nftables:
    """Cuts what comes from one address, in the namespace that it comes to."""

    @staticmethod
    def cut(host, source, how, port=None):
        verdict = "drop" if how == DROP else "meta l4proto tcp reject with tcp reset"
        if port:
            verdict = f"tcp dport {port} {verdict}"
        run(*host.inside, "nft", "-f", "-", text=f"""table inet cut {{
            chain incoming {{
                type filter hook input priority 0;
                ip saddr {source} {verdict}
            }}
        }}""")

    @staticmethod
    def heal(host):
        run(*host.inside, "nft", "flush", "ruleset")


class Iptables:
    """The same where the kernel has no nftables."""

    @staticmethod
    def cut(host, source, how, port=None):
        verdict = ["DROP"] if how == DROP else ["REJECT", "--reject-with", "tcp-reset"]
        only = ["--dport", port] if port else []
        run(*host.inside, "iptables", "-w", "-A", "INPUT", "-s", source, "-p", "tcp", *only, "-j",
            *verdict)

    @staticmethod
    def heal(host):
        run(*host.inside, "iptables", "-w", "-F", "INPUT")


class Host:
    def __init__(self, name, address):
        self.name, self.address = name, address
        self.inside = ("ip", "netns", "exec", name)


class Network:
    """`count` hosts, 10.77.0.1 and so on; use it with `with`, or close() it."""

    def __init__(self, count):
        self.names, self.firewall = [], None
        self.remove_left_over()
        try:
            self.make(count)
        except BaseException:
            self.close()
            raise

    def make(self, count):
        hub = self.namespace("hub")
        run("ip", "-n", hub, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", hub, "link", "set", "bridge", "up")
        self.hosts = []
        for number in range(1, count + 1):
            host = Host(self.namespace(f"h{number}"), f"10.77.0.{number}")
            run("ip", "-n", hub, "link", "add", f"port{number}", "type", "veth", "peer", "name",
                "net", "netns", host.name)
            run("ip", "-n", hub, "link", "set", f"port{number}", "master", "bridge", "up")
            run("ip", "-n", host.name, "addr", "add", f"{host.address}/24", "dev", "net")
            for device in ("lo", "net"):
                run("ip", "-n", host.name, "link", "set", device, "up")
            self.hosts.append(host)
        self.firewall = self.choose(self.hosts[0])
        self.slow(self.hosts[0], "1mbit")
        self.slow(self.hosts[0], None)

    def namespace(self, what):
        name = f"{PREFIX}{os.getpid()}-{what}"
        run("ip", "netns", "add", name)
        self.names.append(name)
        return name

    @staticmethod
    def choose(host):
        """What can drop and reset here."""
        said = []
        for firewall in (Nftables, Iptables):
            try:
                for how in (DROP, RESET):
                    firewall.cut(host, "10.77.0.250", how)
                    firewall.heal(host)
                return firewall
            except (OSError, subprocess.CalledProcessError) as error:
                said.append(f"{firewall.__name__}: {getattr(error, 'output', error)}")
        raise OSError("\n".join(said))

    @staticmethod
    def remove_left_over():
        """Namespaces of tests that were killed."""
        for line in run("ip", "netns", "list").splitlines():
            name = line.split()[0]
            pid = name.removeprefix(PREFIX).split("-")[0]
            if name.startswith(PREFIX) and not pathlib.Path(f"/proc/{pid}").exists():
                subprocess.run(["ip", "netns", "delete", name], check=False)

    def cut(self, one, other, how=DROP, both=True, port=None):
        """What `one` says does not arrive at `other` (at that port of it); with `both` not the other
        way either."""
        self.firewall.cut(other, one.address, how, port)
        if both:
            self.firewall.cut(one, other.address, how)

    def heal(self):
        for host in self.hosts:
            self.firewall.heal(host)

    @staticmethod
    def slow(host, rate):
        """What the host says goes out at so many bits a second ("1mbit"); None: as fast as it can."""
        what = ["replace", "dev", "net", "root", "tbf", "rate", rate, "burst", "10kb", "latency",
                "1s"] if rate else ["delete", "dev", "net", "root"]
        run("tc", "-n", host.name, "qdisc", *what)

    def close(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], check=False)
        self.names = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def require():
    """Ends the test, loudly, where there can be no namespaces."""
    try:
        if not shutil.which("ip"):
            raise OSError("there is no command `ip`")
        with Network(1):
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"SKIPPED: no network namespaces here, so nothing was tested on a network that is cut:"
              f"\n{error}\n{getattr(error, 'output', '')}\nTo have it tested, {MEANS}.",
              file=sys.stderr)
        sys.exit(1 if os.environ.get("TROUPE_NETNS") == "required" else SKIPPED)
