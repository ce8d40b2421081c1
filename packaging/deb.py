"""Puts the Debian package together.

Usage: deb.py RINGFENCE FOLDER [VERSION]

RINGFENCE is a release build with the Swift runtime in it. The package is written to FOLDER; its path is
printed last.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
CONFFILES = ["/etc/default/ringfence", "/etc/logrotate.d/ringfence", "/etc/ringfence/agent.yaml"]


class Tree:
    """What the package is to hold."""

    def __init__(self, root):
        self.root = root

    def path(self, name):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def copy(self, source, name, mode=0o644):
        shutil.copyfile(source, self.path(name))
        os.chmod(self.path(name), mode)

    def write(self, name, data, mode=0o644):
        with open(self.path(name), "wb") as file:
            file.write(data)
        os.chmod(self.path(name), mode)

    def compress(self, name, data):
        # Without a time, so that equal inputs give equal packages.
        self.write(name + ".gz", gzip.compress(data, 9, mtime=0))


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, **options).stdout


def fill(tree, program, version):
    binary = tree.path("usr/bin/ringfence")
    subprocess.run(["strip", "--strip-all", "-o", binary, program], check=True)
    os.chmod(binary, 0o755)
    # One program under two names, so that the plugin is never of another release than the agent.
    os.symlink("../../bin/ringfence", tree.path("usr/lib/cni/ringfence-cni"))
    tree.copy(os.path.join(HERE, "ringfence.service"), "lib/systemd/system/ringfence.service")
    tree.copy(os.path.join(HERE, "ringfence.default"), "etc/default/ringfence")
    tree.copy(os.path.join(HERE, "listen.conf"), "usr/share/doc/ringfence/examples/listen.conf")
    tree.copy(os.path.join(HERE, "ringfence.logrotate"), "etc/logrotate.d/ringfence")
    tree.copy(os.path.join(HERE, "agent.yaml"), "etc/ringfence/agent.yaml")
    os.makedirs(os.path.join(tree.root, "etc/ringfence/policies"))
    for shell, name in (("bash", "usr/share/bash-completion/completions/ringfence"),
                        ("zsh", "usr/share/zsh/vendor-completions/_ringfence"),
                        ("fish", "usr/share/fish/vendor_completions.d/ringfence.fish")):
        script = output(program, "--generate-completion-script", shell)
        # It is read by a shell that runs, and never started.
        tree.write(name, script.split(b"\n", 1)[1] if script.startswith(b"#!") else script)
    tree.copy(os.path.join(HERE, "debian/lintian-overrides"), "usr/share/lintian/overrides/ringfence")
    fill_documents(tree, program, version)


def fill_documents(tree, program, version):
    documents = "usr/share/doc/ringfence/"
    tree.copy(os.path.join(HERE, "debian/copyright"), documents + "copyright")
    entry = (f"ringfence ({version}) unstable; urgency=medium\n\n  * Release {version}.\n\n"
             f" -- The Ringfence authors <ringfence@example.org>  {date()}\n")
    tree.compress(documents + "changelog", entry.encode())
    for folder, names in ((os.path.join(ROOT, "docs"), None), (ROOT, ["README.md", "SECURITY.md"])):
        for name in sorted(names or os.listdir(folder)):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                tree.copy(path, documents + name)
    examples = os.path.join(ROOT, "policies")
    for folder, _, names in os.walk(examples):
        for name in names:
            path = os.path.join(folder, name)
            tree.copy(path, documents + "examples/policies/" + os.path.relpath(path, examples))
    with tempfile.TemporaryDirectory() as pages:
        subprocess.run([sys.executable, os.path.join(HERE, "manpages.py"), program, pages, version],
                       check=True)
        for name in sorted(os.listdir(pages)):
            with open(os.path.join(pages, name), "rb") as file:
                tree.compress("usr/share/man/man8/" + name, file.read())
    tree.compress("usr/share/man/man8/ringfence-cni.8", CNI_PAGE.format(version=version).encode())


def date():
    moment = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(moment))


def dependencies(binary):
    """The libraries that the program is linked to, by the packages that they come in."""
    with tempfile.TemporaryDirectory() as place:
        os.mkdir(os.path.join(place, "debian"))
        with open(os.path.join(place, "debian/control"), "w", encoding="utf-8") as file:
            file.write("Source: ringfence\n\nPackage: ringfence\nArchitecture: any\n")
        said = output("dpkg-shlibdeps", "-O", "--ignore-missing-info", binary, cwd=place, text=True)
    return said.strip().removeprefix("shlibs:Depends=")


def control(tree, version):
    size = sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in
               os.walk(tree.root) for name in names if not os.path.islink(os.path.join(folder, name)))
    text = f"""Package: ringfence
Version: {version}
Section: net
Priority: optional
Architecture: {output('dpkg', '--print-architecture', text=True).strip()}
Maintainer: The Ringfence authors <ringfence@example.org>
Installed-Size: {size // 1024}
Depends: {dependencies(tree.path('usr/bin/ringfence'))}, init-system-helpers (>= 1.54~)
Suggests: nftables, containernetworking-plugins
Description: keeps the tenants of a host apart
 An agent compiles policy files into one nftables table for each network
 namespace and, if wanted, eBPF programs on the host ends of veths. It is closed
 by default, follows every change, cuts what a change no longer allows, counts
 all that passes, and explains every refusal.
"""
    tree.write("DEBIAN/control", text.encode())
    tree.write("DEBIAN/conffiles", "".join(f"{name}\n" for name in CONFFILES).encode())
    for name in ("postinst", "prerm", "postrm"):
        tree.copy(os.path.join(HERE, "debian", name), "DEBIAN/" + name, 0o755)
    sums = []
    for folder, _, names in sorted(os.walk(tree.root)):
        for name in sorted(names):
            path = os.path.join(folder, name)
            inside = os.path.relpath(path, tree.root)
            if not inside.startswith("DEBIAN/") and not os.path.islink(path):
                sums.append(output("md5sum", path, text=True).split()[0] + "  " + inside + "\n")
    tree.write("DEBIAN/md5sums", "".join(sums).encode())


def main():
    program, folder = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    version = sys.argv[3] if len(sys.argv) > 3 else output(
        program, "--version", text=True).strip()
    os.umask(0o022)
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        tree = Tree(os.path.join(place, "ringfence"))
        os.mkdir(tree.root)
        fill(tree, program, version)
        control(tree, version)
        name = os.path.join(folder, f"ringfence_{version}_amd64.deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree.root, name], check=True,
                       stdout=subprocess.DEVNULL)
    print(name)


CNI_PAGE = r""".TH RINGFENCE\-CNI 8 "" "ringfence {version}" "Ringfence"
.SH NAME
ringfence\-cni \- CNI plugin that waits until a container is enforced
.SH DESCRIPTION
A chained plugin of the Container Network Interface, version 1.0.0 and before. Container runtimes call it
behind the plugins that make interfaces and addresses. \fBADD\fR returns when the agent says that the
policy is in force for the namespace; else it fails, and no container starts.
.SH CONFIGURATION
.TP
\fBtenant\fR
Whose the container is. Without it the policy files have to claim the namespace.
.TP
\fBlabels\fR
An object of labels of the endpoint.
.TP
\fBsocket\fR
The agent's socket (default: /run/ringfence/agent.sock).
.TP
\fBtimeout\fR
How many seconds to wait (default: 10).
.SH SEE ALSO
\fBringfence\fR(8), \fBringfence\-agent\fR(8), \fBringfence\-run\fR(8)
"""

if __name__ == "__main__":
    main()
